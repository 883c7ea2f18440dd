"""Seconds in session and transaction for each request: a view that asks `SELECT 1`, less one that does not.

Without a server: the application is called in this process, so that nothing but the view and the wiring differs.
"""

import io
import itertools
import statistics
import time

import sqlalchemy
from webob import Request

from .requests import WIRINGS
from .servers import application

SELECT_1 = sqlalchemy.text("SELECT 1")


def nothing(request):
    """Answer without a session."""
    return "1"


def select_1(request):
    """Answer by the database."""
    return str(request.dbsession.scalar(SELECT_1))


def measure(makers, rounds, batch):
    """Return `{(method, kind of database, wiring): seconds}`, medians of `rounds` differences of `batch` calls each."""
    places = list(itertools.product(makers, WIRINGS))
    applications = {place: application(place[1], makers[place[0]](f"sessions_{place[1]}")) for place in places}
    times = {}
    for number in range(rounds + 1):
        for method, (place, wsgi) in itertools.product(["GET", "POST"], applications.items()):
            seconds = _batch(wsgi, method, select_1, batch) - _batch(wsgi, method, nothing, batch)
            if number:  # the first round warms up
                times.setdefault((method, *place), []).append(seconds / batch)
    for wsgi in applications.values():
        wsgi.registry["dbsession_factory"].kw["bind"].dispose()
    return {key: statistics.median(differences) for key, differences in times.items()}


def _batch(wsgi, method, view, count):
    wsgi.registry["probe"] = view
    environ = Request.blank("/probe", method=method).environ
    started = time.perf_counter()
    for _ in range(count):
        b"".join(wsgi({**environ, "wsgi.input": io.BytesIO()}, _start))
    return time.perf_counter() - started


def _start(status, headers, exc_info=None):
    if status != "200 OK":
        raise RuntimeError(status)
