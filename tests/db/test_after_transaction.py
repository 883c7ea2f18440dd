"""`request.after_commit` runs after the commit only; `request.in_own_transaction` writes however the request ends."""

import subprocess
import sys
import textwrap
import time
from threading import Barrier, Thread

import pytest
from pyramid.httpexceptions import HTTPForbidden, HTTPSeeOther
from pyramid.response import Response
from pyramid_retry import RetryableException, mark_error_retryable
from sqlalchemy import insert, select, update
from sqlalchemy.exc import InvalidRequestError
from transaction.interfaces import NoTransaction

from myproject.db.after_transaction import OwnTransactions
from myproject.db.retry import DEFAULT_ATTEMPTS
from myproject.models import Post, User
from tests import sqlite_only
from tests.conftest import finish_writes

from . import late

pytestmark = pytest.mark.usefixtures("with_places")

USERS = User.__table__
JANE = insert(User).values(name="Jane Doe")
DENIED = insert(User).values(name="Denied")


@pytest.fixture
def called():
    """A list to record calls."""
    return []


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    """Attempts follow each other without a wait."""
    monkeypatch.setattr("myproject.db.retry.FIRST_PAUSE_SECONDS", 0)


def returned(status):
    return pytest.param(lambda request: Response(status=status), status, id=f"returned {status}")


def raised(error, status):
    def answer(request):
        raise error

    return pytest.param(answer, status, id=f"raised {type(error).__name__}")


def forbidden(request):
    # Without an identity, the answer would be the sign-in page.
    assert request.identity
    raise HTTPForbidden


def failed_commit(request):
    request.dbsession.add(Post(title="Hello", body="World", author_id=99))


def doomed(request):
    request.tm.doom()


def vetoed(request):
    return Response(headers={"X-Tm": "abort"})


ABORTED = [
    returned(403),
    returned(422),
    returned(500),
    pytest.param(forbidden, 403, id="raised HTTPForbidden"),
    raised(HTTPSeeOther("/users"), 303),
    raised(ValueError(), 500),
    raised(late.Forgiven(), 200),
    pytest.param(failed_commit, 200, id="failed commit"),  # to which `late` answers 200
    pytest.param(doomed, 200, id="doomed"),
    pytest.param(vetoed, 200, id="vetoed"),
]


def test_after_commit_runs_when_the_rows_are_committed(probe, names, called):
    def view(request):
        request.dbsession.execute(JANE)
        request.after_commit(lambda: called.append(names()))
        called.append("view")

    probe(view, status=200)
    assert called == ["view", ["Jane Doe"]]


def test_after_commit_passes_arguments_and_keeps_the_order(probe, called):
    def view(request):
        request.after_commit(called.extend, ["first", "second"])
        request.after_commit(called.append, "third")

    probe(view, status=200)
    assert called == ["first", "second", "third"]


@pytest.mark.parametrize(("answer", "status"), ABORTED)
def test_after_commit_does_not_run_after_an_abort(answer, status, probe, names, called):
    def view(request):
        request.dbsession.execute(JANE)
        request.after_commit(called.append, "mail")
        return answer(request)

    probe(view, status=status)
    assert (called, names()) == ([], [])


def test_after_commit_runs_for_an_error_with_x_tm_commit(probe, called):
    def view(request):
        request.after_commit(called.append, "mail")
        return Response(status=422, headers={"X-Tm": "commit"})

    probe(view, status=422)
    assert called == ["mail"]


def test_after_commit_runs_once_for_a_retried_request(probe, called):
    attempts = []

    def view(request):
        attempts.append(request)
        request.after_commit(called.append, len(attempts))
        if len(attempts) < 3:
            raise RetryableException

    probe(view, status=200)
    assert called == [3]


def test_after_commit_does_not_run_if_every_attempt_fails(probe, called):
    def view(request):
        request.after_commit(called.append, "mail")
        raise RetryableException

    probe(view, status=503)
    assert called == []


def test_an_error_in_after_commit_is_logged_and_changes_nothing(probe, names, called, caplog):
    def view(request):
        request.dbsession.execute(JANE)
        request.after_commit(int, "the mail server is away")
        request.after_commit(called.append, "the next one")
        return HTTPSeeOther("/users")

    probe(view, status=303)
    assert (called, names()) == (["the next one"], ["Jane Doe"])
    assert "the mail server is away" in caplog.text


