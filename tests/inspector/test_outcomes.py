"""The record of a request of this application: for each outcome, its sentence and what has happened."""

import contextlib

from pyramid.response import Response
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from myproject.inspector.events import BEGIN, COMMIT, ENDED, ERROR, HOOK, RETURNED, ROLLBACK, TAKEN
from myproject.models import User
from tests import postgresql_only
from tests.db.test_retry import twice_failing

JANE = insert(User.__table__).values(name="Jane Doe")
SERIALIZATION_FAILURE = text("DO $$ BEGIN RAISE 'as the test wants' USING ERRCODE = '40001'; END $$")


def add(request):
    request.dbsession.add(User(name="Jane Doe"))


def kinds(record, *wanted):
    return [event.kind for event in record.events if event.kind in wanted]


def of_database(record):
    """Return what happened to the connections and transactions of the database."""
    return kinds(record, TAKEN, BEGIN, COMMIT, ROLLBACK, RETURNED)


def test_committed(record):
    found = record(add)
    assert (found.kind, found.sentence) == ("committed", "committed: 1 user added")
    assert of_database(found) == [TAKEN, BEGIN, COMMIT, RETURNED]
    assert (found.commits, found.status, found.diagnoses, found.leaked) == (1, 200, (), [])
    [insert] = [statement for statement in found.statements if statement.text.startswith("INSERT INTO users")]
    assert (insert.is_write, insert.place) == (True, "")  # The flush of the commit: no line of a view.


def test_an_error_of_the_form(record):
    def view(request):
        add(request)
        request.dbsession.flush()
        return Response(status=422)

    found = record(view)
    assert (found.kind, found.sentence) == ("rolled back", "rolled back: the view answered 422")
    assert of_database(found) == [TAKEN, BEGIN, ROLLBACK, RETURNED]
    assert found.summary.endswith(" statements, rolled back")
    assert [event.text for event in found.events if event.kind == ENDED] == ["aborted"]


def test_an_exception(record):
    def view(request):
        request.dbsession.execute(JANE)
        raise KeyError("a value")

    found = record(view)
    assert found.sentence == "rolled back: an exception, KeyError"
    assert (found.attempt.error, found.attempt.status) == ("KeyError", 500)
    assert [event.text for event in found.events if event.kind == ERROR] == ["KeyError: 'a value'"]


def test_read_only(record):
    found = record(lambda request: str(request.dbsession.get(User, 7)), "GET")
    assert (found.kind, found.sentence, found.summary) == ("read-only", "read-only", "1 statement, read-only")
    assert of_database(found) == [TAKEN, BEGIN, ROLLBACK, RETURNED]


def test_unused(record):
    found = record(lambda request: "Hello")
    assert (found.kind, found.sentence) == ("unused", "no transaction: the database was not used")
    assert (of_database(found), found.summary) == ([], "no statements")


def test_the_third_attempt_after_lost_races(record):
    found = record(twice_failing(add))
    assert found.sentence == "committed on attempt 3 of 5 after a lost race: 1 user added"
    assert [(attempt.number, attempt.error) for attempt in found.attempts] == [
        (1, "lost race"),
        (2, "lost race"),
        (3, ""),
    ]
    assert (found.commits, kinds(found, ERROR, COMMIT)) == (1, [ERROR, ERROR, COMMIT])


@postgresql_only
def test_the_second_attempt_after_a_serialization_failure(record):
    failures = [SERIALIZATION_FAILURE]

    def view(request):
        add(request)
        if failures:
            request.dbsession.execute(failures.pop())

    found = record(view)
    assert found.sentence == "committed on attempt 2 of 5 after a serialization failure: 1 user added"
    [failed] = [statement for statement in found.statements if statement.error]
    assert (failed.attempt, failed.error) == (1, "SerializationFailure: as the test wants")
    assert of_database(found) == [TAKEN, BEGIN, ROLLBACK, RETURNED, TAKEN, BEGIN, COMMIT, RETURNED]


