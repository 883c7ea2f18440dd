"""Which requests are refused, and which headers every response has.

Variants are subtests, which share one application.
"""

import itertools
import re
from pathlib import Path

import pytest
from webob.request import BaseRequest
from webtest import TestApp, TestRequest

import myproject
from myproject import main
from myproject.models import User
from myproject.settings import read_settings
from myproject.web.receipts import TOKEN_FIELD
from tests import signed_in
from tests.people import add_person, browser_of, everything_stored, token_of
from tests.test_settings import GOOD, refusal
from tests.web.test_errors import assert_error_page

INJECTED = "\r\nSet-Cookie: injected=1\r\n\r\n<h1>"


def stored_but_events(engine):
    """Return everything stored but the security events: a refused form is one."""
    return everything_stored(engine, but_for={"security_events"})


@pytest.fixture
def production(settings):
    """The application in production: `myproject.development` is not set."""
    del settings["myproject.development"]


@pytest.fixture
def send(app):
    """Call `send(headers)`: send a valid form for a new user with these headers; return the response."""
    token = token_of(app)

    def post(headers, **fields):
        fields = {"csrf_token": token, "name": "John Doe", **fields}
        return app.post("/users/new", fields, headers=headers, expect_errors=True)

    return post


# The host of a request


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_host_is_refused(wsgi, app, outside, method, subtests):
    before, token = everything_stored(outside), token_of(app)
    for host in [
        *["evil.example", "localhost.evil.example", "evil.example:80", "xlocalhost", "localhost.", "127.0.0.2"],
        *["", ":80", "localhost:", "localhost:x", "localhost:123456", "localhost:80:80", "localhost:-1"],
        *["localhost, evil.example", "evil.example, localhost", "localhost evil.example", "localhost,localhost"],
        *["user@localhost", "localhost@evil.example", "user:secret@localhost", "localhost:80@evil.example"],
        *["localhost/evil", "localhost?evil", "localhost#evil", "http://localhost", "//localhost", "localhost\\@evil"],
        *["::1", "[::1", "[::2]", "[::1]evil", "[::1%25lo]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"],
        *["localhost\tevil", "local\xadhost", "ⅼocalhost".encode().decode("latin-1"), "%6cocalhost"],
    ]:
        with subtests.test(host):
            page = asked(wsgi, app, host, method, token)
            # Every link would lead to this address again.
            assert_error_page(page, 400, link=None)
            page.mustcontain("This is not the address of this site.", no=["evil.example", "error-code"])
    assert everything_stored(outside) == before


def asked(wsgi, app, host, method, token):
    """Return the response to the administrator's request with this `Host`, which WebTest would not send."""
    cookies = "; ".join(f"{name}={value}" for name, value in app.cookies.items())
    form = {"POST": {"csrf_token": token, "name": "John Doe"}} if method == "POST" else {}
    environ = {"HTTP_HOST": host, "HTTP_COOKIE": cookies, "HTTP_ACCEPT_LANGUAGE": "en"}
    return TestRequest.blank("/users/new", method=method, environ=environ, **form).get_response(wsgi)


def test_the_same_request_to_this_host_is_accepted(wsgi, app, rows):
    token = token_of(app)
    assert asked(wsgi, app, "localhost", "GET", token).status_int == 200
    assert asked(wsgi, app, "localhost", "POST", token).status_int == 303
    assert [user.name for user in rows(User)] == ["John Doe"]


def test_a_host_with_a_line_feed_is_refused_and_not_repeated(wsgi):
    answer = TestRequest.blank("/users", environ={"HTTP_HOST": f"localhost{INJECTED}"}).get_response(wsgi)
    assert answer.status_int == 400
    assert "injected" not in str(answer)


def test_every_spelling_of_this_host_is_accepted(app, subtests):
    for host in ["localhost", "LOCALHOST", "LocalHost:80", "localhost:6543", "127.0.0.1", "127.0.0.1:8080"]:
        with subtests.test(host):
            app.get("/overview", extra_environ={"HTTP_HOST": host}, status=[200, 303])
    for host in ["[::1]", "[::1]:6543"]:
        with subtests.test(host):
            app.get("/signin", extra_environ={"HTTP_HOST": host}, status=[200, 303])