@pytest.mark.parametrize("used", [False, True])
def test_after_commit_cannot_use_the_session(used, probe, names, called, checkouts):
    def write(request):
        with pytest.raises((InvalidRequestError, NoTransaction, ValueError)):
            request.dbsession.execute(DENIED)
        called.append("refused")

    def view(request):
        if used:
            request.dbsession.execute(JANE)
        request.after_commit(write, request)

    probe(view, status=200)
    assert (called, names(), len(checkouts)) == (["refused"], ["Jane Doe"] * used, used)


@pytest.mark.parametrize("place", [*late.AFTER, late.EXCEPTION_VIEW])
def test_after_commit_is_refused_after_the_transaction(place, probe, places, called):
    def too_late(request):
        with pytest.raises(NoTransaction):
            request.after_commit(called.append, "mail")
        called.append("refused")

    def view(request):
        if place == late.EXCEPTION_VIEW:
            raise late.Forgiven

    places[place] = too_late
    probe(view, status=200)
    assert called == ["refused"]


@pytest.mark.parametrize(("answer", "status"), ABORTED)
def test_a_write_in_its_own_transaction_survives_an_abort(answer, status, probe, names):
    def view(request):
        request.dbsession.execute(JANE)  # and holds SQLite's lock
        request.in_own_transaction(lambda session: session.add(User(name="Denied")))
        return answer(request)

    probe(view, status=status)
    assert names() == ["Denied"]


def test_a_write_in_its_own_transaction_follows_the_request_s_commit(probe, names):
    def view(request):
        request.in_own_transaction(lambda session: session.execute(DENIED))
        request.dbsession.execute(JANE)

    probe(view, status=200)
    assert names() == ["Jane Doe", "Denied"]


def test_a_safe_request_can_write_in_its_own_transaction(probe, names):
    probe(lambda request: request.in_own_transaction(lambda session: session.execute(DENIED)), method="GET", status=200)
    assert names() == ["Denied"]


def test_a_retried_request_writes_in_its_own_transaction_once(probe, names):
    attempts = []

    def view(request):
        attempts.append(request)
        request.dbsession.execute(JANE)
        request.in_own_transaction(lambda session: session.add(User(name=f"Denied {len(attempts)}")))
        if len(attempts) < 3:
            raise RetryableException
        return Response(status=403)

    probe(view, status=403)
    assert names() == ["Denied 3"]


def test_the_last_failed_attempt_writes_in_its_own_transaction(probe, names):
    def view(request):
        request.in_own_transaction(lambda session: session.execute(DENIED))
        raise RetryableException

    probe(view, status=503)
    assert names() == ["Denied"]


def test_a_retried_error_with_a_page_writes_in_its_own_transaction_once(probe, names, places):
    attempts = []

    def view(request):
        attempts.append(request)
        request.in_own_transaction(lambda session: session.execute(DENIED))
        if len(attempts) < 3:
            error = late.Forgiven()
            mark_error_retryable(error)
            raise error

    probe(view, status=200)
    assert (len(attempts), names()) == (3, ["Denied"])


@pytest.mark.parametrize("place", [*late.BEFORE, *late.AFTER, late.EXCEPTION_VIEW])
def test_in_own_transaction_works_outside_the_transaction(place, probe, places, names):
    def view(request):
        request.dbsession.scalar(select(1))
        if place == late.EXCEPTION_VIEW:
            raise late.Forgiven

    places[place] = lambda request: request.in_own_transaction(lambda session: session.execute(DENIED))
    probe(view, status=200)
    assert names() == ["Denied"]


def test_in_own_transaction_works_after_the_commit(probe, names):
    probe(
        lambda request: request.after_commit(request.in_own_transaction, lambda session: session.execute(DENIED)),
        status=200,
    )
    assert names() == ["Denied"]


def test_an_error_in_its_own_transaction_is_logged_and_changes_nothing(probe, names, caplog):
    def view(request):
        request.dbsession.execute(JANE)
        request.in_own_transaction(lambda session: session.add(User(name="")))
        request.in_own_transaction(lambda session: session.execute(DENIED))
        return HTTPSeeOther("/users")

    probe(view, status=303)
    assert names() == ["Jane Doe", "Denied"]
    assert [record.levelname for record in caplog.records if record.name == "myproject.db.after_transaction"] == [
        "ERROR"
    ]


