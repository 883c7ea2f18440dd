"""The Session is made on first use, belongs to the request's transaction, and refuses to be used outside it."""

import contextlib
import threading

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import InvalidRequestError
from transaction.interfaces import NoTransaction
from zope.sqlalchemy import mark_changed

from myproject.models import User

from . import late

pytestmark = pytest.mark.usefixtures("with_places")

JANE = insert(User).values(name="Jane Doe")
REFUSALS = (InvalidRequestError, NoTransaction)


def within_a_savepoint(session):
    with session.begin_nested():
        session.execute(JANE)


def after_begin(session):
    session.begin()
    session.execute(JANE)


USES = [
    pytest.param(lambda session: session.add(User(name="Jane Doe")), id="add"),
    pytest.param(lambda session: session.execute(JANE), id="execute"),
    pytest.param(lambda session: session.scalars(select(User)).all(), id="read"),
    pytest.param(lambda session: session.connection(), id="connection"),
    pytest.param(lambda session: session.bulk_save_objects([User(name="Jane Doe")]), id="bulk"),
    pytest.param(within_a_savepoint, id="begin_nested"),
    pytest.param(after_begin, id="begin"),
]


def test_a_request_that_never_uses_dbsession_takes_no_connection(probe, checkouts):
    probe(lambda request: "Hello", status=200)
    assert checkouts == []


def test_an_unused_session_takes_no_connection(probe, checkouts):
    probe(lambda request: str(request.dbsession), status=200)
    assert checkouts == []


@pytest.mark.parametrize("path", ["/static/site.css", "/nowhere"])
def test_a_public_page_without_rows_takes_no_connection(path, app, checkouts):
    app.get(path, status="*")
    assert checkouts == []


@pytest.mark.parametrize("path", ["/users", "/users/1", "/users/new", "/users/0", "/posts/new", "/overview"])
def test_the_redirect_to_the_sign_in_page_takes_no_connection(path, stranger, checkouts):
    stranger.get(path, status=303)
    assert checkouts == []


@pytest.mark.parametrize("path", ["/users/new", "/users/0"])
def test_a_page_without_rows_makes_one_query_for_the_identity(path, app, recorded):
    with recorded() as record:
        app.get(path, status="*")
    assert (record.summary, len(record.connections)) == ("1 statement, read-only", 1)
    assert "FROM users JOIN sign_ins" in record.sql[0]


def test_a_request_takes_one_connection_and_returns_it(probe, checkouts, engine):
    def view(request):
        request.dbsession.execute(JANE)
        request.dbsession.scalars(select(User)).all()

    probe(view, status=200)
    assert (len(checkouts), engine.pool.checkedout()) == (1, 0)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
def test_a_safe_request_cannot_write(method, probe, names):
    probe(lambda request: request.dbsession.execute(JANE), method=method, status=500)
    assert names() == []


@pytest.mark.parametrize("place", late.BEFORE)
def test_dbsession_is_refused_before_the_transaction(place, probe, places, checkouts, names):
    refused = []

    def touch(request):
        with pytest.raises(NoTransaction):
            request.dbsession.execute(JANE)
        refused.append(place)

    places[place] = touch
    probe(lambda request: "Hello", status=200)
    assert (refused, checkouts, names()) == ([place], [], [])


@pytest.mark.parametrize("place", late.AFTER)
def test_dbsession_is_refused_after_the_transaction(place, probe, places, checkouts, names):
    places[place] = lambda request: request.dbsession.execute(JANE)
    # An exception below the exception views becomes a page; others reach the server.
    with contextlib.suppress(NoTransaction):
        probe(lambda request: "Hello", status=500)
    assert (checkouts, names()) == ([], [])


@pytest.mark.parametrize("place", late.AFTER)
@pytest.mark.parametrize("use", USES)
def test_the_view_s_session_is_refused_after_the_transaction(use, place, probe, places, checkouts, names):
    places[place] = refused = Refused(use)
    probe(lambda request: str(request.dbsession.scalar(select(1))), status=200)
    assert (refused.errors, len(checkouts), names()) == (1, 1, [])


@pytest.mark.parametrize("use", USES)
def test_an_exception_view_cannot_use_the_session(use, probe, places, checkouts):
    def view(request):
        request.dbsession.execute(JANE)
        raise late.Forgiven

    places[late.EXCEPTION_VIEW] = refused = Refused(use)
    probe(view, status=200)
    assert (refused.errors, len(checkouts)) == (1, 1)


@pytest.mark.parametrize("use", USES)
def test_the_exception_view_of_a_failed_commit_cannot_use_the_session(use, probe, places, checkouts):
    places[late.EXCEPTION_VIEW] = refused = Refused(use)
    probe(lambda request: request.dbsession.add(User(name="")), status=200)
    assert (refused.errors, len(checkouts)) == (1, 1)


@pytest.mark.parametrize("use", USES)
def test_a_session_kept_after_the_request_is_refused(use, probe, engine, names):
    kept = []
    probe(lambda request: kept.append(request.dbsession), status=200)
    with pytest.raises(REFUSALS):
        use(kept[0])
    assert (engine.pool.checkedout(), names()) == (0, [])


def test_a_thread_that_outlives_the_request_is_refused(probe, names):
    ended, refused, threads = threading.Event(), [], []

    def go_on(session):
        ended.wait(5)
        with pytest.raises(REFUSALS):
            session.execute(JANE)
        refused.append(True)

    def view(request):
        threads.append(threading.Thread(target=go_on, args=[request.dbsession]))
        threads[0].start()

    probe(view, status=200)
    ended.set()
    threads[0].join()
    assert (refused, names()) == ([True], [])


