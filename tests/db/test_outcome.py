"""`request.outcome`: the sentence that tells what has become of a request's transaction."""

import contextlib

import pytest
from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request
from pyramid.response import Response
from pyramid_retry import RetryableException
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError

from myproject.db.outcome import outcome
from myproject.models import Post, User
from tests import postgresql_only, sqlite_only

from .test_retry import twice_failing


@pytest.fixture
def sentence(probe):
    """Call `sentence(view, method="POST")`: run the view as a page, and return the sentence of its outcome."""
    found = []

    def run(view, method="POST", status="*"):
        def noting(request):
            # The outcome of the last attempt, after all tweens.
            request.add_finished_callback(lambda request: found.append(request.outcome.sentence))
            return view(request)

        probe(noting, method, status=status, expect_errors=True)
        return found[-1]

    return run


def add(request):
    request.dbsession.add(User(name="Jane Doe"))


def test_a_commit_tells_what_it_has_written(sentence):
    assert sentence(add) == "committed: 1 user added"


def test_a_record_is_counted_once_by_what_has_become_of_it(sentence, make_post):
    post = make_post()

    def view(request):
        jane = User(name="Jane Doe")
        gone = User(name="Gone")
        request.dbsession.add_all([jane, gone, User(name="June Doe")])
        request.dbsession.flush()
        jane.age = 31
        request.dbsession.get(User, post.author_id).age = 36
        request.dbsession.flush()
        request.dbsession.delete(gone)
        request.dbsession.delete(request.dbsession.get(Post, post.id))

    assert sentence(view) == "committed: 2 users added, 1 user changed, 1 post deleted"


def test_what_a_savepoint_has_rolled_back_is_not_counted(sentence, make_user):
    john = make_user(age=30)

    def view(request):
        request.dbsession.get(User, john.id).age = 31
        with contextlib.suppress(ValueError), request.dbsession.begin_nested():
            request.dbsession.add(User(name="Jim Doe"))
            with request.dbsession.begin_nested():
                request.dbsession.add(User(name="June Doe"))
            raise ValueError
        with request.dbsession.begin_nested():
            add(request)

    assert sentence(view) == "committed: 1 user changed, 1 user added"


def test_the_receipt_of_a_form_is_not_counted(app, make_user):
    john = make_user()
    form = app.get(f"/users/{john.id}/edit").forms["record"]
    form["age"] = "31"
    assert outcome(form.submit(status=303).request).sentence == "committed: 1 user changed"


def test_a_record_that_was_touched_but_not_changed_is_not_counted(sentence, make_user):
    john = make_user(age=30)

    def view(request):
        request.dbsession.get(User, john.id).age = 30

    assert sentence(view) == "committed"


def test_plain_sql_is_committed_and_not_counted(sentence):
    assert sentence(lambda request: request.dbsession.execute(insert(User).values(name="Jane Doe"))) == "committed"


def test_an_answer_that_is_an_error_rolls_back(sentence):
    def view(request):
        add(request)
        return Response(status=422)

    assert sentence(view) == "rolled back: the view answered 422"


def test_a_header_rolls_back(sentence):
    def view(request):
        add(request)
        return Response(headers={"X-Tm": "abort"})

    assert sentence(view) == "rolled back: the answer has an X-Tm header"


def test_a_doomed_transaction_rolls_back(sentence):
    def view(request):
        add(request)
        request.tm.doom()

    assert sentence(view) == "rolled back: the transaction was doomed"


@pytest.mark.parametrize("error", [KeyError("a value"), HTTPNotFound("a value")])
def test_an_exception_rolls_back_and_is_named_without_its_message(error, sentence):
    def view(request):
        add(request)
        raise error

    assert sentence(view) == f"rolled back: an exception, {type(error).__name__}"


def test_a_view_that_ends_its_thread_rolls_back_and_keeps_no_lock(probe, wsgi, outside):
    found = []

    def view(request):
        request.add_finished_callback(lambda request: found.append(request.outcome.sentence))
        add(request)
        request.dbsession.flush()
        raise SystemExit

    with pytest.raises(SystemExit):
        probe(view)
    assert found == ["rolled back: an exception, SystemExit"]
    assert wsgi.registry["dbsession_factory"].kw["bind"].pool.checkedout() == 0
    with outside.begin() as connection:
        connection.execute(insert(User).values(name="June Doe"))


def test_a_page_that_only_reads_says_so(sentence):
    assert sentence(lambda request: request.dbsession.get(User, 1), "GET") == "read-only"


def test_an_error_of_a_page_that_only_reads_is_told_too(sentence):
    def view(request):
        request.dbsession.get(User, 1)
        raise HTTPNotFound

    assert sentence(view, "GET") == "read-only: an exception, HTTPNotFound"


def test_a_request_that_does_not_use_the_database_says_so(sentence):
    assert sentence(lambda request: "Hello") == "no transaction: the database was not used"


def test_a_commit_after_lost_races_tells_how_many(sentence):
    assert sentence(twice_failing(add)) == "committed on attempt 3 of 5 after a lost race: 1 user added"


def test_the_last_attempt_that_loses_its_race_is_rolled_back(sentence):
    def view(request):
        add(request)
        raise RetryableException

    assert sentence(view) == "rolled back on attempt 5 of 5 after a lost race: lost race"


RAISE = "DO $$ BEGIN RAISE 'as the test wants' USING ERRCODE = '{state}'; END $$"
NAMES = {"40001": "serialization failure", "40P01": "deadlock", "55P03": "lock that was not free in time"}


@postgresql_only
@pytest.mark.parametrize(("state", "name"), NAMES.items())
def test_a_lost_race_is_named(state, name, sentence):
    failures = [RAISE.format(state=state)]

    def view(request):
        add(request)
        if failures:
            request.dbsession.execute(text(failures.pop()))

    assert sentence(view) == f"committed on attempt 2 of 5 after a {name}: 1 user added"


@sqlite_only
@pytest.mark.usefixtures("impatient")
def test_a_lock_that_somebody_keeps_is_named(sentence, writer):
    writer.execute("BEGIN IMMEDIATE")
    name = "lock that was not free in time"
    assert sentence(add) == f"rolled back on attempt 5 of 5 after a {name}: {name}"


@postgresql_only
def test_a_commit_after_a_swallowed_error_is_refused(sentence):
    def view(request):
        add(request)
        request.dbsession.flush()
        with contextlib.suppress(DBAPIError):
            request.dbsession.execute(text("SELECT nothing"))

    assert sentence(view) == "refused: a COMMIT after a swallowed error"


def test_a_commit_of_a_session_that_had_ended_is_refused(sentence):
    def view(request):
        add(request)
        request.dbsession.rollback()

    assert sentence(view) == "refused: a COMMIT of a Session that had ended before"


@postgresql_only
def test_a_connection_that_breaks_during_commit_leaves_the_outcome_unknown(proxy, connected, sentence):
    proxy.lose(b"COMMIT")
    assert sentence(add) == "unknown: the connection broke during COMMIT"


def test_a_request_that_is_refused_before_its_transaction_says_so(wsgi):
    request = Request.blank("/users", headers={"Host": "other.example"})
    request.get_response(wsgi)
    assert outcome(request).sentence == "no transaction: the request was refused before"
