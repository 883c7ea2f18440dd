"""The starter template's wiring still has the faults that ours prevents; a fault that is fixed there fails a test here.

Each test is the control of a row of the table of hazards, by its letter and number.
"""

import contextlib
import threading
import time

import pytest
import transaction
from pyramid.httpexceptions import HTTPSeeOther
from pyramid.request import Request
from pyramid.response import Response
from pyramid_retry import RetryableException
from sqlalchemy import DateTime, insert, inspect, select, text, type_coerce, update
from sqlalchemy.exc import DBAPIError, OperationalError, PendingRollbackError
from sqlalchemy.orm import DeclarativeBase
from transaction.interfaces import NoTransaction
from zope.sqlalchemy import mark_changed

from myproject.models import Post, User
from myproject.web import flash
from tests import postgresql_only, sqlite_only
from tests import stock as stock_wiring

from . import late
from .increments import NUMBER, post
from .writes import WRITES, restore_john, writing

pytestmark = pytest.mark.usefixtures("stock")

JANE = insert(User).values(name="Jane Doe")
NAMES = select(User.name)
# SQLite's driver does not begin a transaction before these, so they are committed at once, even if a 500 follows.
UNBEGUN = {"connection_savepoint", "core_update_with", "text_with_update", "text_with_insert"}


@pytest.fixture
def with_places(settings):
    """All places but the one between the exception views and pyramid_tm, which have the opposite order here."""
    settings["pyramid.includes"] = "tests.probe tests.db.late.around_everything"


@pytest.fixture
def abandoned(engine):
    """A list of leaked sessions, which are closed after the test."""
    sessions = []
    yield sessions
    for session in sessions:
        session.close()
    transaction.abort()


@pytest.fixture
def default_veto(settings):
    """Let pyramid_tm's own veto decide what is committed; request it before `wsgi`."""
    settings["tm.commit_veto"] = "pyramid_tm.default_commit_veto"


@pytest.fixture
def reader(writer):
    """A long read of a database without WAL: nobody can commit until `reader.rollback()`."""
    writer.execute("PRAGMA journal_mode = DELETE")
    writer.execute("BEGIN")
    writer.execute("SELECT * FROM users").fetchall()
    return writer


@pytest.fixture
def without_error_pages(monkeypatch):
    """Leave errors to the server, as the starter template does."""
    monkeypatch.setattr("myproject.web.errors.includeme", lambda config: None)
    order = [name for name in stock_wiring.TWEENS if not name.startswith("myproject.web.errors.")]
    monkeypatch.setattr("myproject.tweens.ORDER", order)


class VersionedBase(DeclarativeBase):
    """Of the model below."""


class VersionedUser(VersionedBase):
    """A user whose version SQLAlchemy counts and compares, as its documentation has it."""

    __table__ = User.__table__
    __mapper_args__ = {"version_id_col": User.__table__.c.version}


@pytest.fixture
def overtaken(make_user, outside):
    """A view that renames John Doe; somebody else renames him after its first attempt has read his row."""
    make_user("John Doe")

    def view(request):
        user = request.dbsession.get(VersionedUser, 1)
        if request.environ["retry.attempt"] == 0:
            with outside.begin() as connection:
                connection.execute(update(User.__table__).values(name="Johnny Doe", version=2))
        user.name = "Jack Doe"

    return view


def core_write(request):
    request.dbsession.execute(JANE)


# A. Writes that vanish behind a 200


def test_a1_to_a4_writes_that_bypass_the_orm_are_lost(probe, make_user, outside, names, subtests):
    make_user("John Doe")
    for write, left in (case.values for case in WRITES):
        name = write.__name__
        by_chance = outside.dialect.name == "sqlite" and name in UNBEGUN
        with subtests.test(name):
            probe(lambda request, write=write: write(request.dbsession), status=200)
            assert names() == (left if by_chance or name.startswith(("orm_", "query_")) else ["John Doe"])
        restore_john(outside)


@postgresql_only
def test_a2_the_write_of_a_selected_function_is_lost(probe, writing_function, names):
    probe(lambda request: str(request.dbsession.scalar(writing_function)), status=200)
    assert names() == []


def test_a5_mark_changed_without_the_manager_loses_the_write_and_the_connection(probe, names, engine, abandoned):
    def view(request):
        abandoned.append(request.dbsession)
        mark_changed(request.dbsession)
        request.dbsession.execute(JANE)

    probe(view, status=200)
    assert (names(), engine.pool.checkedout()) == ([], 1)


@postgresql_only
def test_a6_a_swallowed_error_loses_the_whole_transaction(probe, names):
    def view(request):
        core_write(request)
        with contextlib.suppress(DBAPIError):
            request.dbsession.connection().exec_driver_sql("SELEKT 1")

    probe(view, status=200)
    assert names() == []


def test_a7_closing_the_session_loses_unflushed_objects(probe, names):
    def view(request):
        request.dbsession.add(User(name="Jane Doe"))
        request.dbsession.close()

    probe(view, status=200)
    assert names() == []


