"""Server processes under waitress on free ports of loopback, terminated by their process id when the block ends."""

import contextlib
import multiprocessing
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import waitress

import myproject
from tests import stock

THREADS = 4
SECRET = "bench-only-bench-only-bench-only-"


def application(wiring: str, url: str, reading_url: str = "") -> Any:
    """Return the WSGI application over the database `url`, by the wiring "ours" or "stock", with the page `/probe`.

    Its pages may be read from the standby `reading_url`.
    """
    settings = {
        "reading.url": reading_url,
        "sqlalchemy.url": url,
        "myproject.secret": SECRET,
        "pyramid.includes": "tests.probe",
    }
    if wiring == "ours":
        return myproject.main({}, **settings)
    with mock.patch("myproject.db.includeme", stock.includeme), mock.patch("myproject.tweens.ORDER", stock.TWEENS):
        return myproject.main({}, **settings)


def bare(answers: dict[str, bytes]) -> Callable[..., list[bytes]]:
    """Return a WSGI function that sends `answers[method]`, the bytes of a whole HTTP response, and does nothing else.

    `Date`, `Server` and `Via` are left out: waitress adds them.
    """
    ready = {}
    for method, answer in answers.items():
        head, body = answer.split(b"\r\n\r\n", 1)
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = [tuple(line.split(": ", 1)) for line in lines if not line.startswith(("Date:", "Server:", "Via:"))]
        ready[method] = status.split(" ", 1)[1], headers, body

    def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        status, headers, body = ready[environ["REQUEST_METHOD"]]
        start_response(status, list(headers))
        return [body]

    return wsgi


@contextlib.contextmanager
def serving(make: Callable[..., Any], *arguments: Any) -> Iterator[tuple[int, int]]:
    """Serve `make(*arguments)`, a WSGI application, in a new process; yield its port and its process id."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(theirs, make, arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours.recv(), process.pid or 0
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Any, make: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    server = waitress.create_server(make(*arguments), host="127.0.0.1", port=0, threads=THREADS)
    pipe.send(server.effective_port)
    server.run()
