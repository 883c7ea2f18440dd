"""A connection breaks at the ROLLBACK: another attempt or a 503 page, and what was read is kept."""

import pytest
from pyramid.httpexceptions import HTTPNotFound
from pyramid_retry import RetryableException
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from myproject.db import read_rows, stream_rows
from myproject.models import User
from tests import postgresql_only

pytestmark = [postgresql_only, pytest.mark.usefixtures("proxy", "connected")]

JANE = insert(User).values(name="Jane Doe")
NAMES = select(User.__table__.c.name).where(User.__table__.c.id > 0)


def counted(view):
    """Return a view that writes before `view`, and counts its attempts."""

    def run(request):
        run.attempts += 1
        request.dbsession.execute(JANE)
        return view(request)

    run.attempts = 0
    return run


@counted
def invalid(request):
    request.response.status_int = 422
    return "As it was submitted."


def test_an_answer_that_aborts_is_made_again_by_another_attempt(proxy, probe, names, engine):
    view = counted(invalid)
    proxy.lose(b"ROLLBACK")
    assert probe(view, status=422).text == "As it was submitted."
    assert (view.attempts, names(), engine.pool.checkedout()) == (2, [], 0)


def test_an_invalid_form_is_shown_again_with_its_values(proxy, app, names):
    form = app.get("/users/new").forms["record"]
    form["name"], form["age"] = "Jane Doe", "abc"
    # Three connections, since the page reads in transactions of its own before.
    proxy.lose(b"ROLLBACK", times=3)
    page = form.submit(status=422)
    assert (page.forms["record"]["name"].value, proxy.left, names()) == ("Jane Doe", 0, [])


def test_without_a_server_an_answer_that_aborts_becomes_503(proxy, probe, names, engine):
    def view(request):
        proxy.refuse()
        return invalid(request)

    proxy.lose(b"ROLLBACK")
    probe(view, status=503).mustcontain("The database is not available", "Nothing was saved.")
    assert (names(), engine.pool.checkedout()) == ([], 0)


def test_the_last_attempt_is_answered_by_503(proxy, probe, names):
    view = counted(invalid)
    proxy.lose(b"ROLLBACK", times=99)
    probe(view, status=503)
    assert (view.attempts, names()) == (5, [])


@pytest.mark.parametrize(("error", "status"), [(HTTPNotFound, 404), (ValueError, 500)])
def test_a_view_that_raises_is_answered_by_the_page_of_its_error(error, status, proxy, probe, names):
    @counted
    def view(request):
        raise error

    proxy.lose(b"ROLLBACK")
    probe(view, status=status)
    assert (view.attempts, names()) == (1, [])


def test_an_attempt_that_is_rolled_back_in_vain_is_tried_again(proxy, probe, names):
    @counted
    def view(request):
        if view.attempts == 1:
            raise RetryableException

    proxy.lose(b"ROLLBACK")
    probe(view, status=200)
    assert (view.attempts, names()) == (2, ["Jane Doe"])


def test_an_attempt_that_is_rolled_back_to_a_savepoint_in_vain_is_tried_again(proxy, probe, names):
    @counted
    def view(request):
        try:
            with request.dbsession.begin_nested():
                request.dbsession.execute(insert(User).values(name="Too old", age=151 if view.attempts == 1 else 1))
        except IntegrityError:
            request.response.status_int = 422

    proxy.lose(b"ROLLBACK TO")
    probe(view, status=200)
    assert (view.attempts, names()) == (2, ["Jane Doe", "Too old"])


def test_a_page_that_was_read_is_answered(proxy, probe, make_user, engine):
    make_user("Jane Doe")
    attempts = []

    def view(request):
        attempts.append(request)
        return str(request.dbsession.scalars(NAMES).all())

    proxy.lose(b"ROLLBACK", times=99)
    assert probe(view, method="GET").text == "['Jane Doe']"
    assert (len(attempts), engine.pool.checkedout()) == (1, 0)


def test_rows_that_were_read_are_returned(proxy, wsgi, make_user):
    for number in range(5):
        make_user(f"User {number}")
    factory = wsgi.registry["dbsession_factory"]
    proxy.lose(b"ROLLBACK", times=99)
    streamed = list(stream_rows(factory, NAMES, [User.__table__.c.id], size=2))
    assert read_rows(factory, NAMES) == streamed == [(f"User {number}",) for number in range(5)]


def test_a_write_in_its_own_transaction_is_tried_again(proxy, probe, names):
    calls = []

    def write(dbsession):
        calls.append(dbsession.execute(JANE))
        if len(calls) == 1:
            raise RetryableException

    proxy.lose(b"ROLLBACK")
    probe(lambda request: request.in_own_transaction(write), status=200)
    assert (len(calls), names()) == (2, ["Jane Doe"])


def test_a_write_after_the_answer_leaves_no_connection(proxy, probe, names, engine):
    def write(dbsession):
        dbsession.execute(JANE)
        raise ValueError

    proxy.lose(b"ROLLBACK")
    probe(lambda request: request.after_answer(write), status=200)
    assert (names(), engine.pool.checkedout()) == ([], 0)
