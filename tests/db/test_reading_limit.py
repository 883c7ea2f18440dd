"""A read-only request is stopped after its time limit; a request that may write is not, and the next request works."""

import contextlib
import sqlite3
import time

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from myproject.db import IReadingTookTooLong, get_engine
from tests import sqlite_only

COUNT = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT {limit}) SELECT count(*) FROM n"
SHORT_COUNT = COUNT.format(limit=200_000)


def slow_count():
    """Return a statement of SQLite that takes about 2 seconds on this machine."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        started = time.perf_counter()
        connection.execute(SHORT_COUNT).fetchone()
        return COUNT.format(limit=int(200_000 * 2 / (time.perf_counter() - started)))


# These take 1.5 seconds or more, unless they are stopped.
SLOW = {"postgresql": "SELECT pg_sleep(1.5)", "sqlite": slow_count()}


@pytest.fixture
def settings(settings):
    """The settings with the shortest limit, one second."""
    return {**settings, "reading.longest_seconds": "1"}


def read_slowly(request):
    """Read for longer than the limit."""
    bind = request.dbsession.get_bind()
    return str(request.dbsession.execute(text(SLOW[bind.dialect.name])).scalar())


def test_a_slow_read_is_stopped_with_advice(probe):
    started = time.monotonic()
    page = probe(read_slowly, method="GET", status=503)
    page.mustcontain("This took too long", "Try again", no="search more specific")
    assert 0.9 < time.monotonic() - started < 1.4
    assert "Retry-After" not in page.headers


@pytest.mark.parametrize(("query", "is_told"), [("q=ada", True), ("role=admin", True), ("sort=name", False)])
def test_only_a_search_is_advised_to_be_more_specific(app, monkeypatch, query, is_told):
    def read_list(dbsession, *_args, **_options):
        dbsession.execute(text(SLOW[dbsession.get_bind().dialect.name]))

    monkeypatch.setattr("myproject.users.views.read_list", read_list)
    page = app.get(f"/users?{query}", status=503)
    assert ("Make the search more specific or remove a filter" in page) == is_told


def test_a_stopped_read_is_not_retried(probe):
    attempts = []

    def view(request):
        attempts.append(request)
        read_slowly(request)

    probe(view, method="GET", status=503)
    assert len(attempts) == 1


def test_the_next_request_on_the_connection_works(probe):
    probe(read_slowly, method="GET", status=503)
    assert probe(lambda request: str(request.dbsession.scalar(text("SELECT 7"))), method="GET").text == "7"


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_request_that_may_write_is_not_stopped(method, probe):
    probe(lambda request: str(request.dbsession.scalar(text("SELECT 7"))), method="GET")
    probe(read_slowly, method=method, status=200)


def test_a_request_that_reads_after_a_slow_write_is_limited_again(probe):
    probe(read_slowly, method="POST", status=200)
    probe(read_slowly, method="GET", status=503)


@sqlite_only
def test_the_limit_applies_to_the_whole_request(probe):
    def view(request):
        started = time.monotonic()
        while time.monotonic() - started < 1.5:
            request.dbsession.execute(text(SHORT_COUNT))

    probe(view, method="GET", status=503)


def test_a_statement_outside_a_transaction_is_not_limited(database_url):
    engine = get_engine(database_url, reading_seconds=1)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(SLOW[engine.dialect.name])
    engine.dispose()


def test_an_engine_without_a_limit_has_none(database_url):
    engine = get_engine(database_url)
    with engine.connect().execution_options(read_only=True) as connection:
        connection.exec_driver_sql(SLOW[engine.dialect.name])
    engine.dispose()


def test_a_statement_that_somebody_else_stops_has_not_reached_the_limit(database_url):
    engine = get_engine(database_url)
    with engine.connect() as connection:
        connection.begin()
        if engine.dialect.name == "sqlite":
            connection.connection.dbapi_connection.set_progress_handler(lambda: 1, 1000)
        else:
            connection.exec_driver_sql("SET statement_timeout = '50ms'")
        with pytest.raises(OperationalError) as raised:
            connection.exec_driver_sql(SLOW[engine.dialect.name])
    assert not IReadingTookTooLong.providedBy(raised.value)
    engine.dispose()
