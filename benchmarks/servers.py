"""Server processes under waitress on free ports of loopback, ended by their process id when the block ends."""

import contextlib
import multiprocessing
from unittest import mock

import waitress

import myproject
from tests import stock

THREADS = 4
SECRET = "bench-only-bench-only-bench-only-"


def application(wiring, url):
    """Return the application over the database `url`, by the wiring "ours" or "stock", with the page of a probe."""
    settings = {
        "sqlalchemy.url": url,
        "myproject.secret": SECRET,
        "pyramid.includes": "tests.probe",
    }
    if wiring == "ours":
        return myproject.main({}, **settings)
    with mock.patch("myproject.db.includeme", stock.includeme):
        return myproject.main({}, **settings)


def bare(answers):
    """Return a WSGI function that sends `answers[method]`, the bytes of a whole HTTP response, and does nothing else.

    Without `Date` and `Server`, which waitress adds.
    """
    ready = {}
    for method, answer in answers.items():
        head, body = answer.split(b"\r\n\r\n", 1)
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = [tuple(line.split(": ", 1)) for line in lines if not line.startswith(("Date:", "Server:", "Via:"))]
        ready[method] = status.split(" ", 1)[1], headers, body

    def answer(environ, start_response):
        status, headers, body = ready[environ["REQUEST_METHOD"]]
        start_response(status, list(headers))
        return [body]

    return answer


@contextlib.contextmanager
def serving(make, *arguments):
    """Serve `make(*arguments)`, a WSGI application, in a process of its own; yield its port and its process id."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(theirs, make, arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours.recv(), process.pid
    finally:
        process.terminate()
        process.join()


def _serve(pipe, make, arguments):
    server = waitress.create_server(make(*arguments), host="127.0.0.1", port=0, threads=THREADS)
    pipe.send(server.effective_port)
    server.run()
