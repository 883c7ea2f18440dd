"""What the inspector says of the stock wiring: each row of the table of hazards that it can see, by a sentence."""

import contextlib

import pytest
from pyramid.httpexceptions import HTTPSeeOther
from pyramid.response import Response
from sqlalchemy import event, insert, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session
from transaction.interfaces import NoTransaction

from myproject.models import User
from tests import postgresql_only, sqlite_only

pytestmark = pytest.mark.usefixtures("stock")

JANE = insert(User.__table__).values(name="Jane Doe")
NEVER_MARKED = "rolled back although the view answered 200: the session was never marked as changed"


def add(request):
    request.dbsession.add(User(name="Jane Doe"))


@pytest.fixture
def default_veto(settings):
    """Let pyramid_tm's own veto decide what is committed."""
    settings["tm.commit_veto"] = "pyramid_tm.default_commit_veto"


def sentences(record):
    return [diagnosis.sentence for diagnosis in record.diagnoses]


def test_a_commit_by_the_orm_is_right(record):
    found = record(add)
    assert (found.kind, found.sentence, sentences(found)) == ("committed", "committed: 1 user added", [])


def test_a_page_that_only_reads_is_right(record):
    found = record(lambda request: str(request.dbsession.get(User, 1)), "GET")
    assert (found.kind, found.sentence, sentences(found)) == ("read-only", "read-only", [])


def test_a_page_without_the_database_is_right(record):
    found = record(lambda request: "Hello")
    assert (found.kind, found.sentence, sentences(found)) == ("unused", "no transaction: the database was not used", [])


def test_an_exception_is_right(record):
    def view(request):
        add(request)
        request.dbsession.flush()
        raise KeyError("a value")

    found = record(view)
    assert (found.sentence, sentences(found)) == ("rolled back: an exception, KeyError", [])


def test_a_doomed_transaction_is_right(record):
    def view(request):
        request.dbsession.execute(JANE)
        request.tm.doom()

    found = record(view)
    assert (found.sentence, sentences(found)) == ("rolled back: the transaction was doomed", [])


@pytest.mark.parametrize(
    "write",
    [
        lambda dbsession: dbsession.execute(JANE),
        lambda dbsession: dbsession.connection().exec_driver_sql("INSERT INTO users (name) VALUES ('Jane Doe')"),
        lambda dbsession: dbsession.bulk_insert_mappings(User, [{"name": "Jane Doe"}]),
    ],
    ids=["core", "text", "bulk"],
)
def test_a_write_that_bypasses_the_orm_is_lost(write, record, rows):
    found = record(lambda request: str(write(request.dbsession)))
    assert (found.kind, found.sentence, sentences(found)) == ("rolled back", NEVER_MARKED, [NEVER_MARKED])
    assert "mark_changed(request.dbsession, request.tm)" in found.diagnoses[0].advice
    assert rows(User) == []


@postgresql_only
def test_a_swallowed_error_loses_the_whole_transaction(record, rows):
    def view(request):
        add(request)
        request.dbsession.flush()
        with contextlib.suppress(DBAPIError):
            request.dbsession.connection().exec_driver_sql("SELEKT 1")

    found = record(view)
    reason = "a statement had failed, so the database answered COMMIT by a ROLLBACK"
    assert sentences(found) == [f"rolled back although the view answered 200: {reason}"]
    assert (found.sentence, rows(User)) == (sentences(found)[0], [])


def test_a_swallowed_error_of_a_flush_loses_what_was_flushed(record, make_user, rows):
    make_user(email="jane@example.com")

    def view(request):
        request.dbsession.add(User(name="Jim Doe", email="jane@example.com"))
        with contextlib.suppress(IntegrityError):
            request.dbsession.flush()

    [diagnosis] = record(view).diagnoses
    assert diagnosis.sentence.startswith("lost although the view answered 200: a new user that was never saved, in ")
    assert diagnosis.advice.startswith("Put a statement that may fail into a savepoint: ")


def test_a_write_that_was_never_marked_is_lost_whatever_failed_after_it(record):
    def view(request):
        request.dbsession.execute(JANE)
        with contextlib.suppress(DBAPIError):
            request.dbsession.connection().exec_driver_sql("SELEKT 1")

    assert record(view).sentence == NEVER_MARKED


def test_a_raised_redirect_loses_what_was_not_flushed(record, make_user, rows):
    make_user(name="Jane Doe")

    def view(request):
        request.dbsession.get(User, 1).name = "Jim Doe"
        raise HTTPSeeOther("/users")

    found = record(view)
    assert (found.kind, found.sentence) == ("rolled back", "rolled back: an exception, HTTPSeeOther")
    assert [user.name for user in rows(User)] == ["Jane Doe"]


