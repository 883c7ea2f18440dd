"""A request that comes at a bad moment is tried again, after waits that grow, and each attempt starts afresh."""

import random
import sqlite3
import time

import pytest
from pyramid_retry import RetryableException
from sqlalchemy import event, insert, select
from translationstring import TranslationString

from myproject.db.retry import is_retryable
from myproject.flash import flash
from myproject.models import User

JANE = insert(User).values(name="Jane Doe")


class Waits(list):
    """The waits in seconds, none of them waited for; `waits.then[number]()` is called in that wait."""

    def __init__(self):
        self.then = {}

    def wait(self, seconds):
        self.append(seconds)
        self.then.get(len(self), lambda: None)()


@pytest.fixture
def waits(monkeypatch):
    """The waits, each as long as it can be."""
    waits = Waits()
    monkeypatch.setattr(random, "uniform", lambda shortest, longest: longest)
    monkeypatch.setattr(time, "sleep", waits.wait)
    return waits


@pytest.mark.usefixtures("impatient")
def test_a_request_waits_for_the_lock_and_is_written_once(probe, writer, waits, names):
    writer.execute("BEGIN IMMEDIATE")
    waits.then[2] = writer.rollback
    probe(lambda request: request.dbsession.execute(JANE), status=200)
    assert (waits, names()) == ([0.02, 0.04], ["Jane Doe"])


@pytest.mark.usefixtures("impatient")
def test_after_the_last_attempt_there_is_an_error_page_and_nothing_is_written(probe, writer, waits, names):
    writer.execute("BEGIN IMMEDIATE")
    page = probe(lambda request: request.dbsession.execute(JANE), status="5*")
    page.mustcontain("</html>", no=["Traceback", "locked", "sqlite"])
    assert (len(waits), names()) == (4, [])


@pytest.mark.usefixtures("impatient")
def test_a_request_that_never_got_the_lock_leaves_the_next_one_alone(probe, writer, waits, names):
    writer.execute("BEGIN IMMEDIATE")
    probe(lambda request: request.dbsession.execute(JANE), status="5*")
    writer.rollback()
    probe(lambda request: request.dbsession.add(User(name="Jim Doe")), status=200)
    assert names() == ["Jim Doe"]


def test_a_commit_that_finds_the_database_busy_is_tried_again(probe, reader, waits, names):
    waits.then[2] = reader.rollback
    probe(lambda request: request.dbsession.execute(JANE), status=200)
    assert (len(waits), names()) == (2, ["Jane Doe"])


def test_a_commit_that_is_busy_to_the_end_leaves_nothing_for_the_next(probe, reader, waits, names):
    probe(lambda request: request.dbsession.execute(JANE), status="5*")
    reader.rollback()
    probe(lambda request: request.dbsession.add(User(name="Jim Doe")), status=200)
    assert (len(waits), names()) == (4, ["Jim Doe"])


def test_an_attempt_that_is_followed_by_another_is_no_error_in_the_log(probe, reader, waits, caplog):
    waits.then[2] = reader.rollback
    probe(lambda request: request.dbsession.execute(JANE), status=200)
    assert [record.levelname for record in caplog.records if record.name == "myproject.errors"] == []


def test_the_last_attempt_is_one_error_in_the_log(probe, reader, waits, caplog):
    probe(lambda request: request.dbsession.execute(JANE), status="5*")
    assert [record.levelname for record in caplog.records if record.name == "myproject.errors"] == ["ERROR"]


def test_each_attempt_starts_without_what_the_one_before_wrote(probe, waits, names):
    seen = []

    def view(request):
        seen.append(request.dbsession.scalars(select(User.name)).all())
        request.dbsession.execute(JANE)
        if len(seen) < 3:
            raise RetryableException

    probe(view, status=200)
    assert (seen, names()) == ([[], [], []], ["Jane Doe"])