def test_redirects_keep_the_port(stranger):
    answer = stranger.get("/users", extra_environ={"HTTP_HOST": "localhost:6543"}, status=303)
    assert answer.location == "http://localhost:6543/signin?next=%2Fusers"


def test_every_path_is_refused_for_another_host(app, subtests):
    for path in ["/", "/signin", "/static/site.css", "/nothing", "/users/1", "/language"]:
        with subtests.test(path):
            app.get(path, extra_environ={"HTTP_HOST": "evil.example"}, status=400)


def test_the_host_names_are_a_setting(settings, request):
    settings["myproject.hosts"] = "Users.Example.org  [2001:db8::1]\n  intranet"
    app = TestApp(request.getfixturevalue("wsgi"))
    for host in ("users.example.org", "USERS.example.org:8443", "[2001:db8::1]:80", "intranet"):
        app.get("/signin", extra_environ={"HTTP_HOST": host}, status=200)
    for host in ("localhost", "example.org", "other.users.example.org"):
        app.get("/signin", extra_environ={"HTTP_HOST": host}, status=400)


def test_the_environment_overrides_the_host_names(settings, request, monkeypatch):
    settings["myproject.hosts"] = "localhost"
    monkeypatch.setenv("MYPROJECT_HOSTS", "users.example.org")
    app = TestApp(request.getfixturevalue("wsgi"))
    app.get("/signin", extra_environ={"HTTP_HOST": "users.example.org"}, status=200)
    app.get("/signin", extra_environ={"HTTP_HOST": "localhost"}, status=400)


FORWARDED = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Server": "evil.example",
    "X-Host": "evil.example",
    "X-Original-URL": "/evil",
    "X-Rewrite-URL": "/evil",
    "X-Forwarded-Proto": "gopher",
    "X-Forwarded-Prefix": "/evil",
    "Forwarded": "host=evil.example;proto=gopher",
}


def test_no_link_uses_a_forwarded_host(app, outside):
    user = add_person(outside)
    form = app.get(f"/users/{user.id}/password-link").forms["record"]
    page = app.post(form.response.request.path, dict(form.submit_fields()), headers=FORWARDED, status=200)
    assert page.html.select_one(".secret code").text.startswith("http://localhost/set-password/")
    page.mustcontain(no=["evil", "gopher"])


def test_no_redirect_uses_a_forwarded_host(stranger):
    answer = stranger.get("/users", headers=FORWARDED, status=303)
    assert answer.location == "http://localhost/signin?next=%2Fusers"


def test_a_forwarded_host_does_not_replace_a_refused_host(app):
    headers = {"X-Forwarded-Host": "localhost", "Forwarded": "host=localhost"}
    app.get("/users", headers=headers, extra_environ={"HTTP_HOST": "evil.example"}, status=400)


# Where a form was sent from


def test_a_form_of_another_site_is_refused_even_with_a_good_token(send, outside, subtests):
    before = stored_but_events(outside)
    for name, value in [
        *[("Origin", origin) for origin in ("http://evil.example", "https://evil.example", "null", "NULL", "file://")],
        *[("Origin", origin) for origin in ("http://localhost.evil.example", "http://localhost@evil.example", "x")],
        *[
            ("Origin", origin)
            for origin in ("http://localhost:8080", "http://evil.example:80", "http://[", "localhost")
        ],
        *[("Origin", "http://localhost, http://evil.example"), ("Origin", "http://localhost http://evil.example")],
        *[("Referer", referer) for referer in ("http://evil.example/", "http://evil.example/http://localhost/", "x")],
        *[("Referer", referer) for referer in ("http://localhost.evil.example/users/new", "about:blank", "http://[")],
        *[("Sec-Fetch-Site", site) for site in ("cross-site", "same-site", "", "Same-Origin", "same-origin, none")],
    ]:
        with subtests.test(name, value=value):
            page = send({name: value})
            assert_error_page(page, 400)
            page.mustcontain("This form was sent from another site.")
    assert stored_but_events(outside) == before


