"""A write after the answer: the reader never waits for it, and it is dropped if the database is busy."""

import contextlib
import datetime
import http.client
import threading
import time

import pytest
from pyramid.httpexceptions import HTTPForbidden, HTTPNotModified
from pyramid.request import Request
from pyramid.response import Response
from pyramid_retry import RetryableException
from sqlalchemy import insert, select, text, update

from myproject.db.base import utcnow
from myproject.models import SignIn, User
from tests import postgresql_only, sqlite_only

from . import late

pytestmark = pytest.mark.usefixtures("with_places")

SEEN = insert(User).values(name="Seen")
USERS = User.__table__
# Seconds; a transaction that waits for a lock waits that long, on both databases.
LOCK_TIMEOUT = 5
HOUR_AGO = utcnow() - datetime.timedelta(hours=1)


def greet(request):
    """Answer, and write after the answer."""
    request.after_answer(lambda dbsession: dbsession.execute(SEEN))
    return Response("Hello", content_type="text/plain")


def get(wsgi):
    """Return the answer of the WSGI application to a GET, its body not yet sent."""
    return Request.blank("/probe").call_application(wsgi)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_write_after_the_answer_is_committed(method, probe, names):
    probe(greet, method=method, status=200)
    assert names() == ["Seen"]


def test_the_write_happens_after_the_server_has_closed_the_body(wsgi, names):
    wsgi.registry["probe"] = greet
    _status, _headers, body = get(wsgi)
    assert b"".join(body) == b"Hello"
    assert names() == []
    body.close()
    assert names() == ["Seen"]


def test_the_answer_keeps_its_length(probe):
    assert probe(greet, method="GET").headers["Content-Length"] == "5"


def test_a_streamed_body_is_closed_too(wsgi, names):
    closed = []

    def stream():
        try:
            yield b"Hello"
        finally:
            closed.append(names())

    def view(request):
        greet(request)
        return Response(app_iter=stream())

    wsgi.registry["probe"] = view
    _status, headers, body = get(wsgi)
    assert (list(body), "Content-Length" in dict(headers)) == ([b"Hello"], False)
    body.close()
    assert (closed, names()) == ([[]], ["Seen"])


def test_the_client_has_the_whole_answer_before_the_write_begins(wsgi, port, names):
    answered = threading.Event()

    def view(request):
        request.after_answer(lambda dbsession: answered.wait(5) and dbsession.execute(SEEN))
        return "Hello"

    wsgi.registry["probe"] = view
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=2)) as client:
        client.request("GET", "/probe", headers={"Host": "localhost"})
        assert client.getresponse().read() == b"Hello"
        answered.set()
        # The next answer on this connection comes after the write.
        client.request("GET", "/static/site.css", headers={"Host": "localhost"})
        assert client.getresponse().status == 200
    assert names() == ["Seen"]


@pytest.mark.parametrize("answer", [HTTPForbidden(), HTTPNotModified(), late.Forgiven()])
def test_a_request_that_aborts_still_writes_after_its_answer(answer, probe, names):
    def view(request):
        assert request.identity
        request.dbsession.scalar(select(1))
        greet(request)
        raise answer

    probe(view, method="GET", status="*")
    assert names() == ["Seen"]


def test_a_request_that_is_tried_again_writes_once(probe, names):
    attempts = []

    def view(request):
        attempts.append(request)
        answer = greet(request)
        if len(attempts) < 3:
            raise RetryableException
        return answer

    probe(view, status=200)
    assert (len(attempts), names()) == (3, ["Seen"])


def test_several_writes_are_all_committed(probe, names):
    def view(request):
        greet(request)
        return greet(request)

    probe(view, status=200)
    assert names() == ["Seen", "Seen"]


def test_a_defect_in_the_write_is_logged_and_changes_nothing(probe, names, engine, caplog):
    def view(request):
        request.after_answer(lambda dbsession: dbsession.add(User(name="")))
        return "Hello"

    assert probe(view, method="GET", status=200).text == "Hello"
    assert (names(), engine.pool.checkedout()) == ([], 0)
    assert levels(caplog) == ["ERROR"]


def levels(caplog):
    """Return the levels of what after_answer.py has logged."""
    return [record.levelname for record in caplog.records if record.name == "myproject.db.after_answer"]


# Somebody else holds a lock.


def took(work):
    """Return the seconds that `work()` takes."""
    started = time.monotonic()
    work()
    return time.monotonic() - started


@sqlite_only
def test_a_reader_does_not_wait_while_somebody_holds_the_write_lock(probe, writer, names, caplog):
    caplog.set_level("DEBUG", "myproject")
    writer.execute("BEGIN IMMEDIATE")
    assert took(lambda: probe(greet, method="GET", status=200)) < LOCK_TIMEOUT
    writer.rollback()
    assert (names(), levels(caplog)) == ([], ["DEBUG"])


@postgresql_only
def test_a_reader_does_not_wait_while_somebody_holds_the_row(probe, make_user, outside, names, caplog):
    caplog.set_level("DEBUG", "myproject")
    make_user("Jane Doe")

    def view(request):
        request.after_answer(lambda dbsession: dbsession.execute(update(USERS).values(name="Seen")))

    with outside.begin() as connection:
        connection.execute(update(USERS).values(name="Locked"))
        assert took(lambda: probe(view, method="GET", status=200)) < LOCK_TIMEOUT
        connection.rollback()
    assert (names(), levels(caplog)) == (["Jane Doe"], ["DEBUG"])


@sqlite_only
def test_the_next_transaction_on_the_connection_waits_for_locks_again(probe, engine):
    probe(greet, method="GET", status=200)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 5000


@postgresql_only
def test_the_next_transaction_has_the_usual_time_limit_for_locks(probe):
    probe(greet, method="GET", status=200)
    assert probe(lambda request: request.dbsession.scalar(text("SHOW lock_timeout"))).text == "5s"


@pytest.fixture
def seen_at(outside):
    """Call `seen_at()`: when the administrator of the tests was last seen; an hour ago, before the test."""
    with outside.begin() as connection:
        connection.execute(update(SignIn).values(seen_at=HOUR_AGO))

    def read():
        with outside.connect() as connection:
            return connection.scalar(select(SignIn.seen_at))

    return read


@sqlite_only
def test_eight_signed_in_readers_do_not_wait_while_somebody_holds_the_write_lock(app, writer, seen_at):
    writer.execute("BEGIN IMMEDIATE")
    assert took(lambda: [app.get("/users", status=200) for _ in range(8)]) < 8 * LOCK_TIMEOUT / 2
    writer.rollback()
    assert seen_at() == HOUR_AGO


def test_when_somebody_was_last_seen_is_written_if_nobody_holds_the_lock(app, seen_at):
    app.get("/users", status=200)
    assert seen_at() > HOUR_AGO