@postgresql_only
def test_a_commit_that_is_refused(record):
    def view(request):
        request.dbsession.execute(JANE)
        with contextlib.suppress(DBAPIError):
            request.dbsession.execute(text("SELECT nothing"))

    found = record(view)
    assert (found.kind, found.sentence) == ("refused", "refused: a COMMIT after a swallowed error")
    [commit] = [event for event in found.events if event.kind == COMMIT]
    assert commit.error == "a statement has failed before, so the database answers COMMIT by a ROLLBACK"
    assert (found.commits, found.summary.rpartition(", ")[2]) == (0, "rolled back")


def test_a_commit_of_the_view_is_refused_before_it_is_sent(record, rows):
    def view(request):
        request.dbsession.execute(JANE)
        request.dbsession.connection().commit()

    found = record(view)
    [commit] = [event for event in found.events if event.kind == COMMIT]
    assert (commit.error, found.commits) == ("refused before it was sent", 0)
    assert rows(User) == []


def test_a_savepoint_that_is_rolled_back_before_a_commit(record, make_user):
    make_user(email="jane@example.com")

    def view(request):
        with contextlib.suppress(IntegrityError), request.dbsession.begin_nested():
            request.dbsession.execute(JANE.values(email="jane@example.com"))
        request.dbsession.execute(JANE)

    found = record(view)
    assert (found.sentence, found.commits) == ("committed", 1)
    words = ("SAVEPOINT", "INSERT INTO users", "ROLLBACK TO")
    steps = [(e.text.split(" sa_")[0].split(" (")[0], e.depth) for e in found.events if e.text.startswith(words)]
    assert steps == [("SAVEPOINT", 0), ("INSERT INTO users", 1), ("ROLLBACK TO SAVEPOINT", 0), ("INSERT INTO users", 0)]


def test_a_doomed_transaction(record):
    def view(request):
        add(request)
        request.tm.doom()

    assert record(view).sentence == "rolled back: the transaction was doomed"


def test_a_header_that_aborts(record):
    def view(request):
        request.dbsession.execute(JANE)
        return Response(headers={"X-Tm": "abort"})

    assert record(view).sentence == "rolled back: the answer has an X-Tm header"


def test_a_header_that_commits_an_error(record):
    def view(request):
        add(request)
        return Response(status=422, headers={"X-Tm": "commit"})

    assert record(view).sentence == "committed: 1 user added"


@postgresql_only
def test_a_connection_that_breaks_during_commit(inspected, proxy, connected, record):
    def view(request):
        add(request)
        proxy.lose(b"COMMIT")

    found = record(view)
    assert (found.kind, found.sentence) == ("unknown", "unknown: the connection broke during COMMIT")
    [commit] = [event for event in found.events if event.kind == COMMIT]
    assert commit.error.startswith("OperationalError: ")


def test_work_after_the_commit(record, rows):
    def remind(name):
        return None

    def _remind(name):
        return None

    def view(request):
        add(request)
        request.after_commit(remind, "Jane Doe")
        request.after_commit(_remind, "Jane Doe")
        request.in_own_transaction(lambda dbsession: dbsession.execute(JANE))
        request.after_answer(lambda dbsession: dbsession.execute(JANE))

    found = record(view)
    assert [event.text.rpartition(".")[2] for event in found.events if event.kind == HOOK] == ["remind", "_remind"]
    assert (found.commits, len(found.connections), len(rows(User))) == (3, 3, 3)
    assert of_database(found) == [TAKEN, BEGIN, COMMIT, RETURNED] * 3


def test_a_streamed_body_belongs_to_its_request(record, make_user):
    make_user()

    def view(request):
        def body():
            with request.registry["dbsession_factory"].kw["bind"].connect() as connection:
                yield str(connection.scalar(text("SELECT name FROM users WHERE id = 1"))).encode()

        return Response(app_iter=body(), content_length=8)

    found = record(view, "GET")
    assert (found.sql, found.leaked) == (["SELECT name FROM users WHERE id = 1"], [])
