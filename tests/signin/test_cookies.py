"""The session cookie: its attributes, when it identifies a person, and when it has expired."""

import pytest
from pyramid.request import Request
from pyramid.response import Response
from pyramid.session import JSONSerializer, SignedCookieSessionFactory

from myproject.models import SignIn, User
from tests.signed_in import SECRET

from .conftest import is_signed_in, sign_in

JUNK = {
    "empty": "",
    "letters": "abc",
    "base64 of nothing": "AAAA",
    "not base64": "%%%%",
    "long": "a" * 4000,
    "dots": "a.b.c",
    "Latin-1": "\xe9\xff",
    "quotes": '"""',
}


def cookie_of(content, secret=SECRET):
    """Return the value of the cookie `session` with this content, signed as the application signs it."""
    request, response = Request.blank("/"), Response()
    session = SignedCookieSessionFactory(secret, serializer=JSONSerializer(), cookie_name="session")(request)
    session.update(content)
    request._process_response_callbacks(response)
    return response.headers["Set-Cookie"].partition(";")[0].partition("=")[2]


@pytest.fixture
def with_cookie(visitor):
    """Call `with_cookie(value)`: return a new browser with this session cookie."""

    def open_browser(value):
        browser = visitor()
        browser.extra_environ["HTTP_COOKIE"] = f"session={value}"
        return browser

    return open_browser


@pytest.fixture
def hours(settings):
    """Let a sign-in expire after 2 hours without use, and after 30 hours in any case."""
    settings.update({"signin.idle_hours": "2", "signin.absolute_hours": "30"})


@pytest.mark.parametrize(
    ("development", "name", "secure"), [("true", "session", False), ("false", "__host-session", True)]
)
def test_the_cookie_has_its_protective_attributes(settings, development, name, secure, request):
    settings["myproject.development"] = development
    answer = request.getfixturevalue("visitor")().get("/signin")
    value, *attributes = answer.headers["Set-Cookie"].lower().split("; ")
    assert value.startswith(f"{name}=")
    assert {"httponly", "samesite=lax", "path=/"} <= set(attributes)
    assert ("secure" in attributes) == secure
    assert not any(attribute.startswith(("expires", "max-age", "domain")) for attribute in attributes)


@pytest.mark.usefixtures("ada")
def test_signing_in_brings_a_new_cookie_and_a_new_csrf_token(visitor):
    browser = visitor()
    form = browser.get("/signin").forms["record"]
    cookie, token = browser.cookies["session"], form["csrf_token"].value
    sign_in(browser)
    assert browser.cookies["session"] != cookie
    assert browser.get("/signout").forms["record"]["csrf_token"].value != token
    browser.post("/signout", {"csrf_token": token}, status=400)
    assert is_signed_in(browser)


@pytest.mark.usefixtures("ada")
def test_a_cookie_planted_before_the_sign_in_is_worth_nothing(visitor, with_cookie):
    browser = visitor()
    browser.get("/signin")
    planted = browser.cookies["session"]
    sign_in(browser)
    assert is_signed_in(browser)
    assert not is_signed_in(with_cookie(planted))


def test_signing_in_again_ends_the_earlier_sign_in(visitor, enter, ada, with_cookie, make_person, rows):
    browser, other = enter(ada), make_person("Bob", email="bob@example.com")
    before = browser.cookies["session"]
    form = visitor().get("/signin").forms["record"]
    token = browser.get("/signout").forms["record"]["csrf_token"].value
    sent = {**dict(form.submit_fields()), "csrf_token": token, "email": "bob@example.com", "password": "x"}
    browser.post("/signin", sent, status=422)
    browser.post("/signin", {**sent, "password": "correct horse battery staple"}, status=303)
    assert [row.user_id for row in rows(SignIn)] == [other.id]
    assert not is_signed_in(with_cookie(before))
    assert browser.get("/users").html.select_one(".who a").text == "Bob"


def test_a_cookie_is_worth_nothing_after_the_sign_out(enter, ada, with_cookie):
    browser = enter(ada)
    cookie = browser.cookies["session"]
    assert is_signed_in(with_cookie(cookie))
    browser.get("/signout").forms["record"].submit(status=303)
    assert not is_signed_in(with_cookie(cookie))


def test_a_forged_cookie_redirects_to_the_sign_in(enter, ada, with_cookie, subtests):
    good = enter(ada).cookies["session"]
    middle = len(good) // 2
    forged = {
        **JUNK,
        "truncated": good[:-1],
        "half of it": good[:middle],
        "its first character": good[:1],
        "one character changed": good[:middle] + ("a" if good[middle] != "a" else "b") + good[middle + 1 :],
        "one character more": "A" + good,
        "signed by another secret": cookie_of({"sign_in": "of the tests"}, secret="another-" * 5),
    }
    assert is_signed_in(with_cookie(good))
    for what, value in forged.items():
        with subtests.test(what):
            assert not is_signed_in(with_cookie(value))
            assert with_cookie(value).get("/signin", status=200).forms["record"]


@pytest.mark.parametrize(
    "header", ["{}", '"{}"', "{} ", "{}; other=1", "{};", "; a", '{}; b="c;d', "{}; e=f=g", "{}; h=\xff"]
)
def test_the_cookie_is_found_among_others(enter, ada, with_cookie, header):
    good = enter(ada).cookies["session"]
    assert is_signed_in(with_cookie(header.format(good))) == ("{}" in header)


