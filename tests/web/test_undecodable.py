"""Bytes that are not UTF-8 get a page of 400, also in development, where the debug toolbar reads them first."""

import pytest
from webtest import TestRequest

from myproject import main
from tests import signed_in, sqlite_only
from tests.web.test_errors import assert_error_page

pytestmark = sqlite_only
COOKIE = f"session={signed_in.cookie()}"


@pytest.fixture(params=["", "pyramid_debugtoolbar"], ids=["without_toolbar", "with_toolbar"])
def send(request, settings):
    """Call `send(path, method="GET", …)`: the answer of the application, with and without the toolbar."""
    settings["pyramid.includes"] = request.param
    wsgi = main({}, **settings)

    def answer(path, method="GET", body=b"", cookie=COOKIE, **environ):
        environ |= {"REMOTE_ADDR": "127.0.0.1", "HTTP_COOKIE": cookie, "HTTP_ACCEPT_LANGUAGE": "en"}
        return TestRequest.blank(path, environ=environ, method=method, body=body).get_response(wsgi)

    yield answer
    wsgi.registry["dbsession_factory"].kw["bind"].dispose()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "path", ["/%ff", "/users?q=%ff", "/users?%ff=1", "/users?q=\xff", "/nothing?q=%ff", "/%ff?q=%ff"]
)
def test_a_path_or_query_that_is_not_utf8_is_a_bad_request(send, path, method):
    page = send(path, method)
    assert_error_page(page, 400)
    assert page.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("body", [b"name=%ff", b"%ff=1", b"name=\xff", b"name=%ED%A0%80"])
def test_a_form_that_is_not_utf8_is_a_bad_request(send, body):
    page = send("/users/new", "POST", body, CONTENT_TYPE="application/x-www-form-urlencoded")
    assert_error_page(page, 400)


@pytest.mark.parametrize("cookie", ['stranger="\\377"', "\xff=1", "stranger=\xff"])
def test_a_cookie_that_is_not_utf8_is_ignored(send, cookie):
    assert send("/users", cookie=cookie).location == "http://localhost/signin?next=%2Fusers"
    assert send("/users", cookie=f"{cookie}; {COOKIE}").status_int == 200
