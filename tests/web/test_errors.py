"""Error pages are clear, in the layout of the site, and show no details of a bug."""

import pytest
from pyramid import httpexceptions
from pyramid_retry import RetryableException
from webtest import TestRequest

from myproject.models import User
from tests import sqlite_only


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (httpexceptions.HTTPBadRequest, 400, "Invalid request"),
        (httpexceptions.HTTPForbidden, 403, "You do not have permission"),
        (httpexceptions.HTTPNotFound, 404, "Page not found"),
        (httpexceptions.HTTPMethodNotAllowed, 405, "This action is not available here"),
        (httpexceptions.HTTPRequestEntityTooLarge, 413, "Too much text"),
        (httpexceptions.HTTPConflict, 409, "This form was already sent"),
        (RuntimeError, 500, "Something went wrong"),
        (ZeroDivisionError, 500, "Something went wrong"),
    ],
)
def test_an_error_has_a_page_in_the_layout_of_the_site(probe, error, status, said):
    def view(request):
        # Load the identity, as the check of a permission does: other users are redirected to sign in.
        assert request.identity
        raise error("secret detail")

    page = probe(view, "GET", expect_errors=True)
    assert_error_page(page, status)
    assert page.html.h1.text == said
    page.mustcontain(no="secret detail")


@pytest.mark.parametrize("status", [code for code in httpexceptions.status_map if 400 <= code < 520])
def test_a_page_that_is_read_says_nothing_about_saving(probe, status):
    def view(request):
        assert request.identity
        raise httpexceptions.exception_response(status)

    page = probe(view, "GET", status=status)
    assert "saved" not in page.html.select_one("main .lead").text
    said = probe(view, "POST", status=status).html.select_one("main .lead").text
    assert said.startswith("Nothing was saved. ") == (status >= 500 or status == 413)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_page_of_a_defect_shows_the_number_under_which_it_is_logged(probe, method, log_lines):
    page = probe(lambda request: 1 / 0, method, status=500)
    number = page.html.select_one("main .request-number code").text
    assert number == page.headers["X-Request-Id"]
    assert f"request {number}: {method} /probe failed" in log_lines()
    assert "tell an administrator the request number below" in page.html.select_one("main .lead").text


def test_the_page_of_an_unavailable_database_shows_the_number_of_its_request(probe):
    def view(request):
        raise RetryableException

    page = probe(view, status=503)
    assert page.html.select_one("main .request-number code").text == page.headers["X-Request-Id"]


def test_a_page_that_people_can_explain_themselves_shows_no_number(app):
    assert app.get("/nowhere", status=404).html.select_one(".request-number") is None


def test_an_unknown_path_has_an_error_page(app):
    assert_error_page(app.get("/nothing", expect_errors=True), 404)


@pytest.mark.parametrize(
    "path", ["/users/1", "/users/1/edit", "/users/1/delete", "/posts/1", "/posts/1/edit", "/posts/1/delete"]
)
def test_a_missing_row_has_an_error_page(app, path):
    assert_error_page(app.get(path, expect_errors=True), 404)


def test_a_bug_is_logged_in_full_and_shown_without_details(probe, caplog):
    def view(request):
        raise RuntimeError("secret detail")

    page = probe(view, expect_errors=True)
    page.mustcontain("Nothing was saved.", no=["secret", "RuntimeError", "Traceback"])
    assert "secret detail" in caplog.text
    assert "Traceback" in caplog.text


@sqlite_only
def test_an_error_in_a_template_has_an_error_page(app, make_user, outside):
    user = make_user()
    with outside.begin() as connection:
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        connection.execute(User.__table__.update().where(User.id == user.id).values(role="unknown"))
    assert_error_page(app.get(f"/users/{user.id}", expect_errors=True), 500)


@pytest.mark.passes_ledger_by
def test_an_error_page_takes_no_connection(app, outside):
    with outside.begin() as connection:
        for table in ("posts", "saved_views", "sign_ins", "password_links", "users"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
    assert_error_page(app.get("/users", expect_errors=True), 500)
    assert_error_page(app.get("/nothing", expect_errors=True), 404)


def test_an_error_page_rolls_back_the_request(probe, rows):
    def view(request):
        request.dbsession.add(User(name="John Doe"))
        request.dbsession.flush()
        assert request.identity
        raise httpexceptions.HTTPForbidden()

    assert_error_page(probe(view, expect_errors=True), 403)
    assert rows(User) == []


def test_a_raised_redirect_is_a_redirect(probe):
    def view(request):
        raise httpexceptions.HTTPSeeOther("/users")

    assert probe(view, "GET").status_int == 303


def test_the_error_template_has_no_url(app):
    app.get("/errors/error", status=404)


@pytest.mark.parametrize("path", ["/nothing", "/users/99", "/users?cursor=x"])
def test_head_of_an_error_has_the_headers_of_get_and_no_body(app, path):
    head, get = app.head(path, expect_errors=True), app.get(path, expect_errors=True)
    assert (head.status, head.body) == (get.status, b"")
    assert head.content_type == "text/html"


@pytest.mark.parametrize("path", ["/\xff", "/users/\xff", "/users/\xff/edit", "/static/\xff", "/\xed\xa0\x80"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_path_that_is_not_utf8_has_an_error_page(wsgi, path, method):
    request = TestRequest.blank("/", environ={"PATH_INFO": path}, method=method)
    assert_error_page(request.get_response(wsgi), 400)


def test_the_language_can_be_switched_on_an_error_page(app):
    page = app.get("/nothing?a=1&b=2", status=404)
    again = page.forms[0].submit("language", status=303)
    assert again.location == "http://localhost/nothing?a=1&b=2"


def assert_error_page(page, status, link="/users"):
    """Check that `page` is an error page of `status` in the layout of the site, with advice and `link`."""
    assert page.status_int == status
    assert page.content_type == "text/html"
    assert page.html.nav
    assert page.html.find("main").h1.text
    assert page.html.select_one("main .lead").text
    assert [anchor["href"] for anchor in page.html.select("main a")] == ([link] if link else [])
    assert page.html.title.text == f"{page.html.h1.text} · myproject"
