"""Seconds of session and transaction for each request: a view that executes `SELECT 1`, less one that does not.

The application is called in this process, without a server, so that only the view and the wiring differ.
"""

import io
import itertools
import statistics
import time
from collections.abc import Callable
from typing import Any

import sqlalchemy
from pyramid.request import Request

from .databases import Makers
from .requests import PAGES, WIRINGS
from .servers import application

SELECT_1 = sqlalchemy.text("SELECT 1")
View = Callable[[Any], str]


def without_session(request: Any) -> str:
    """Answer without a session."""
    return "1"


def with_session(request: Any) -> str:
    """Answer with what the database returns."""
    return str(request.dbsession.scalar(SELECT_1))


def measure(makers: Makers, rounds: int, batch: int) -> dict[tuple[str, str, str], float]:
    """Return `{(method, kind of database, wiring): seconds}`, medians of `rounds` differences of `batch` calls each."""
    places = list(itertools.product(makers, WIRINGS))
    applications = {place: application(place[1], makers[place[0]](f"sessions_{place[1]}")) for place in places}
    times: dict[tuple[str, str, str], list[float]] = {}
    for number in range(rounds + 1):
        for method, (place, wsgi) in itertools.product(PAGES, applications.items()):
            seconds = _batch(wsgi, method, with_session, batch) - _batch(wsgi, method, without_session, batch)
            if number:  # The first round warms up.
                times.setdefault((method, *place), []).append(seconds / batch)
    for wsgi in applications.values():
        wsgi.registry["dbsession_factory"].kw["bind"].dispose()
    return {key: statistics.median(differences) for key, differences in times.items()}


def _batch(wsgi: Any, method: str, view: View, count: int) -> float:
    wsgi.registry["probe"] = view
    environ = Request.blank("/probe", method=method).environ
    started = time.perf_counter()
    for _ in range(count):
        b"".join(wsgi({**environ, "wsgi.input": io.BytesIO()}, _start))
    return time.perf_counter() - started


def _start(status: str, headers: Any, exc_info: Any = None) -> None:
    if status != "200 OK":
        raise RuntimeError(status)