def test_a_failed_write_in_its_own_transaction_is_rolled_back(probe, names):
    def write(session):
        session.execute(DENIED)
        raise ValueError

    probe(lambda request: request.in_own_transaction(write), status=200)
    assert names() == []


def test_a_failed_write_in_its_own_transaction_returns_its_connection(probe, engine):
    def write(session):
        session.execute(DENIED)
        raise ValueError

    probe(lambda request: request.in_own_transaction(write), status=200)
    assert engine.pool.checkedout() == 0


def test_concurrent_writes_in_their_own_transactions_lose_no_update(wsgi, app, make_user, names, monkeypatch):
    monkeypatch.undo()
    make_user("0")
    number, together = select(USERS.c.name).where(USERS.c.id == 1), Barrier(6)

    def count(session):
        session.execute(update(USERS).values(name=str(int(session.scalar(number)) + 1)))

    def view(request):
        request.in_own_transaction(count)
        together.wait(10)
        return Response(status=403)

    wsgi.registry["probe"] = view
    threads = [Thread(target=app.post, args=["/probe"], kwargs={"status": 403}) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names() == ["6"]


@pytest.mark.parametrize(("losses", "tried", "stored"), [(3, 4, ["Denied"]), (100, DEFAULT_ATTEMPTS, [])])
def test_a_write_that_loses_a_race_is_tried_again(losses, tried, stored, probe, wsgi, names, caplog):
    attempts = []

    def write(session):
        session.execute(DENIED)
        attempts.append(session)
        if len(attempts) <= losses:
            raise RetryableException

    probe(lambda request: request.in_own_transaction(write), status=200)
    finish_writes(wsgi)
    assert (len(attempts), names()) == (tried, stored)
    assert ("a write in its own transaction failed" in caplog.text) == (not stored)


@sqlite_only
def test_the_answer_does_not_wait_for_somebody_else_s_lock(probe, wsgi, writer, names):
    writer.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    # A safe request needs no lock itself.
    probe(lambda request: request.in_own_transaction(lambda session: session.execute(DENIED)), method="GET", status=200)
    assert time.monotonic() - started < 2
    assert names() == []
    writer.rollback()
    finish_writes(wsgi)
    assert names() == ["Denied"]


@sqlite_only
def test_all_writes_of_a_request_together_delay_its_answer_by_half_a_second(probe, wsgi, writer, names):
    def view(request):
        for _ in range(6):
            request.in_own_transaction(lambda session: session.execute(DENIED))

    writer.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    probe(view, method="GET", status=200)
    assert time.monotonic() - started < 2
    writer.rollback()
    finish_writes(wsgi)
    assert names() == ["Denied"] * 6


@sqlite_only
def test_writes_that_wait_for_a_lock_are_bounded(probe, wsgi, writer, names, monkeypatch, caplog):
    monkeypatch.setitem(wsgi.registry, "own_transactions", OwnTransactions(longest_queue=2))
    monkeypatch.setattr("myproject.db.after_transaction.LONGEST_ANSWER_DELAY_SECONDS", 0.01)
    writer.execute("BEGIN IMMEDIATE")
    for _ in range(3):
        probe(
            lambda request: request.in_own_transaction(lambda session: session.execute(DENIED)),
            method="GET",
            status=200,
        )
    assert "was dropped: 2 others are waiting" in caplog.text
    writer.rollback()
    finish_writes(wsgi)
    assert names() == ["Denied"] * 2


def test_a_process_that_exits_finishes_the_writes_that_wait(database_url, names):
    code = """
        import sys, time
        from sqlalchemy import insert
        from myproject.db import get_engine, get_session_factory
        from myproject.db import after_transaction
        from myproject.models import User

        def write(dbsession):
            time.sleep(1)
            dbsession.execute(insert(User).values(name="Denied"))

        after_transaction.LONGEST_ANSWER_DELAY_SECONDS = 0.01
        after_transaction.OwnTransactions().run(get_session_factory(get_engine(sys.argv[1])), [write])
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), database_url], check=True, timeout=60)
    assert names() == ["Denied"]
