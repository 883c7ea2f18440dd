"""An error page is made after the transaction has ended, without the database and without aborted rows."""

import pytest
from pyramid.csrf import check_csrf_token
from pyramid.httpexceptions import (
    HTTPBadRequest,
    HTTPConflict,
    HTTPForbidden,
    HTTPNotFound,
)
from pyramid.request import Request
from sqlalchemy import insert, select, text

from myproject import main
from myproject.models import User
from tests import signed_in


def broken(request):
    raise ValueError


def forbidden(request):
    # Unless the identity has been looked up, the answer is the sign-in page.
    assert request.known_identity.name == signed_in.NAME
    raise HTTPForbidden


def wrong_sql(request):
    request.dbsession.execute(text("SELEKT 1"))


def raising(error):
    def fail(request):
        raise error

    return pytest.param(fail, error.code, id=str(error.code))


FAILURES = [
    raising(HTTPBadRequest()),
    pytest.param(forbidden, 403, id="403"),
    raising(HTTPNotFound()),
    raising(HTTPConflict()),
    pytest.param(lambda request: check_csrf_token(request), 400, id="csrf"),
    pytest.param(broken, 500, id="500"),
]


@pytest.fixture
def at_answer(app):
    """Call `at_answer(read)` before a request: a list of what `read()` returns when its answer is ready to be sent.

    What is refused is stored as a security event, but only after the answer.
    """
    application = app.app

    def watch(read):
        seen = []

        def answer(environ, start_response):
            body = application(environ, start_response)
            seen[:] = read()
            return body

        app.app = answer
        return seen

    return watch


@pytest.mark.parametrize(("fail", "status"), FAILURES)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_error_page_executes_no_statement(method, fail, status, probe, recorded, at_answer, make_user):
    make_user("Jane Doe")
    of_view = []

    def view(request):
        assert request.identity
        request.dbsession.scalars(select(User)).all()
        if method == "POST":
            request.dbsession.execute(insert(User).values(name="Doomed"))
        of_view[:] = record.sql
        fail(request)

    with recorded() as record:
        executed = at_answer(lambda: record.sql)
        probe(view, method=method, status=status).mustcontain("</html>", no=["Jane", "Doomed"])
    assert executed == of_view


@pytest.mark.parametrize(("fail", "status"), FAILURES)
def test_an_error_page_keeps_no_rows_and_takes_no_connection(fail, status, probe, names, checkouts, at_answer):
    def view(request):
        assert request.identity
        request.dbsession.execute(insert(User).values(name="Doomed"))
        fail(request)

    taken = at_answer(lambda: checkouts)
    probe(view, status=status)
    assert (names(), len(taken)) == ([], 1)


def test_an_error_page_shows_no_details_of_the_error(probe, names):
    def view(request):
        request.dbsession.execute(insert(User).values(name="Doomed"))
        request.dbsession.execute(text("SELEKT 'secret'"))

    probe(view, status=500).mustcontain(no=["SELEKT", "secret", "Doomed", "Traceback"])
    assert names() == []


def test_the_error_page_of_a_failed_commit_executes_no_statement(probe, recorded, names):
    def view(request):
        request.dbsession.add(User(name="Doomed", age=151))

    with recorded() as record:
        probe(view, status=500).mustcontain("</html>", no="Doomed")
    assert record.sql[-1].startswith("INSERT INTO users")
    assert names() == []


def test_the_page_of_an_unknown_row_executes_only_two_queries(app, recorded):
    with recorded() as record:
        app.get("/users/999", status=404)
    who, row = record.sql
    assert who.startswith("SELECT")
    assert "FROM users JOIN sign_ins" in who
    assert row.startswith("SELECT")


def test_the_page_of_an_unknown_path_takes_no_connection(app, checkouts):
    app.get("/nowhere", status=404)
    assert checkouts == []


@pytest.mark.parametrize("path", ["/%ff", "/users/%ff", "/users/%ff/edit", "/static/%ff", "/%ff?q=%ff"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_path_that_is_not_utf_8_is_a_bad_request(method, path, wsgi, checkouts):
    page = Request.blank(path, method=method).get_response(wsgi)
    assert (page.status_int, page.content_type, checkouts) == (400, "text/html", [])


def test_a_path_that_is_not_utf_8_is_a_bad_request_under_the_debug_toolbar(settings):
    settings["pyramid.includes"] = "pyramid_debugtoolbar"
    page = Request.blank("/%ff").get_response(main({}, **settings))
    assert (page.status_int, page.content_type) == (400, "text/html")