@pytest.mark.parametrize("use", [use for use in USES if use.id not in ("connection", "begin")])
def test_another_thread_cannot_use_the_session(use, probe, names):
    refused = Refused(use)

    def view(request):
        request.dbsession.execute(insert(User).values(name="John Doe"))
        thread = threading.Thread(target=refused, args=[request])
        thread.start()
        thread.join()

    probe(view, status=200)
    assert (refused.errors, names()) == (1, ["John Doe"])


def test_another_thread_cannot_use_the_session_s_connection(probe, names):
    def view(request):
        connection = request.dbsession.connection()
        thread = threading.Thread(target=use, args=[connection])
        thread.start()
        thread.join()

    def use(connection):
        for statement in (lambda: connection.execute(JANE), lambda: connection.exec_driver_sql("SELECT 1")):
            with pytest.raises(InvalidRequestError):
                statement()
            refused.append(True)

    refused = []
    probe(view, status=200)
    assert (refused, names()) == ([True, True], [])


@pytest.mark.parametrize("use", USES)
def test_a_write_in_an_after_commit_hook_is_refused(use, probe, checkouts, names):
    def view(request):
        request.dbsession.execute(JANE)
        request.tm.get().addAfterCommitHook(lambda committed: refused(request))

    refused = Refused(use)
    probe(view, status=200)
    assert (refused.errors, len(checkouts), names()) == (1, 1, ["Jane Doe"])


def test_dbsession_is_refused_in_an_after_commit_hook(probe, checkouts):
    refused = Refused(lambda session: session.execute(JANE), (*REFUSALS, ValueError))

    def view(request):
        request.tm.get().addAfterCommitHook(lambda committed: refused(request))

    probe(view, status=200)
    assert (refused.errors, checkouts) == (1, [])


def test_a_write_in_a_before_commit_hook_is_committed(probe, names):
    def view(request):
        request.tm.get().addBeforeCommitHook(lambda: request.dbsession.execute(JANE))

    probe(view, status=200)
    assert names() == ["Jane Doe"]


def test_an_error_in_a_before_commit_hook_aborts_and_returns_the_connection(probe, engine, names):
    def view(request):
        request.dbsession.execute(JANE)
        request.tm.get().addBeforeCommitHook(lambda: 1 / 0)

    probe(view, status=500)
    assert (engine.pool.checkedout(), names()) == (0, [])


@pytest.mark.parametrize("when", ["before", "after"])
def test_mark_changed_without_the_transaction_manager_changes_nothing(when, probe, names):
    def view(request):
        if when == "before":
            mark_changed(request.dbsession)
        request.dbsession.execute(JANE)
        if when == "after":
            mark_changed(request.dbsession)

    probe(view, status=200)
    probe(view, status=200)
    assert names() == ["Jane Doe", "Jane Doe"]


@pytest.mark.parametrize("end", ["close", "rollback", "reset", "invalidate"])
@pytest.mark.parametrize("flush", [False, True])
def test_a_view_that_closes_its_session_is_answered_by_500(flush, end, probe, names):
    def view(request):
        request.dbsession.add(User(name="Jane Doe"))
        if flush:
            request.dbsession.flush()
        getattr(request.dbsession, end)()

    probe(view, status=500)
    assert names() == []


@pytest.mark.parametrize("end", ["close", "rollback", "reset", "commit"])
def test_the_error_of_a_session_that_a_view_has_ended_says_what_to_do(end, probe, caplog):
    probe(lambda request: getattr(request.dbsession, end)(), status=500)
    assert "Put what may fail into begin_nested()" in caplog.text


def test_a_view_that_begins_again_after_a_rollback_is_answered_by_500(probe, names):
    def view(request):
        request.dbsession.rollback()
        request.dbsession.begin()
        request.dbsession.execute(JANE)

    probe(view, status=500)
    assert names() == []


def commit(request):
    request.dbsession.commit()


def commit_the_session_transaction(request):
    request.dbsession.get_transaction().commit()


def commit_within_a_savepoint(request):
    request.dbsession.begin_nested()
    request.dbsession.commit()


def leave_a_begin_block(request):
    request.dbsession.rollback()
    with request.dbsession.begin():
        request.dbsession.execute(JANE)


@pytest.mark.parametrize(
    "commit", [commit, commit_the_session_transaction, commit_within_a_savepoint, leave_a_begin_block]
)
def test_a_view_cannot_commit_the_session(commit, probe, names):
    def view(request):
        request.dbsession.execute(JANE)
        commit(request)

    probe(view, status=500)
    assert names() == []


@pytest.mark.parametrize("wanted", [200, 500])
def test_a_view_cannot_commit_the_connection(wanted, probe, names):
    def view(request):
        connection = request.dbsession.connection()
        connection.execute(JANE)
        connection.commit()
        request.response.status_int = wanted

    probe(view, status=500)
    assert names() == []


@pytest.mark.parametrize("status", [200, 422])
def test_a_view_cannot_commit_the_transaction(status, probe, names):
    def view(request):
        request.dbsession.execute(JANE)
        request.response.status_int = status
        request.tm.commit()

    probe(view, status=500)
    assert names() == []


class Refused:
    """Uses the session, and counts how often that is refused."""

    def __init__(self, use, refusals=REFUSALS):
        self.use, self.refusals, self.errors = use, refusals, 0

    def __call__(self, request):
        with pytest.raises(self.refusals):
            self.use(request.dbsession)
        self.errors += 1