def test_a8_half_of_the_work_of_a_thread_is_committed(probe, names, abandoned):
    written, ended, threads = threading.Event(), threading.Event(), []

    def go_on(session):
        session.execute(JANE)
        written.set()
        ended.wait(5)
        with contextlib.suppress(NoTransaction):
            session.execute(insert(User).values(name="Jim Doe"))

    def view(request):
        abandoned.append(request.dbsession)
        threads.append(threading.Thread(target=go_on, args=[request.dbsession]))
        threads[0].start()
        written.wait(5)

    probe(view, status=200)
    ended.set()
    threads[0].join()
    assert names() == ["Jane Doe"]


def test_a9_the_write_of_an_after_commit_hook_is_lost(probe, names):
    def view(request):
        core_write(request)
        request.tm.get().addAfterCommitHook(lambda committed: core_write(request))

    probe(view, status=200)
    assert names() == ["Jane Doe"]


@sqlite_only
def test_a10_sqlite_returns_naive_datetimes(probe, make_user):
    make_user("Jane Doe")
    moment = select(type_coerce(User.created_at, DateTime(timezone=True)))
    probe(lambda request: str(request.dbsession.scalar(moment).tzinfo), status=200).mustcontain("None")


@sqlite_only
def test_a10_sqlite_stores_values_of_any_length_and_type(probe, rows):
    def view(request):
        request.dbsession.connection().exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        request.dbsession.add(User(name="J" * 201, age=30.5))

    probe(view, status=200)
    assert [(len(user.name), user.age) for user in rows(User)] == [(201, 30.5)]


# B. Lost updates


def test_b1_and_b3_one_of_two_concurrent_updates_is_lost(wsgi, make_user, names):
    make_user("0")
    wsgi.registry["probe"] = increment_when_both_have_read(NUMBER)
    assert post(wsgi, times=2, threads=2) == [200, 200]
    assert names() == ["1"]


@sqlite_only
def test_b2_sqlite_has_no_row_locks(wsgi, make_user, names):
    make_user("0")
    wsgi.registry["probe"] = increment_when_both_have_read(NUMBER.with_for_update())
    assert post(wsgi, times=2, threads=2) == [200, 200]
    assert names() == ["1"]


def increment_when_both_have_read(query):
    """Return a view that reads a number, waits until another request has read it too, and writes the next number."""
    both = threading.Barrier(2, timeout=5)

    def view(request):
        number = int(request.dbsession.scalar(query))
        both.wait()
        request.dbsession.execute(update(User).values(name=str(number + 1)))

    return view


def test_b5_a_retry_overwrites_another_user_s_change(probe, rows, overtaken):
    def view(request):
        overtaken(request)
        request.dbsession.flush()

    probe(view, status=200)
    assert [(user.name, user.version) for user in rows(User)] == [("Jack Doe", 3)]


def test_b6_one_of_two_concurrent_inserts_of_an_email_is_answered_by_500(wsgi, rows):
    both = threading.Barrier(2, timeout=5)

    def view(request):
        if request.dbsession.scalar(select(User.id).where(User.email == "jane@example.com")):
            return Response(status=422)
        both.wait()
        return str(request.dbsession.execute(insert(User).values(name="Jane Doe", email="jane@example.com")))

    wsgi.registry["probe"] = view
    assert sorted(post(wsgi, times=2, threads=2)) == [200, 500]
    assert [user.email for user in rows(User)] == ["jane@example.com"]


# C. Writes that stay after an error


@pytest.mark.parametrize("status", [400, 422, 500])
def test_c1_a_returned_error_commits(status, probe, names):
    def view(request):
        core_write(request)
        return Response(status=status)

    probe(view, status=status)
    assert names() == ["Jane Doe"]


@pytest.mark.parametrize(("error", "status"), [(late.Forgiven(), 200), (HTTPSeeOther("/users"), 303)])
@pytest.mark.usefixtures("with_places", "default_veto")
def test_c2_with_the_default_veto_a_raised_response_commits(error, status, probe, names):
    def view(request):
        core_write(request)
        raise error

    probe(view, status=status)
    assert names() == ["Jane Doe"]


def test_c2_with_the_default_veto_an_error_page_prevents_retries(default_veto, probe, names, overtaken):
    def view(request):
        overtaken(request)
        request.dbsession.flush()

    probe(view, status=500)
    assert names() == ["Johnny Doe"]


@sqlite_only
def test_c3_the_next_request_commits_the_rows_of_a_failed_commit(impatient, probe, reader, names):
    probe(core_write, status=500)
    reader.rollback()
    probe(lambda request: request.dbsession.add(User(name="Jim Doe")), status=200)
    assert names() == ["Jane Doe", "Jim Doe"]


@sqlite_only
def test_c4_writes_before_which_sqlite_s_driver_did_not_begin_survive_an_error(probe, names, outside):
    def fail(request):
        raise ValueError

    probe(writing(fail), status=500)
    assert (names(), inspect(outside).has_table("notes")) == (["Jane Doe", "Jim Doe"], True)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_c6_a_safe_request_writes(method, probe, names):
    probe(core_write, method=method, status=200)
    assert names() == ["Jane Doe"]


