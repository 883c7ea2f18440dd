"""A request that lost a race is tried again, after growing waits, and each attempt starts from the beginning."""

import random
import sqlite3
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
import transaction
from pyramid.httpexceptions import HTTPSeeOther
from pyramid.request import Request
from pyramid.response import Response
from pyramid_retry import IBeforeRetry, RetryableException
from sqlalchemy import event, insert, select, text, update
from transaction.interfaces import TransientError
from translationstring import TranslationString

from myproject.db import get_session_factory, get_tm_session
from myproject.db.retry import try_again
from myproject.models import User
from myproject.web.flash import flash

from .increments import USERS, increment, post

JANE = insert(User).values(name="Jane Doe")
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


class Waits(list):
    """The waits in seconds, which take no time; `waits.then[number]()` is called during that wait."""

    def __init__(self):
        self.then = {}

    def wait(self, seconds):
        self.append(seconds)
        self.then.get(len(self), lambda: None)()


@pytest.fixture
def waits(monkeypatch):
    """The waits, each of its greatest length; the clock advances by them alone, however busy the machine is."""
    waits, started = Waits(), time.monotonic()
    monkeypatch.setattr(random, "uniform", lambda shortest, longest: longest)
    monkeypatch.setattr(time, "sleep", waits.wait)
    monkeypatch.setattr(time, "monotonic", lambda: started + sum(waits))
    return waits


def add_jane(request):
    request.dbsession.add(User(name="Jane Doe"))
    request.dbsession.flush()


def fail_always(request):
    raise RetryableException


def twice_failing(view, error=RetryableException):
    """Return a view that calls `view` and fails in its first two attempts; `.attempts` counts them."""

    def run(request):
        run.attempts += 1
        answer = view(request)
        if run.attempts < 3:
            raise error
        return answer

    run.attempts = 0
    return run


# SQLite: somebody else holds the lock.


@SQLITE
@pytest.mark.usefixtures("impatient")
def test_a_request_waits_for_the_lock_and_is_written_once(probe, writer, waits, names):
    writer.execute("BEGIN IMMEDIATE")
    waits.then[2] = writer.rollback
    probe(add_jane, status=200)
    assert (waits, names()) == ([0.02, 0.04], ["Jane Doe"])


@SQLITE
@pytest.mark.usefixtures("impatient")
def test_the_last_attempt_is_answered_by_503_and_nothing_is_written(probe, writer, waits, names):
    writer.execute("BEGIN IMMEDIATE")
    page = probe(add_jane, status=503)
    page.mustcontain("</html>", no=["Traceback", "locked", "sqlite"])
    assert (len(waits), names()) == (4, [])


@SQLITE
@pytest.mark.usefixtures("impatient")
def test_a_request_that_never_got_the_lock_does_not_affect_the_next(probe, writer, waits, names):
    writer.execute("BEGIN IMMEDIATE")
    probe(add_jane, status=503)
    writer.rollback()
    probe(lambda request: request.dbsession.add(User(name="Jim Doe")), status=200)
    assert names() == ["Jim Doe"]


@SQLITE
def test_a_busy_commit_is_retried(probe, reader, waits, names):
    waits.then[2] = reader.rollback
    probe(add_jane, status=200)
    assert (len(waits), names()) == (2, ["Jane Doe"])


@SQLITE
def test_rows_of_a_commit_that_stays_busy_are_not_committed_by_the_next_request(probe, reader, waits, names):
    probe(add_jane, status=503)
    reader.rollback()
    probe(lambda request: request.dbsession.add(User(name="Jim Doe")), status=200)
    assert (len(waits), names()) == (4, ["Jim Doe"])


# PostgreSQL: a concurrent transaction makes a statement or the COMMIT fail.


@pytest.fixture
def fail(outside):
    """Call `fail(sqlstate, when, times)`: the server fails the first `times` INSERTs, in the statement or at COMMIT."""

    def install(sqlstate, when, times=2):
        with outside.begin() as connection:
            connection.execute(text("CREATE SEQUENCE failures"))
            connection.execute(text(FAIL.format(times=times, sqlstate=sqlstate)))
            connection.execute(text(TRIGGER.format(when=when)))

    return install


