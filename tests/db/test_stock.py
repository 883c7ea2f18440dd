"""The starter template's wiring still does what ours is for: a row that is mended there is noticed here.

Each test is the control of a row of the table of hazards, by its letter and number.
"""

import contextlib
import threading

import pytest
import transaction
from pyramid.httpexceptions import HTTPSeeOther
from pyramid.response import Response
from sqlalchemy import DateTime, insert, inspect, select, text, type_coerce, update
from sqlalchemy.exc import DBAPIError
from transaction.interfaces import NoTransaction
from zope.sqlalchemy import mark_changed

from myproject.models import User
from tests import postgresql_only, sqlite_only

from . import late
from .increments import NUMBER, post
from .writes import WRITES, restore_john

pytestmark = pytest.mark.usefixtures("stock")

JANE = insert(User).values(name="Jane Doe")
# SQLite's driver begins no transaction before these: they are committed at once, and stay after a 500 too.
UNBEGUN = {"connection_savepoint", "core_update_with", "text_with_update", "text_with_insert"}


@pytest.fixture
def settings(settings):
    """With places outside the transaction, and an exception view that answers 200."""
    return {**settings, "pyramid.includes": "tests.probe tests.db.late.around_everything"}


@pytest.fixture
def abandoned(engine):
    """A list of sessions that a request has left behind, for the test to clear up after it."""
    sessions = []
    yield sessions
    for session in sessions:
        session.close()
    transaction.abort()


def core_write(request):
    request.dbsession.execute(JANE)


# A. Writes that vanish behind a 200


def test_a1_to_a4_what_is_written_past_the_orm_is_lost(probe, make_user, outside, names, subtests):
    make_user("John Doe")
    for write, left in (case.values for case in WRITES):
        name = write.__name__
        by_chance = outside.dialect.name == "sqlite" and name in UNBEGUN
        with subtests.test(name):
            probe(lambda request, write=write: write(request.dbsession), status=200)
            assert names() == (left if by_chance or name.startswith(("orm_", "query_")) else ["John Doe"])
        restore_john(outside)


@postgresql_only
def test_a2_what_a_selected_function_writes_is_lost(probe, writing_function, names):
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
def test_a6_an_error_that_the_view_swallows_takes_the_whole_request_along(probe, names):
    def view(request):
        core_write(request)
        with contextlib.suppress(DBAPIError):
            request.dbsession.connection().exec_driver_sql("SELEKT 1")

    probe(view, status=200)
    assert names() == []


def test_a7_what_was_not_flushed_is_lost_when_the_view_closes_the_session(probe, names):
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


def test_a9_what_an_after_commit_hook_writes_is_lost(probe, names):
    def view(request):
        core_write(request)
        request.tm.get().addAfterCommitHook(lambda committed: core_write(request))

    probe(view, status=200)
    assert names() == ["Jane Doe"]


@sqlite_only
def test_a10_a_moment_comes_back_from_sqlite_without_its_time_zone(probe, make_user):
    make_user("Jane Doe")
    moment = select(type_coerce(User.created_at, DateTime(timezone=True)))
    probe(lambda request: str(request.dbsession.scalar(moment).tzinfo), status=200).mustcontain("None")


# B. Lost updates


def test_b1_and_b3_of_two_updates_at_once_one_is_lost(wsgi, make_user, names):
    make_user("0")
    wsgi.registry["probe"] = increment_when_both_have_read(NUMBER)
    assert post(wsgi, times=2, threads=2) == [200, 200]
    assert names() == ["1"]


@sqlite_only
def test_b2_sqlite_knows_no_lock_of_a_row(wsgi, make_user, names):
    make_user("0")
    wsgi.registry["probe"] = increment_when_both_have_read(NUMBER.with_for_update())
    assert post(wsgi, times=2, threads=2) == [200, 200]
    assert names() == ["1"]


def increment_when_both_have_read(query):
    """Return a view that reads a number, and writes the next one once another request has read it too."""
    both = threading.Barrier(2, timeout=5)

    def view(request):
        number = int(request.dbsession.scalar(query))
        both.wait()
        request.dbsession.execute(update(User).values(name=str(number + 1)))

    return view


# C. Writes that stay after a no


@pytest.mark.parametrize("status", [400, 422, 500])
def test_c1_a_returned_error_commits(status, probe, names):
    def view(request):
        core_write(request)
        return Response(status=status)

    probe(view, status=status)
    assert names() == ["Jane Doe"]


@pytest.mark.parametrize(("error", "status"), [(late.Forgiven(), 200), (HTTPSeeOther("/users"), 303)])
def test_c2_with_the_default_veto_a_raised_answer_commits(error, status, settings, request, names):
    settings["tm.commit_veto"] = "pyramid_tm.default_commit_veto"

    def view(request):
        core_write(request)
        raise error

    request.getfixturevalue("probe")(view, status=status)
    assert names() == ["Jane Doe"]


@sqlite_only
def test_c3_what_a_failed_commit_was_to_store_is_stored_by_the_next_request(probe, writer, names):
    def view(request):
        request.dbsession.connection().exec_driver_sql("PRAGMA busy_timeout = 20")
        core_write(request)

    writer.execute("PRAGMA journal_mode = DELETE")
    writer.execute("BEGIN")
    writer.execute("SELECT * FROM users").fetchall()
    probe(view, status=500)
    writer.rollback()
    probe(lambda request: request.dbsession.add(User(name="Jim Doe")), status=200)
    assert names() == ["Jane Doe", "Jim Doe"]


@sqlite_only
def test_c4_what_sqlites_driver_began_no_transaction_for_stays_after_an_error(probe, names, outside):
    def view(request):
        request.dbsession.execute(text("CREATE TABLE notes (note TEXT)"))
        request.dbsession.execute(
            text("WITH n AS (SELECT 'Jane Doe' AS name) INSERT INTO users (name) SELECT name FROM n")
        )
        with request.dbsession.begin_nested():
            request.dbsession.add(User(name="Jim Doe"))
        raise ValueError

    probe(view, status=500)
    assert (names(), inspect(outside).has_table("notes")) == (["Jane Doe", "Jim Doe"], True)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_c6_a_safe_request_writes(method, probe, names):
    probe(core_write, method=method, status=200)
    assert names() == ["Jane Doe"]


# E. Leaks


def test_e1_each_use_outside_the_transaction_leaves_a_connection_behind(probe, wsgi, engine, abandoned):
    def touch(request):
        abandoned.append(request.dbsession)
        request.dbsession.execute(text("SELECT 1"))

    for place in "first tween before", "first tween after", "new response", "finished callback":
        wsgi.registry["late"] = {place: touch}
        with pytest.raises(NoTransaction):
            probe(lambda request: "Hello")
    assert engine.pool.checkedout() == 4
