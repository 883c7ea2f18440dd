"""A PostgreSQL server that falls silent, without closing the connection, holds no request up for ever."""

import contextlib
import time

import pytest
from sqlalchemy import event, insert, text

from myproject.db import get_engine
from myproject.models import User
from tests import postgresql_only

from ..conftest import migrate
from ..postgresql import running_server
from .proxy import SWALLOW

pytestmark = postgresql_only

JANE = insert(User).values(name="Jane Doe")
UNKNOWN = "The connection was lost while saving. Send the form again. It will not be saved twice."


@pytest.fixture(scope="module")
def postgresql(postgresql):
    """A server for this module only, which its tests may stop."""
    with running_server() as server:
        server.execute("CREATE DATABASE migrated")
        migrate(server.url("migrated"))
        yield server


@pytest.fixture
def settings(settings, monkeypatch):
    """The shortest limits."""
    monkeypatch.setattr("myproject.db.postgresql.CONNECT_TIMEOUT_SECONDS", 2)
    return {**settings, "database.longest_silence": "1", "reading.longest_seconds": "1"}


@contextlib.contextmanager
def lasting(low, high):
    """Assert that the block takes from `low` to `high` seconds."""
    started = time.monotonic()
    yield
    assert low < time.monotonic() - started < high


def add_jane(request):
    request.dbsession.execute(JANE)


# A proxy forwards nothing of the server any more.


def test_a_form_whose_commit_meets_silence_has_an_unknown_outcome_and_is_saved_once(proxy, form, names):
    proxy.lose(b"COMMIT", loss=SWALLOW)
    with lasting(0.9, 4):
        form.submit(status=503).mustcontain(UNKNOWN)
    assert (proxy.seen, names()) == (1, ["Jane Doe"])
    form.submit(status=303).follow().mustcontain("This was already done.", "Jane Doe")
    assert names() == ["Jane Doe"]


def test_a_form_that_is_changed_after_an_unknown_outcome_says_what_was_saved(proxy, form, names):
    proxy.lose(b"COMMIT", loss=SWALLOW)
    form.submit(status=503)
    form["name"] = "Judy Doe"
    page = form.submit(status=409)
    page.mustcontain("<bdi>Jane Doe</bdi> was added already.")
    page.forms["record"].submit(status=303)
    assert names() == ["Jane Doe", "Judy Doe"]


@pytest.mark.usefixtures("connected")
@pytest.mark.parametrize("word", [b"INSERT INTO users", b"SAVEPOINT", b"ROLLBACK", b"SET LOCAL"])
def test_a_request_whose_statement_meets_silence_is_run_again(word, proxy, probe, names, engine):
    def view(request):
        with request.dbsession.begin_nested():
            request.dbsession.execute(JANE)
        if word == b"ROLLBACK":
            request.response.status_int = 422

    proxy.lose(word, loss=SWALLOW)
    with lasting(0.9, 4):
        probe(view, status=422 if word == b"ROLLBACK" else 200)
    assert (proxy.left, engine.pool.checkedout()) == (0, 0)
    assert names() == ([] if word == b"ROLLBACK" else ["Jane Doe"])


def test_a_page_whose_query_meets_silence_is_read_again(proxy, app, make_user):
    make_user("Jane Doe")
    app.get("/users")
    proxy.lose(b"FROM users", loss=SWALLOW)
    with lasting(1.9, 5):
        app.get("/users", status=200).mustcontain("Jane Doe")


def test_a_saved_form_is_answered_although_cleaning_its_connection_meets_silence(proxy, form, names):
    proxy.lose(b"DISCARD", loss=SWALLOW)
    with lasting(0.9, 5):
        form.submit(status=303)
    assert names() == ["Jane Doe"]


def test_a_write_after_the_answer_ends_too(proxy, probe, names, engine):
    proxy.lose(b"INSERT", loss=SWALLOW)
    with lasting(0.9, 4):
        probe(lambda request: request.after_answer(lambda dbsession: dbsession.execute(JANE)), status=200)
    assert (names(), engine.pool.checkedout()) == ([], 0)


def test_connecting_into_silence_is_answered_by_503(proxy, app):
    app.reset()
    proxy.lose(b"database", times=99, loss=SWALLOW)
    with lasting(1.5, 6):
        app.get("/signin", status=503)


# The server is stopped: its kernel still acknowledges.


def test_a_form_whose_commit_meets_a_stopped_server_is_saved_once(postgresql, form, engine, names):
    with contextlib.ExitStack() as stack:
        # Before the COMMIT is sent.
        event.listen(engine, "commit", lambda _: stack.enter_context(postgresql.stopped()), once=True)
        with lasting(0.9, 4):
            form.submit(status=503).mustcontain(UNKNOWN)
    form.submit(status=303)
    assert names() == ["Jane Doe"]


def test_requests_to_a_stopped_server_are_answered_by_503_and_recover(postgresql, app, probe, names):
    app.get("/users")
    with postgresql.stopped():
        with lasting(0.9, 8):
            probe(add_jane, status=503).mustcontain("Nothing was saved.")
        with lasting(0.9, 8):
            app.get("/users", status=503)
    probe(add_jane, status=200)
    assert names() == ["Jane Doe"]


# What takes long and is not silent, or may be.


def test_a_page_that_reads_until_its_own_limit_is_told_so(probe):
    page = probe(lambda request: str(request.dbsession.scalar(text("SELECT pg_sleep(3)"))), method="GET", status=503)
    page.mustcontain("This took too long")


def test_rows_that_keep_coming_are_not_cut_off(database_url):
    engine = get_engine(database_url, silence_seconds=1)
    slow = "SELECT repeat('x', 20000) || pg_sleep(0.3) FROM generate_series(1, 6)"
    with engine.connect() as connection, lasting(1.7, 4):
        assert len(connection.exec_driver_sql(slow).all()) == 6
    engine.dispose()


def test_an_engine_without_the_limit_waits(database_url):
    engine = get_engine(database_url)
    with engine.connect() as connection, lasting(1.4, 3):
        connection.exec_driver_sql("SELECT pg_sleep(1.5)")
    engine.dispose()