def test_c7_a_subrequest_s_write_survives_the_abort_of_the_outer_request(probe, names):
    def view(request):
        request.registry["probe"] = core_write
        request.invoke_subrequest(type(request).blank("/probe", method="POST"), use_tweens=True)
        request.dbsession.execute(insert(User).values(name="Jim Doe"))
        raise ValueError

    probe(view, status=500)
    assert names() == ["Jane Doe"]


def test_c8_the_flash_message_of_a_failed_commit_is_shown(with_places, probe, app, names):
    def view(request):
        request.session[flash.SESSION_KEY] = ["/users", "Saved!", time.time(), "0" * 32]
        request.dbsession.add(User(name=""))

    probe(view, status=200).mustcontain(no="Saved!")
    app.get("/users").mustcontain("Saved!")
    assert names() == []


# D. Retry


@sqlite_only
def test_d1_a_busy_commit_on_sqlite_is_not_retried(without_error_pages, impatient, probe, reader):
    attempts = []

    def view(request):
        attempts.append(1)
        core_write(request)

    with pytest.raises(OperationalError, match="locked"):
        probe(view)
    assert len(attempts) == 1


@postgresql_only
def test_d1_a_serialization_failure_at_commit_is_retried_without_error_pages(without_error_pages, probe, names):
    """Here the stock wiring is right, except for D2."""
    failure = text("DO $$ BEGIN RAISE 'as the test wants' USING ERRCODE = '40001'; END $$")

    def view(request):
        core_write(request)
        if request.environ["retry.attempt"] == 0:
            request.tm.get().addBeforeCommitHook(request.dbsession.execute, [failure])

    probe(view, status=200)
    assert names() == ["Jane Doe"]


def test_d2_an_error_page_prevents_the_retry_of_a_failed_commit(probe, names, overtaken):
    probe(overtaken, status=500)
    assert names() == ["Johnny Doe"]


def test_d2_without_error_pages_a_failed_commit_is_retried(without_error_pages, probe, names, overtaken):
    probe(overtaken, status=200)
    assert names() == ["Jack Doe"]


def test_d5_a_side_effect_happens_in_each_attempt(probe, names):
    sent = []

    def view(request):
        core_write(request)
        sent.append("a mail")
        if len(sent) < 3:
            raise RetryableException

    probe(view, status=200)
    assert (sent, names()) == (["a mail"] * 3, ["Jane Doe"])


# E. Leaks


def test_e1_each_use_outside_the_transaction_leaks_a_connection(places, probe, engine, abandoned):
    def touch(request):
        abandoned.append(request.dbsession)
        request.dbsession.execute(text("SELECT 1"))

    for place in "first tween before", "first tween after", "new response", "finished callback":
        places.clear()
        places[place] = touch
        with pytest.raises(NoTransaction):
            probe(lambda request: "Hello")
    assert engine.pool.checkedout() == 4


@pytest.mark.usefixtures("nobody")
def test_e6_an_exception_view_shows_rows_that_are_rolled_back(places, probe, names):
    def view(request):
        core_write(request)
        raise late.Forgiven

    seen = []
    places[late.EXCEPTION_VIEW] = lambda request: seen.extend(request.dbsession.scalars(NAMES))
    probe(view, status=200)
    assert (seen, names()) == (["Jane Doe"], [])


def test_e6_an_exception_view_cannot_use_a_failed_session(places, probe):
    def view(request):
        request.dbsession.add(User(name=""))
        request.dbsession.flush()

    places[late.EXCEPTION_VIEW] = lambda request: request.dbsession.scalars(NAMES)
    with pytest.raises(PendingRollbackError):
        probe(view)


def test_e7_a_path_that_is_not_utf_8_is_an_uncaught_error(without_error_pages, wsgi):
    with pytest.raises(UnicodeDecodeError):
        Request.blank("/%ff").get_response(wsgi)


# F. SQLite as a real database


@sqlite_only
def test_f1_an_orphan_is_stored(probe, rows):
    probe(lambda request: request.dbsession.add(Post(title="Hello", body="World", author_id=99)), status=200)
    assert [post.author_id for post in rows(Post)] == [99]


@sqlite_only
def test_f2_the_transaction_has_no_savepoints(probe, names, caplog):
    def view(request):
        core_write(request)
        request.tm.savepoint()

    probe(view, status=500)
    assert names() == []
    assert "Savepoints unsupported" in caplog.text


@sqlite_only
def test_f4_a_reader_blocks_a_writer_s_commit(impatient, probe, writer, make_user, engine, names):
    statuses = []

    def read(request):
        with request.dbsession.connection().execute(NAMES) as reading:
            reading.fetchone()
            statuses.append(probe(core_write, status="*").status_int)

    writer.execute("PRAGMA journal_mode = DELETE")
    make_user("John Doe"), make_user("Jim Doe")
    probe(read, method="GET", status=200)
    engine.dispose()  # or C3: the next request would store what this one could not
    assert (statuses, names()) == ([500], ["John Doe", "Jim Doe"])