def test_a_session_that_is_closed_loses_what_was_not_flushed(record, rows):
    def view(request):
        add(request)
        request.dbsession.close()

    [diagnosis] = record(view).diagnoses
    assert diagnosis.sentence.startswith("lost although the view answered 200: a new user that was never saved, in ")
    assert diagnosis.advice == ("Leave close(), expunge() and rollback() of the Session to the transaction manager.")
    assert rows(User) == []


def test_a_session_that_is_closed_loses_changes(record, make_user):
    make_user()

    def view(request):
        request.dbsession.get(User, 1).name = "Jane Doe"
        request.dbsession.close()

    [sentence] = sentences(record(view))
    assert sentence.startswith("lost although the view answered 200: changes of a user that were never saved, in ")


@pytest.mark.parametrize("email", ["jane@example.com", "other@example.com"])
@postgresql_only
def test_a_savepoint_that_is_rolled_back_is_right(email, record, make_user):
    make_user(email="jane@example.com")

    def view(request):
        with contextlib.suppress(IntegrityError), request.dbsession.begin_nested():
            request.dbsession.add(User(name="Jim Doe", email=email))
        add(request)

    found = record(view)
    assert sentences(found) == []
    assert found.sentence == f"committed: {1 if email == 'jane@example.com' else 2} user{'s'[: email[0] == 'o']} added"


@pytest.mark.parametrize("status", [400, 422, 500])
def test_a_returned_error_commits(status, record, rows):
    def view(request):
        add(request)
        return Response(status=status)

    found = record(view)
    assert (found.sentence, len(rows(User))) == ("committed: 1 user added", 1)
    assert sentences(found) == [f"committed although the view answered {status}"]


def test_a_returned_error_with_the_default_veto_is_right(default_veto, record):
    def view(request):
        add(request)
        request.dbsession.flush()
        return Response(status=422)

    found = record(view)
    assert (found.sentence, sentences(found)) == ("rolled back: the view answered 422", [])


def test_a_raised_redirect_with_the_default_veto_commits(default_veto, record, rows):
    def view(request):
        add(request)
        raise HTTPSeeOther("/users")

    assert sentences(record(view)) == ["committed although HTTPSeeOther was raised"]
    assert len(rows(User)) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_safe_request_commits(method, record):
    assert sentences(record(add, method)) == [f"committed although the request is a {method}"]


@sqlite_only
def test_a_lock_at_commit_is_not_tried_again(inspected, impatient, record, writer):
    writer.execute("PRAGMA journal_mode = DELETE")
    writer.execute("BEGIN")
    writer.execute("SELECT * FROM users").fetchall()
    found = record(add)
    assert found.sentence == "rolled back: lock that was not free in time"
    assert "not tried again after a lock that was not free in time" in sentences(found)


@postgresql_only
def test_a_serialization_failure_at_commit_is_not_tried_again(record):
    failure = text("DO $$ BEGIN RAISE 'as the test wants' USING ERRCODE = '40001'; END $$")

    def view(request):
        add(request)
        event.listen(request.dbsession, "before_commit", lambda session: session.connection().execute(failure))

    found = record(view)
    assert found.sentence == "rolled back: serialization failure"
    assert sentences(found) == ["not tried again after a serialization failure"]


def test_a_session_without_the_transaction_manager_commits_on_its_own(record, rows):
    def view(request):
        with Session(request.registry["dbsession_factory"].kw["bind"]) as dbsession:
            dbsession.add(User(name="Jane Doe"))
            dbsession.commit()
        raise KeyError

    found = record(view)
    own, raised = sorted(sentences(found), reverse=True)
    assert own.startswith("committed on its own, and not by the transaction manager, in tests/inspector/test_diagnosis")
    assert (raised, len(rows(User))) == ("committed although KeyError was raised", 1)


def test_a_body_that_uses_the_session_leaks_a_connection(record):
    left = []

    def view(request):
        left.append(request.dbsession)

        def body():
            request.dbsession.execute(text("SELECT 1"))
            yield b"never sent"

        return Response(app_iter=body())

    with contextlib.suppress(NoTransaction):
        record(view)
    [sentence] = sentences(record.last())
    assert sentence.startswith("a connection was not returned to its pool, which was taken after the transaction had")
    left[0].close()


def test_a_session_that_is_used_after_its_transaction_leaks_a_connection(record):
    left = []

    def use(request):
        left.append(request.dbsession)
        request.dbsession.execute(text("SELECT 1"))

    def view(request):
        request.add_finished_callback(use)
        request.add_response_callback(lambda request, _response: use(request))

    with contextlib.suppress(Exception):
        record(view)
    found = record.last()
    expected = "a connection was not returned to its pool, which was taken after the transaction had ended, in "
    assert [sentence.startswith(expected) for sentence in sentences(found)] == [True]
    assert len(found.leaked) == 1
    left[0].close()