def test_a_signed_cookie_with_any_content_redirects_to_the_sign_in(with_cookie, ada, subtests):
    for content in "", "unknown", "\ud800", "\x00", "a" * 2000, 0, 1, None, True, [], ["a"], {"a": "b"}, 1.5:
        with subtests.test(repr(content)[:20]):
            assert not is_signed_in(with_cookie(cookie_of({"sign_in": content})))


def test_the_stored_digest_signs_nobody_in(enter, ada, rows, with_cookie):
    enter(ada)
    assert not is_signed_in(with_cookie(cookie_of({"sign_in": rows(SignIn)[0].token})))


def test_the_cookie_of_a_deleted_user_redirects_to_the_sign_in(enter, ada, outside, rows):
    browser = enter(ada)
    with outside.begin() as connection:
        if outside.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")
        connection.execute(User.__table__.delete().where(User.id == ada.id))
    assert not is_signed_in(browser)
    assert rows(SignIn) == []


def test_the_cookie_of_an_inactive_user_redirects_to_the_sign_in(enter, ada, change):
    browser = enter(ada)
    change(ada, active=False)
    assert not is_signed_in(browser)
    assert sign_in(browser).status_int == 422


def test_a_form_after_the_sign_in_ended_writes_nothing(enter, ada, outside, rows):
    form = enter(ada).get(f"/users/{ada.id}/edit").forms["record"]
    with outside.begin() as connection:
        connection.execute(SignIn.__table__.delete())
    form["name"] = "Changed"
    assert form.submit(status=403).html.h1.text == "Sign in"
    assert rows(User)[0].name == "Ada Lovelace"


def test_the_csrf_token_of_another_session_is_refused(enter, ada, visitor, rows):
    browser = enter(ada)
    form = browser.get(f"/users/{ada.id}/edit").forms["record"]
    form["name"] = "Changed"
    for token in visitor().get("/signin").forms["record"]["csrf_token"].value, "", "a", "é", "\x00":
        form["csrf_token"] = token
        assert form.submit(status=400).html.h1.text == "Invalid request"
    assert rows(User)[0].name == "Ada Lovelace"


@pytest.mark.usefixtures("ada")
def test_a_sign_in_without_a_csrf_token_is_refused(visitor, rows):
    sent = {"email": "ada@example.com", "password": "correct horse battery staple", "next": ""}
    visitor().post("/signin", sent, status=400).mustcontain("cookies are turned off")
    assert rows(SignIn) == []


# Expiry


@pytest.mark.usefixtures("hours")
def test_an_unused_sign_in_expires(enter, ada, age):
    browser = enter(ada)
    age(SignIn.seen_at, hours=1, minutes=59)
    assert is_signed_in(browser)
    age(SignIn.seen_at, hours=2)
    assert not is_signed_in(browser)


@pytest.mark.usefixtures("hours")
def test_a_used_sign_in_expires_too(enter, ada, age):
    browser = enter(ada)
    age(SignIn.created_at, hours=29, minutes=59)
    assert is_signed_in(browser)
    age(SignIn.created_at, hours=30)
    assert not is_signed_in(browser)


def test_the_default_is_12_hours_idle_and_a_week_in_all(enter, ada, age):
    browser = enter(ada)
    age(SignIn.created_at, hours=167)
    age(SignIn.seen_at, hours=11)
    assert is_signed_in(browser)
    age(SignIn.created_at, hours=169)
    assert not is_signed_in(browser)
    age(SignIn.created_at, hours=13)
    age(SignIn.seen_at, hours=13)
    assert not is_signed_in(browser)


def test_expired_sign_ins_are_deleted_at_the_next_sign_in(enter, ada, age, make_person, rows):
    enter(ada)
    enter(make_person("Bob", email="bob@example.com"))
    age(SignIn.seen_at, hours=13)
    old = [row.id for row in rows(SignIn)]
    enter(ada)
    assert [row.id in old for row in rows(SignIn)] == [False]


# Last seen


def test_last_seen_is_written_at_most_once_in_five_minutes(enter, ada, age, statements, rows):
    browser = enter(ada)
    age(SignIn.seen_at, minutes=4, seconds=50)
    before = rows(SignIn)[0].seen_at
    assert statements(lambda: browser.get("/users"), "UPDATE sign_ins") == []
    assert rows(SignIn)[0].seen_at == before
    age(SignIn.seen_at, minutes=5, seconds=1)
    assert len(statements(lambda: [browser.get("/users"), browser.get("/posts")], "UPDATE sign_ins")) == 1
    assert rows(SignIn)[0].seen_at > before


def test_last_seen_is_written_by_a_refused_request_too(enter, ada, age, rows):
    browser = enter(ada)
    form = browser.get(f"/users/{ada.id}/edit").forms["record"]
    form["name"] = ""
    age(SignIn.seen_at, hours=1)
    before = rows(SignIn)[0].seen_at
    form.submit(status=422)
    assert rows(SignIn)[0].seen_at > before


def test_use_does_not_extend_the_absolute_limit(enter, ada, age, rows):
    browser = enter(ada)
    before = rows(SignIn)[0]
    age(SignIn.seen_at, hours=1)
    browser.get("/users", status=200)
    assert (rows(SignIn)[0].created_at, rows(SignIn)[0].confirmed_at) == (before.created_at, before.confirmed_at)


def test_a_page_does_not_wait_for_a_writer(enter, ada, age, outside):
    browser = enter(ada)
    age(SignIn.seen_at, minutes=4)
    with outside.connect() as writer:
        writer.exec_driver_sql("BEGIN IMMEDIATE" if outside.dialect.name == "sqlite" else "SELECT 1")
        writer.execute(User.__table__.update().values(age=37))
        assert is_signed_in(browser)
        writer.rollback()