FAIL = """
    CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('failures') <= {times} THEN RAISE 'as the test wants' USING ERRCODE = '{sqlstate}'; END IF;
        RETURN NULL;
    END $$"""
TRIGGER = """
    CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON users DEFERRABLE INITIALLY {when}
    FOR EACH ROW EXECUTE FUNCTION fail()"""
IN_THE_STATEMENT, AT_COMMIT = "IMMEDIATE", "DEFERRED"


@POSTGRESQL
@pytest.mark.parametrize("when", [IN_THE_STATEMENT, AT_COMMIT])
@pytest.mark.parametrize("sqlstate", ["40001", "40P01", "55P03"])  # serialization failure, deadlock, lock timeout
def test_a_conflict_with_another_transaction_is_retried(sqlstate, when, fail, probe, waits, names):
    fail(sqlstate, when)
    probe(add_jane, status=200)
    assert (waits, names()) == ([0.02, 0.04], ["Jane Doe"])


@POSTGRESQL
@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
def test_stock_does_not_retry_a_failed_commit(stock, sqlstate, fail, probe, names):
    fail(sqlstate, AT_COMMIT)
    probe(add_jane, status=500)
    assert names() == []


@POSTGRESQL
@pytest.mark.parametrize("when", [IN_THE_STATEMENT, AT_COMMIT])
@pytest.mark.parametrize("sqlstate", ["23505", "22012", "42501", "P0001"])
def test_an_error_that_is_no_conflict_is_not_retried(sqlstate, when, fail, probe, waits, names):
    fail(sqlstate, when)
    probe(add_jane, status=500)
    assert (waits, names()) == ([], [])


@POSTGRESQL
@pytest.mark.parametrize("when", [IN_THE_STATEMENT, AT_COMMIT])
def test_a_request_whose_attempts_all_fail_is_answered_by_503_and_logged_once(when, fail, probe, waits, names, caplog):
    fail("40001", when, times=99)
    page = probe(add_jane, status=503)
    page.mustcontain("The database is not available", "</html>")
    assert (page.headers["Retry-After"], len(waits), names()) == ("5", 4, [])
    assert len(errors(caplog)) == 1


@POSTGRESQL
@pytest.mark.usefixtures("nobody")
def test_a_serialization_failure_is_retried_on_the_new_snapshot(probe, outside, waits, names):
    counts = []

    def view(request):
        counts.append(len(request.dbsession.scalars(select(User)).all()))
        add_jane(request)
        if len(counts) == 1:
            serializable = outside.execution_options(isolation_level="SERIALIZABLE")
            with serializable.begin() as other:
                other.execute(select(User.__table__)).all()
                other.execute(insert(User.__table__).values(name="Jim Doe"))

    probe(view, status=200)
    assert (counts, len(waits), sorted(names())) == ([0, 1], 1, ["Jane Doe", "Jim Doe"])


@POSTGRESQL
def test_both_requests_of_a_deadlock_are_committed(outside, wsgi, make_user, names):
    make_user("Jane"), make_user("Jim")
    with outside.begin() as connection:
        connection.execute(text(f"ALTER DATABASE {outside.url.database} SET deadlock_timeout = '50ms'"))
    both, tried = threading.Barrier(2), Counter()

    def view(request):
        order = request.GET["order"]
        tried[order] += 1
        for number, id in enumerate(order):
            request.dbsession.execute(update(USERS).where(USERS.c.id == int(id)).values(name=USERS.c.name + "!"))
            if number == 0 and tried[order] == 1:
                both.wait(5)

    wsgi.registry["probe"] = view
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda order: respond(wsgi, f"/probe?order={order}"), ["12", "21"]))
    assert (answers, sum(tried.values()) > 2, sorted(names())) == ([200, 200], True, ["Jane!!", "Jim!!"])


# Both databases: many requests at once.


@pytest.fixture
def as_installed(settings):
    """The default number of attempts."""
    del settings["retry.attempts"]