def test_each_attempt_reads_the_same_form(probe, waits):
    seen = []

    def view(request):
        seen.append(request.POST["name"])
        if len(seen) < 3:
            raise RetryableException

    probe(view, body=b"name=Jane", content_type="application/x-www-form-urlencoded", status=200)
    assert seen == ["Jane"] * 3


def test_a_message_of_an_attempt_that_failed_is_not_shown(app, probe, waits):
    seen = []

    def view(request):
        seen.append(request)
        flash(request, TranslationString(f"Attempt {len(seen)}"))
        if len(seen) < 2:
            raise RetryableException

    probe(view, status=200)
    app.get("/users").mustcontain("Attempt 2", no="Attempt 1")


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_the_setting_bounds_the_attempts(attempts, settings, waits, request):
    settings["retry.attempts"] = str(attempts)
    seen = []

    def view(request):
        seen.append(request)
        raise RetryableException

    request.getfixturevalue("probe")(view, status="5*")
    assert (len(seen), len(waits)) == (attempts, attempts - 1)


def test_the_waits_grow_and_are_bounded(settings, waits, request):
    settings["retry.attempts"] = "10"

    def view(request):
        raise RetryableException

    request.getfixturevalue("probe")(view, status="5*")
    assert waits == pytest.approx([0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1, 1, 1])


def test_the_waits_are_drawn_from_zero_on(waits, probe, monkeypatch):
    drawn = []
    monkeypatch.setattr(random, "uniform", lambda *bounds: drawn.append(bounds) or 0.001)

    def view(request):
        raise RetryableException

    probe(view, status="5*")
    assert (drawn, waits) == ([(0, 0.02), (0, 0.04), (0, 0.08), (0, 0.16)], [0.001] * 4)


@pytest.mark.parametrize("error", [ValueError, sqlite3.IntegrityError, sqlite3.OperationalError])
def test_an_error_of_our_own_is_not_tried_again(error, probe, waits):
    def view(request):
        raise error

    probe(view, status=500)
    assert waits == []


def test_a_refused_value_is_not_tried_again(probe, waits):
    probe(lambda request: request.dbsession.add(User(name="")), status=500)
    assert waits == []


@pytest.mark.parametrize(
    ("code", "retryable"),
    [
        (sqlite3.SQLITE_BUSY, True),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, True),
        (sqlite3.SQLITE_BUSY_RECOVERY, True),
        (sqlite3.SQLITE_LOCKED, True),
        (sqlite3.SQLITE_LOCKED_SHAREDCACHE, True),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, False),
        (sqlite3.SQLITE_READONLY, False),
        (sqlite3.SQLITE_FULL, False),
        (sqlite3.SQLITE_CORRUPT, False),
    ],
)
def test_which_errors_of_sqlite_another_attempt_may_mend(code, retryable):
    error = sqlite3.OperationalError()
    error.sqlite_errorcode = code
    assert is_retryable(error) is retryable


@pytest.mark.parametrize(
    ("sqlstate", "retryable"),
    [
        ("40001", True),  # serialization failure
        ("40P01", True),  # deadlock
        ("23505", False),  # unique violation
        ("25006", False),  # read-only transaction
        ("57P01", False),  # the server goes: whether it committed is unknown
        ("08006", False),  # the connection is lost: likewise
        (None, False),
    ],
)
def test_which_errors_of_postgresql_another_attempt_may_mend(sqlstate, retryable):
    error = Exception()
    error.sqlstate = sqlstate
    assert is_retryable(error) is retryable


@pytest.fixture
def reader(engine, database_url, impatient):
    """Somebody who reads for long from a database without WAL: nobody can commit until `reader.rollback()`."""

    @event.listens_for(engine, "connect")
    def without_wal(connection, _record):
        connection.execute("PRAGMA journal_mode = DELETE")

    with engine.connect():
        pass
    connection = sqlite3.connect(engine.url.database, isolation_level=None)
    connection.execute("BEGIN")
    connection.execute("SELECT * FROM users").fetchall()
    yield connection
    connection.close()
