"""CPU time of a request with and without metrics and access lines, as `production.ini` writes them.

The applications are called in this process, in turn, without a server. Only the time of this thread counts, so that
other load on the machine does not matter.
"""

import contextlib
import io
import itertools
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from pyramid.request import Request

from myproject import tweens
from myproject.logs import Formatter, JsonFormatter
from tests import signed_in

from .client import LIST_PATH
from .databases import Makers
from .servers import SECRET, application
from .sessions import with_session

NEITHER, METRICS, LINES, JSON = "neither", "metrics", "metrics and log", "metrics and log in JSON"
WIRINGS = [NEITHER, METRICS, LINES, JSON]
FORMATTERS = {
    LINES: Formatter("%(asctime)s %(levelname)s [%(name)s] %(request)s%(message)s", "%Y-%m-%dT%H:%M:%S%z"),
    JSON: JsonFormatter(),
}
MEASURING = "myproject.web.access.access_tween_factory"
# A page that executes `SELECT 1`, and the list, beside which the cost is seen.
PAGES = {"GET": "/probe", "POST": "/probe", "the list": LIST_PATH}


def measure(makers: Makers, rounds: int, batch: int) -> dict[tuple[str, str, str], float]:
    """Return `{(page, kind of database, wiring): seconds}`, medians of `rounds` batches of `batch` requests."""
    times: dict[tuple[str, str, str], list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="myproject-bench-") as folder:
        for kind in makers:
            url = makers[kind]("monitoring")
            applications = {wiring: _application(wiring, url) for wiring in WIRINGS}
            for number, page, wiring in itertools.product(range(rounds + 1), PAGES, WIRINGS):
                with _logging(wiring, Path(folder, "log")):
                    seconds = _batch(applications[wiring], page, batch)
                if number:  # The first round warms up.
                    times.setdefault((page, kind, wiring), []).append(seconds / batch)
            for wsgi in applications.values():
                wsgi.registry["dbsession_factory"].kw["bind"].dispose()
    return {key: statistics.median(batches) for key, batches in times.items()}


def _application(wiring: str, url: str) -> Any:
    order = [name for name in tweens.ORDER if wiring != NEITHER or name != MEASURING]
    with mock.patch("myproject.tweens.ORDER", order):
        return application("ours", url)


@contextlib.contextmanager
def _logging(wiring: str, path: Path) -> Iterator[None]:
    """Write the lines of the block to a file, if `wiring` has any."""
    if wiring not in FORMATTERS:
        yield
        return
    handler, logger = logging.FileHandler(path), logging.getLogger("myproject")
    handler.setFormatter(FORMATTERS[wiring])
    # To the file alone; `python -m benchmarks` has turned off what migrations log.
    logger.propagate = False
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logging.disable(logging.NOTSET)
    try:
        yield
    finally:
        logging.disable(logging.INFO)
        logger.removeHandler(handler)
        handler.close()


def _batch(wsgi: Callable[..., Any], page: str, count: int) -> float:
    wsgi.registry["probe"] = with_session
    cookie = {"Cookie": f"__Host-session={signed_in.cookie(SECRET)}"}
    environ = Request.blank(PAGES[page], method="POST" if page == "POST" else "GET", headers=cookie).environ
    started = time.thread_time()
    for _ in range(count):
        b"".join(wsgi({**environ, "wsgi.input": io.BytesIO()}, _start))
    return time.thread_time() - started


def _start(status: str, headers: Any, exc_info: Any = None) -> None:
    if status != "200 OK":
        raise RuntimeError(status)