def test_one_foreign_header_is_enough_to_refuse_a_form(send, outside, subtests):
    before = stored_but_events(outside)
    own = {"Origin": "http://localhost", "Referer": "http://localhost/users/new", "Sec-Fetch-Site": "same-origin"}
    for name, value in [("Origin", "http://evil.example"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site")]:
        with subtests.test(name, value=value):
            assert send({**own, name: value}).status_int == 400
    assert stored_but_events(outside) == before


def test_a_form_of_this_site_or_without_origin_headers_is_accepted(send, subtests):
    for headers in [
        {},
        {"Origin": "http://localhost"},
        {"Origin": "http://localhost:80"},
        # A proxy may terminate TLS, so the scheme of the browser may differ from ours.
        {"Origin": "https://localhost"},
        {"Referer": "http://localhost/users/new?a=b#c"},
        {"Origin": "http://localhost", "Referer": "http://localhost/"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ]:
        with subtests.test(headers):
            assert send(headers).status_int == 303


def test_every_form_is_refused_from_another_site(app, outside, wsgi, subtests):
    user = add_person(outside)
    views = (item["introspectable"] for item in wsgi.registry.introspector.get_category("views"))
    posting = {view["route_name"] for view in views if "POST" in (view["request_methods"] or ())}
    routes = (item["introspectable"] for item in wsgi.registry.introspector.get_category("routes"))
    patterns = {route["name"]: route["pattern"] for route in routes if route["name"] in posting}
    fields, before = {"csrf_token": token_of(app)}, stored_but_events(outside)
    for name, pattern in patterns.items():
        if re.search("(posts|views|bulk)/{id}|{token}|{key}|/password$|/time-zone$|^/setup$", pattern):
            # The row does not exist, or the page is not for this user, or the site is set up.
            continue
        with subtests.test(name):
            page = app.post(pattern.replace("{id}", str(user.id)), fields, headers={"Origin": "null"}, status=400)
            page.mustcontain("This form was sent from another site.")
    assert stored_but_events(outside) == before


def test_links_from_other_sites_work(app):
    app.get("/users", headers={"Referer": "http://evil.example/", "Sec-Fetch-Site": "cross-site"}, status=200)


def test_https_forms_need_an_origin_or_referer(app, rows):
    fields = {"csrf_token": token_of(app), "name": "John Doe"}
    https = {"wsgi.url_scheme": "https", "HTTP_HOST": "localhost"}
    app.post("/users/new", fields, extra_environ=https, status=400)
    app.post("/users/new", fields, extra_environ={**https, "HTTP_ORIGIN": "https://localhost:8443"}, status=400)
    assert rows(User) == []
    app.post("/users/new", fields, extra_environ={**https, "HTTP_ORIGIN": "https://localhost"}, status=303)
    app.post("/users/new", fields, extra_environ={**https, "HTTP_REFERER": "https://localhost/users/new"}, status=303)


def test_the_word_of_the_browser_counts_where_a_proxy_has_lost_the_port(app, rows, subtests):
    fields = {"csrf_token": token_of(app), "name": "John Doe"}
    same = {"Sec-Fetch-Site": "same-origin"}
    for scheme in ("http", "https"):
        environ = {"wsgi.url_scheme": scheme, "HTTP_HOST": "localhost"}
        for origin in ("http://localhost:8443", "https://localhost:8443"):
            with subtests.test(scheme, origin=origin):
                app.post("/users/new", fields, {**same, "Origin": origin}, extra_environ=environ, status=303)
        for foreign in ("https://evil.example", "https://localhost.evil.example:8443", "null", "https://[", "x"):
            with subtests.test(scheme, origin=foreign):
                app.post("/users/new", fields, {**same, "Origin": foreign}, extra_environ=environ, status=400)
    assert len(rows(User)) == 4


def test_a_page_over_http_cannot_send_a_form_to_https(app, rows):
    fields = {"csrf_token": token_of(app), "name": "John Doe"}
    https = {"wsgi.url_scheme": "https", "HTTP_HOST": "localhost"}
    for headers in ({"Origin": "http://localhost"}, {"Referer": "http://localhost/users/new"}):
        app.post("/users/new", fields, headers, extra_environ=https, status=400)
    assert rows(User) == []


@pytest.mark.usefixtures("production")
def test_a_form_over_plain_http_is_told_that_the_site_needs_https(stranger, caplog):
    page = stranger.post("/signin", {"email": "x"}, {"Origin": "http://localhost"}, status=400)
    page.mustcontain("This site needs HTTPS", "Nothing was saved", no=["open for too long", "error-code"])
    assert_error_page(page, 400, link="https://localhost/signin")
    assert "over plain http" in caplog.text
    for origin in ({"Origin": "https://localhost"}, {}):
        stranger.post("/signin", {"email": "x"}, origin, status=400).mustcontain("open for too long")


@pytest.mark.usefixtures("production")
def test_an_address_without_a_page_leads_to_the_page_that_it_was_on(stranger):
    fields = {"language": "ko", "page": "/signin?next=/posts"}
    page = stranger.post("/language", fields, {"Origin": "http://localhost"}, status=400)
    assert_error_page(page, 400, link="https://localhost/signin?next=/posts")


@pytest.mark.usefixtures("production")
@pytest.mark.parametrize("path", ["/signin?next=/posts", "/set-password/unknown"])
def test_a_page_over_plain_http_says_that_nobody_can_sign_in_there(stranger, path):
    note = stranger.get(path, status="*").html.find(role="note")
    assert note.a["href"] == f"https://localhost{path}"
    assert stranger.get(path, headers={"Sec-Fetch-Site": "none"}, status="*").html.find(role="note") is None
    over_tls = {"wsgi.url_scheme": "https"}
    assert stranger.get(path, extra_environ=over_tls, status="*").html.find(role="note") is None


@pytest.mark.usefixtures("production")
def test_no_page_leads_to_another_host_over_https(wsgi, app):
    page = asked(wsgi, app, "evil.example", "GET", "")
    page.mustcontain("This is not the address of this site.", no="evil.example")


# Method overrides


def test_no_field_or_header_changes_the_method(app, outside, subtests):
    path, token = f"/users/{add_person(outside).id}", token_of(app)
    before = everything_stored(outside)
    headers = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "_method"]
    for method in ("POST", "DELETE", "PUT"):
        for name in headers:
            with subtests.test(name, method=method):
                assert app.get(f"{path}/delete", headers={name: method}).html.h1.text == "Delete John Doe?"
                app.post(path, {"csrf_token": token}, headers={name: method}, status=405)
        for name in ("_method", "_METHOD", "method"):
            with subtests.test(name, method=method):
                assert app.get(f"{path}/delete?{name}={method}&csrf_token={token}").html.h1.text == "Delete John Doe?"
                app.post(path, {name: method, "csrf_token": token}, status=405)
                app.post(f"{path}?{name}={method}", {"csrf_token": token}, status=405)
    assert everything_stored(outside) == before


def test_a_method_override_does_not_skip_the_checks_of_a_form(app, outside):
    path = f"/users/{add_person(outside).id}/delete"
    before = stored_but_events(outside)
    app.post(path, {"_method": "GET"}, headers={"X-HTTP-Method-Override": "GET"}, status=400)
    assert stored_but_events(outside) == before


# Fields


def test_a_form_has_at_most_100_fields(send, app, rows):
    more = {f"field{number}": "" for number in range(98)}
    assert send({}, **more).status_int == 303
    assert send({}, **more, one_more="").status_int == 400
    query = "&".join(f"field{number}=" for number in range(100))
    app.get(f"/users?{query}", status=200)
    app.get(f"/users?{query}&one_more=", status=400)
    assert len(rows(User)) == 1


def test_no_route_parses_a_form_with_more_fields(app, stranger, wsgi, monkeypatch, subtests):
    tokens = {browser: token_of(browser) for browser in (app, stranger)}
    routes = wsgi.registry.introspector.get_category("routes")
    patterns = [f"/{route['introspectable']['pattern'].lstrip('/')}" for route in routes]
    paths = [pattern.replace("*subpath", "x").format(id=99, token="x", key="x") for pattern in patterns]
    monkeypatch.setattr(BaseRequest, "POST", property(lambda request: pytest.fail("parsed")))
    for path, browser in itertools.product([*paths, "/nothing"], tokens):
        with subtests.test(path):
            body = f"csrf_token={tokens[browser]}&{TOKEN_FIELD}={'0' * 32}" + "&a=" * 99
            assert browser.post(path, body, expect_errors=True).status_int in (303, 400, 404, 405)


def test_a_form_of_exactly_the_largest_size_is_accepted(app, rows):
    start = f"csrf_token={token_of(app)}&name=John&more="
    body = start + "x" * (512 * 1024 - len(start))
    app.post("/users/new", body + "x", status=413)
    app.post("/users/new", body, status=303)
    assert [user.name for user in rows(User)] == ["John"]


def test_a_repeated_key_is_refused(app, outside, subtests):
    token, before = token_of(app), stored_but_events(outside)
    good = [("csrf_token", token), ("name", "John Doe"), ("role", "member")]
    for again in [("name", "John Doe"), ("name", "Jane Doe"), ("role", "admin"), ("csrf_token", token), ("name", "")]:
        with subtests.test(again):
            app.post("/users/new", [*good, again], status=400)
    for path in ("/users?cursor=&cursor=", "/signin?next=/users&next=//evil.example", "/users?a&a"):
        with subtests.test(path):
            app.get(path, status=400)
    assert stored_but_events(outside) == before


def test_a_form_field_wins_over_the_same_key_in_the_query(app, rows):
    app.post("/users/new?name=Jane+Doe", {"csrf_token": token_of(app), "name": "John Doe"}, status=303)
    assert [user.name for user in rows(User)] == ["John Doe"]


# Files


def test_no_path_leaves_the_static_folder(wsgi, subtests):
    secret = "User records of an organisation"
    here = Path(myproject.__file__).absolute().parent
    assert secret in (here / "__init__.py").read_text(encoding="utf-8")
    for path in [
        *["/static/../__init__.py", "/static/vendor/../../__init__.py", "/static/./../__init__.py", "/static/.."],
        *["/static/%2e%2e/__init__.py", "/static/%2e%2e%2f__init__.py", "/static/..%2f__init__.py", "/static/.%2e/"],
        *["/static/%252e%252e/__init__.py", "/static/%252e%252e%252f__init__.py", "/static/..%252f__init__.py"],
        *["/static/..\\__init__.py", "/static/..%5c__init__.py", "/static/%2e%2e%5c__init__.py", "/static/..%255c"],
        *["/static/....//__init__.py", "/static/..;/__init__.py", "/static/..%00/__init__.py", "/static/..%c0%af"],
        *["/static/%c0%ae%c0%ae/__init__.py", "/static/..%ef%bc%8f__init__.py", "/static/site.css%00.py"],
        *["/static//etc/passwd", "/static/%2fetc/passwd", "/static/%2fetc%2fpasswd", "/static/file:///etc/passwd"],
        *[
            f"/static/{here}/__init__.py",
            f"/static/{str(here).replace('/', '%2f')}%2f__init__.py",
            "/static/C:\\boot.ini",
        ],
        *["/../myproject/__init__.py", "/static/../../development.ini", "/static/~root/.profile", "/__init__.py"],
        *["/static/", "/static", "/static/vendor/", "/static/vendor", "/static/../static/../templates/layout.jinja2"],
    ]:
        with subtests.test(path):
            answer = TestRequest.blank(path).get_response(wsgi)
            if answer.status_int == 301:
                # A folder is redirected to its path with a slash first.
                assert answer.location == f"http://localhost{path}/"
                answer = TestRequest.blank(f"{path}/").get_response(wsgi)
            assert answer.status_int == (400 if "%c0" in path else 404)
            assert not [text for text in (secret, "root:", "{%", "sqlalchemy.url") if text in answer.text]


def test_static_files_are_served(wsgi):
    assert TestRequest.blank("/static/site.css").get_response(wsgi).status_int == 200
    assert TestRequest.blank("/static/vendor/bootstrap.css").get_response(wsgi).status_int == 200


# Headers of responses


def test_no_input_injects_a_response_header(app, wsgi, make_user, outside, subtests):
    token, named = token_of(app), make_user(f"John{INJECTED}")
    other = add_person(outside)
    encoded = "%0d%0aSet-Cookie:%20injected=1%0d%0a%0d%0a"
    sent = {
        "next": lambda: app.get(f"/signin?next=/users{encoded}"),
        "next, stranger": lambda: TestApp(wsgi).get(f"/signin?next=/users{encoded}"),
        "path, stranger": lambda: TestApp(wsgi).get(f"/users/{encoded}", status=303),
        "query, stranger": lambda: TestApp(wsgi).get(f"/users?{encoded}=1", status=303),
        "page": lambda: app.post(
            "/language", {"csrf_token": token, "language": "ko", "page": f"/{INJECTED}"}, status=400
        ),
        "language": lambda: app.post("/language", {"csrf_token": token, "language": INJECTED, "page": "/"}, status=400),
        "path": lambda: app.get(f"/{encoded}", status=404),
        "name": lambda: app.post("/users/new", {"csrf_token": token, "name": f"John{INJECTED}"}, status=303),
        "which": lambda: app.post(f"/users/{other.id}/sign-ins", {"csrf_token": token, "end": INJECTED}, status="*"),
        "form_token": lambda: app.post("/users/new", {"csrf_token": token, "form_token": INJECTED}, status=422),
        "message": lambda: app.post(f"/users/{named.id}/delete", {"csrf_token": token}, status=303),
    }
    for kind, request in sent.items():
        with subtests.test(kind):
            headers = request().headerlist
            assert [value for _name, value in headers if "\r" in value or "\n" in value] == []
            assert [value for name, value in headers if name == "Set-Cookie" and value.startswith("injected")] == []
    page = app.get("/users")
    assert "injected=1" in page.html.find(role="status").text


@pytest.mark.parametrize(
    "page", ["//evil.example", "/\\evil.example", "http://evil.example/", "\\\\evil.example", "/\tx"]
)
def test_no_redirect_leads_to_another_site(app, page):
    assert app.get("/signin", {"next": page}, status=303).location == "http://localhost/"
    app.post("/language", {"csrf_token": token_of(app), "language": "ko", "page": page}, status=400)


EXPECTED = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@pytest.fixture
def answers(wsgi, outside):
    """Call `answers()`: a response of every kind, by name, over HTTPS as in production."""

    def fail(request):
        raise RuntimeError

    def get():
        stranger, app = TestApp(wsgi), signed_in.browser(wsgi)
        member = browser_of(wsgi, outside, add_person(outside))
        for each in (stranger, app, member):
            # Over HTTPS, Pyramid requires the origin of a form.
            each.extra_environ |= {"wsgi.url_scheme": "https", "HTTP_ORIGIN": "https://localhost"}
        token = {"csrf_token": token_of(app)}
        wsgi.registry["probe"] = fail
        sent = {
            "200": (app, "GET", "/users", {}),
            "200 stranger": (stranger, "GET", "/signin", {}),
            "HEAD": (app, "HEAD", "/users", {}),
            "303": (app, "GET", "/", {}),
            "303 to sign in": (stranger, "GET", "/users", {}),
            "303 after a form": (app, "POST", "/users/new", {"POST": {**token, "name": "John Doe"}}),
            "303 language": (app, "POST", "/language", {"POST": {**token, "language": "ko", "page": "/"}}),
            "400": (app, "GET", "/users?cursor=x", {}),
            "400 host": (app, "GET", "/users", {"environ": {"HTTP_HOST": "evil.example"}}),
            "400 origin": (app, "POST", "/users/new", {"POST": token, "headers": {"Origin": "null"}}),
            "400 token": (app, "POST", "/users/new", {"POST": {}}),
            "403": (member, "GET", "/users/new", {}),
            "404": (app, "GET", "/nothing", {}),
            "405": (app, "PUT", "/users", {}),
            "405 trace": (app, "TRACE", "/users", {}),
            "404 static trace": (app, "TRACE", "/static/site.css", {}),
            "413": (app, "POST", "/users/new", {"POST": {"name": "x" * 600_000}}),
            "415": (app, "POST", "/users/new", {"body": b"{}", "content_type": "application/json"}),
            "422": (app, "POST", "/users/new", {"POST": token}),
            "500": (app, "GET", "/probe", {}),
            "200 static": (app, "GET", "/static/site.css", {}),
            "404 static": (app, "GET", "/static/nothing.css", {}),
        }
        found = {
            kind: browser.request(f"https://localhost{path}", method=method, expect_errors=True, **options)
            for kind, (browser, method, path, options) in sent.items()
        }
        bad_path = TestRequest.blank("/", environ={"PATH_INFO": "/\xff", "wsgi.url_scheme": "https"})
        found["400 path"] = bad_path.get_response(wsgi)
        wrong = {kind: answer.status for kind, answer in found.items() if kind[:3] not in ("HEA", answer.status[:3])}
        assert wrong == {}
        return found

    return get


def test_every_response_has_each_security_header_once(answers, subtests):
    for kind, answer in answers().items():
        with subtests.test(kind):
            assert {name: answer.headers.getall(name) for name in EXPECTED} == {n: [v] for n, v in EXPECTED.items()}
            assert "camera=()" in answer.headers["Permissions-Policy"]
            assert answer.headers.getall("Cache-Control")
            assert "Server" not in answer.headers
            assert "X-Powered-By" not in answer.headers


def test_every_page_declares_utf8(answers, subtests):
    for kind, answer in answers().items():
        if answer.content_type == "text/html":
            with subtests.test(kind):
                assert answer.charset == "UTF-8"


def test_trace_is_refused(answers):
    assert {"405 trace", "404 static trace"} <= answers().keys()


def test_pages_are_not_cached_by_proxies(answers, subtests):
    for kind, answer in answers().items():
        if kind != "200 static":
            with subtests.test(kind):
                assert answer.headers["Cache-Control"] == "private, no-cache"
                assert {"Cookie", "Accept-Language"} <= set(answer.headers["Vary"].split(", "))


@pytest.mark.usefixtures("production")
def test_production_sends_hsts_and_secure_cookies(answers, subtests):
    cookies = set()
    for kind, answer in answers().items():
        with subtests.test(kind):
            assert answer.headers.getall("Strict-Transport-Security") == ["max-age=31536000; includeSubDomains"]
            for cookie in answer.headers.getall("Set-Cookie"):
                cookies.add(cookie.partition("=")[0])
                assert {"secure", "HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))
    assert cookies == {"__Host-session", "__Host-language"}


def test_development_sends_neither_hsts_nor_secure_cookies(answers, subtests):
    cookies = set()
    for kind, answer in answers().items():
        with subtests.test(kind):
            assert "Strict-Transport-Security" not in answer.headers
            for cookie in answer.headers.getall("Set-Cookie"):
                cookies.add(cookie.partition("=")[0])
                assert "secure" not in cookie.lower()
    assert cookies == {"session", "language"}


# Settings


def test_production_is_the_default():
    assert read_settings(GOOD)["myproject.development"] is False
    assert read_settings({**GOOD, "myproject.development": "true"})["myproject.development"] is True
    assert read_settings({**GOOD, "myproject.development": "False"})["myproject.development"] is False


MALFORMED = {
    "myproject.development": ["maybe", "", "yes", "1", "on", "true ", "truefalse"],
    "myproject.hosts": ["", "  ", "\n"],
    "argon2.time_cost": ["0", "101", "-1", "", "many", "2.5"],
    "argon2.memory_cost": ["127", "0", "4194305", "", "19 MiB", "1e5"],
    "argon2.parallelism": ["0", "17", "", "-1"],
    "signin.idle_hours": ["0", "721", "", "12h", "-1", "0.5"],
    "signin.absolute_hours": ["0", "10000", "", "forever", "１２"],
    "retry.longest_wait": ["0", "601", "", "1.5"],
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_setting_refuses_to_start_and_is_named(name, subtests):
    for value in MALFORMED[name]:
        with subtests.test(value):
            assert name in refusal(**{name: value})


WELL_FORMED = {
    "argon2.time_cost": ("1", "100", 2),
    "argon2.memory_cost": ("128", "4194304", 19456),
    "argon2.parallelism": ("1", "16", 1),
    "signin.idle_hours": ("1", "720", 12),
    "signin.absolute_hours": ("1", "9999", 168),
}


@pytest.mark.parametrize("name", WELL_FORMED)
def test_settings_accept_their_bounds_and_have_defaults(name):
    lowest, highest, usual = WELL_FORMED[name]
    assert [read_settings({**GOOD, name: value})[name] for value in (lowest, highest)] == [int(lowest), int(highest)]
    assert read_settings(GOOD)[name] == usual


def test_an_empty_hosts_variable_is_ignored(monkeypatch):
    monkeypatch.setenv("MYPROJECT_HOSTS", "")
    assert read_settings({**GOOD, "myproject.hosts": "one"})["myproject.hosts"] == {"one"}
    monkeypatch.setenv("MYPROJECT_HOSTS", "  ")
    assert "MYPROJECT_HOSTS" in refusal()


def test_too_little_argon2_memory_per_lane_refuses_to_start():
    # At least 8 KiB per lane: RFC 9106, 3.1.
    main({}, **{**GOOD, "argon2.memory_cost": "128", "argon2.parallelism": "16"})