@pytest.mark.usefixtures("as_installed")
def test_200_read_then_write_posts_from_16_threads_are_all_acknowledged_and_counted(request, make_user, names):
    make_user("0")
    wsgi = request.getfixturevalue("wsgi")
    wsgi.registry["probe"] = increment
    assert Counter(post(wsgi, times=200, threads=16)) == {200: 200}
    assert names() == ["200"]


@pytest.mark.usefixtures("as_installed")
def test_of_30_forms_with_the_same_email_one_is_saved_and_29_are_answered_422(request, rows):
    wsgi, send = request.getfixturevalue("wsgi"), request.getfixturevalue("send_user")
    with ThreadPoolExecutor(15) as pool:
        answers = list(pool.map(lambda number: send(wsgi, f"Jane {number}", "jane@example.com"), range(30)))
    assert Counter(answer.status_int for answer in answers) == {303: 1, 422: 29}
    assert all("Another user already has this address" in answer.text for answer in answers if answer.status_int == 422)
    assert [user.email for user in rows(User)] == ["jane@example.com"]


@pytest.mark.usefixtures("as_installed")
def test_40_of_40_writers_among_readers_are_acknowledged(request, make_user, rows):
    make_user("Jane Doe")
    wsgi, app, send = (request.getfixturevalue(name) for name in ("wsgi", "app", "send_user"))

    def visit(number):
        return app.get("/users", status="*").status_int if number % 2 else send(wsgi, f"Writer {number}").status_int

    with ThreadPoolExecutor(12) as pool:
        assert Counter(pool.map(visit, range(80))) == {200: 40, 303: 40}
    assert len(rows(User)) == 41


@pytest.fixture
def send_user(app):
    """Call `send_user(wsgi, name, email)`: send the form for a new user, with a token of its own."""
    form = app.get("/users/new").forms["record"]
    cookie = "; ".join(f"{name}={value}" for name, value in app.cookies.items())

    def send(wsgi, name, email=""):
        fields = {**dict(form.submit_fields()), "name": name, "email": email, "form_token": uuid.uuid4().hex}
        return Request.blank("/users/new", headers={"Cookie": cookie}, POST=fields).get_response(wsgi)

    return send


def respond(wsgi, path, method="POST"):
    return Request.blank(path, method=method).get_response(wsgi).status_int


# What an attempt reads, and what it leaves behind.


@pytest.mark.usefixtures("nobody")
def test_an_attempt_does_not_see_the_writes_of_the_one_before(probe, waits, names):
    seen = []

    def view(request):
        seen.append(request.dbsession.scalars(select(User.name)).all())
        request.dbsession.execute(JANE)

    probe(twice_failing(view), status=200)
    assert (seen, names()) == ([[], [], []], ["Jane Doe"])


def test_each_attempt_reads_the_same_form(probe, waits):
    seen = []
    body = b"name=" + b"Jane" * 100_000
    view = twice_failing(lambda request: seen.append(request.POST["name"]))
    probe(view, body=body, content_type="application/x-www-form-urlencoded", status=200)
    assert seen == ["Jane" * 100_000] * 3


@pytest.mark.parametrize("stream", ["body_file", "body_file_raw"])
def test_each_attempt_reads_the_body_from_its_beginning(stream, probe, waits):
    seen = []
    view = twice_failing(lambda request: seen.append(getattr(request, stream).read()))
    probe(view, method="PUT", body=b"Jane" * 100_000, content_type="text/plain", status=200)
    assert seen == [b"Jane" * 100_000] * 3


def upload(app, probe):
    """Return what each of three attempts reads from the same uploaded file."""
    seen = []
    view = twice_failing(lambda request: seen.append(request.POST["file"].file.read()))
    content_type, body = app.encode_multipart([], [("file", "users.csv", b"Jane" * 50_000)])
    # With PUT, because a POST of a file is refused.
    probe(view, method="PUT", body=body, content_type=content_type, status=200)
    return seen


def test_each_attempt_reads_the_same_upload(app, probe, waits):
    assert upload(app, probe) == [b"Jane" * 50_000] * 3


def test_stock_reads_nothing_of_an_upload_in_the_second_attempt(stock, app, probe):
    assert upload(app, probe) == [b"Jane" * 50_000, b"", b""]


def test_after_commit_runs_once(probe, waits):
    sent = []
    probe(twice_failing(lambda request: request.after_commit(sent.append, "a mail")), status=200)
    assert sent == ["a mail"]


def test_after_commit_does_not_run_if_no_attempt_succeeds(probe, waits):
    sent = []

    def view(request):
        request.after_commit(sent.append, "a mail")
        raise RetryableException

    probe(view, status=503)
    assert sent == []


def test_the_flash_message_of_a_failed_attempt_is_not_shown(app, probe, waits):
    @twice_failing
    def view(request):
        flash(request, TranslationString(f"Attempt {view.attempts}"))
        return HTTPSeeOther("/users")

    probe(view, status=303)
    app.get("/users").mustcontain("Attempt 3", no=["Attempt 1", "Attempt 2"])


# The number of attempts, the waits, and the answer after the last one.


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_the_setting_bounds_the_attempts(attempts, settings, waits, request):
    settings["retry.attempts"] = str(attempts)
    seen = []

    def view(request):
        seen.append(request)
        raise RetryableException

    request.getfixturevalue("probe")(view, status=503)
    assert (len(seen), len(waits)) == (attempts, attempts - 1)


def test_the_waits_grow_and_are_bounded(settings, waits, request):
    settings["retry.attempts"] = "10"
    request.getfixturevalue("probe")(fail_always, status=503)
    assert waits == pytest.approx([0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1, 1, 1])


def test_the_waits_are_random_from_zero(waits, probe, monkeypatch):
    drawn = []
    monkeypatch.setattr(random, "uniform", lambda *bounds: drawn.append(bounds) or 0.001)
    probe(fail_always, status=503)
    assert (drawn, waits) == ([(0, 0.02), (0, 0.04), (0, 0.08), (0, 0.16)], [0.001] * 4)


def test_stock_does_not_wait(stock, waits, probe):
    probe(fail_always, status="5*")
    assert waits == []


def test_no_attempt_begins_after_the_deadline(settings, waits, request):
    settings |= {"retry.attempts": "100", "retry.longest_wait": "2"}
    page = request.getfixturevalue("probe")(fail_always, status=503)
    page.mustcontain("Try again in a moment.", "</html>")
    assert page.headers["Retry-After"] == "5"
    assert waits == pytest.approx([0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1])


@POSTGRESQL
def test_no_attempt_begins_after_the_deadline_if_commits_fail(settings, waits, fail, request, names):
    settings |= {"retry.attempts": "100", "retry.longest_wait": "2"}
    fail("40001", AT_COMMIT, times=99)
    request.getfixturevalue("probe")(add_jane, status=503)
    assert (len(waits), names()) == (7, [])


def errors(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "myproject.web.errors"]


def test_a_retried_attempt_is_not_logged_as_an_error(probe, waits, caplog):
    probe(twice_failing(add_jane), status=200)
    assert errors(caplog) == []


def test_the_last_attempt_is_logged_as_one_error_with_the_request_s_id(probe, waits, caplog, log_lines):

    def view(request):
        raise RetryableException

    request_id = probe(view, status=503).headers["X-Request-Id"]
    line = "POST /probe: the database is unavailable: RetryableException"
    assert errors(caplog) == [line]
    assert f"request {request_id}: {line}" in log_lines()


@pytest.mark.parametrize("error", [ValueError, sqlite3.IntegrityError, sqlite3.OperationalError, psycopg.Error])
def test_an_error_raised_by_a_view_is_not_retried(error, probe, waits):
    def view(request):
        raise error

    probe(view, status=500)
    assert waits == []


def test_a_value_that_the_table_refuses_is_not_retried(probe, waits):
    probe(lambda request: request.dbsession.add(User(name="")), status=500)
    assert waits == []


# Promises of pyramid_retry, pyramid_tm and zope.sqlalchemy.


@pytest.mark.parametrize("error", [TransientError, RetryableException])
def test_an_error_marked_as_transient_is_retried(error, probe, waits, names):
    view = twice_failing(add_jane, error)
    probe(view, status=200)
    assert (view.attempts, names()) == (3, ["Jane Doe"])


def test_each_further_attempt_is_announced(wsgi, probe, waits):
    announced = []
    wsgi.registry.registerHandler(lambda retry: announced.append(type(retry.exception)), [IBeforeRetry])
    probe(twice_failing(add_jane, TransientError), status=200)
    assert announced == [TransientError, TransientError]


def test_a_doomed_attempt_is_not_tried_again(probe, waits, names):
    def view(request):
        add_jane(request)
        request.tm.doom()

    probe(view, status=200)
    assert (waits, names()) == ([], [])


@pytest.mark.parametrize("status", [409, 503])
def test_an_answer_that_aborts_is_not_tried_again(status, probe, waits, names):
    def view(request):
        add_jane(request)
        return Response(status=status)

    probe(view, status=status)
    assert (waits, names()) == ([], [])


class Voter:
    """Another data manager of the transaction, whose first `no` votes fail."""

    transaction_manager = None

    def __init__(self, key, no=0, error=ValueError):
        self.key, self.no, self.error, self.calls = key, no, error, []

    def sortKey(self):
        return self.key

    def tpc_vote(self, _transaction):
        self.calls.append("vote")
        if self.calls.count("vote") <= self.no:
            raise self.error

    def tpc_finish(self, _transaction):
        self.calls.append("finish")

    def ignore(self, _transaction):
        """Do nothing at this step."""

    abort = tpc_begin = commit = tpc_abort = ignore


def joined_by(voter):
    def view(request):
        add_jane(request)
        request.tm.get().join(voter)

    return view


# The second key sorts after zope.sqlalchemy's own.
KEYS = ["a", "~~~"]


@pytest.mark.parametrize("key", KEYS)
def test_a_no_vote_of_another_data_manager_aborts(key, probe, names):
    probe(joined_by(Voter(key, no=1)), status=500)
    assert names() == []


@pytest.mark.parametrize("key", KEYS)
def test_a_transient_no_vote_of_another_data_manager_is_retried(key, probe, waits, names):
    voter = Voter(key, no=2, error=TransientError)
    probe(joined_by(voter), status=200)
    assert (voter.calls, names()) == (["vote", "vote", "vote", "finish"], ["Jane Doe"])


def test_stock_commits_in_spite_of_a_no_vote(stock, probe, names):
    probe(joined_by(Voter("~~~", no=1)), status=500)
    assert names() == ["Jane Doe"]


@pytest.mark.parametrize("key", KEYS)
def test_another_data_manager_does_not_finish_if_the_database_refuses(key, probe, names):
    voter = Voter(key)

    def view(request):
        request.tm.get().join(voter)
        request.dbsession.add(User(name=""))

    probe(view, status=500)
    assert ("finish" in voter.calls, names()) == (False, [])


def test_a_transaction_manager_outside_requests_retries_too(engine, names):
    factory, tm, tries = get_session_factory(engine), transaction.TransactionManager(explicit=True), []

    def work():
        tries.append(1)
        get_tm_session(factory, tm).execute(JANE)
        if len(tries) < 3:
            raise TransientError

    tm.run(work, tries=5)
    assert (len(tries), names()) == (3, ["Jane Doe"])


@pytest.fixture
def reader(engine, impatient):
    """A long read of a database without WAL: nobody can commit until `reader.rollback()`."""

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


@pytest.mark.parametrize(("error", "attempts"), [(RetryableException, [1, 2, 3]), (ValueError, [1])])
def test_work_without_a_request_is_tried_again_after_a_lost_race_only(error, attempts, monkeypatch):
    seen, pauses = [], []
    monkeypatch.setattr("myproject.db.retry.pause", pauses.append)

    def work(attempt):
        seen.append(attempt)
        raise error()

    with pytest.raises(error):
        try_again(work, 3)
    assert (seen, len(pauses)) == (attempts, len(attempts) - 1)


def test_work_that_has_won_its_race_is_done_once(monkeypatch):
    seen = []
    monkeypatch.setattr("myproject.db.retry.pause", seen.append)
    try_again(lambda attempt: seen.append(f"attempt {attempt}"))
    assert seen == ["attempt 1"]
