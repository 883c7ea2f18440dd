"""The first run, while nobody can sign in: `/setup` makes the first administrator."""

import logging
import re

import pytest

from myproject import main
from myproject.models import SignIn, User
from tests.signed_in import HASHER, PASSWORD
from tests.users.test_views import submit_together

from .conftest import is_signed_in, sign_in

pytestmark = pytest.mark.usefixtures("nobody")


@pytest.fixture
def in_production(settings):
    """Run the site as in production; ask for this fixture before `wsgi`."""
    settings["myproject.development"] = "false"


@pytest.fixture
def printed(caplog):
    """Call `printed()`: return the tokens in the log."""
    caplog.set_level(logging.WARNING)
    return lambda: re.findall(r"enter this token: (\S+)", caplog.text)


@pytest.fixture
def secure_visitor(visitor):
    """Call `secure_visitor()`: return a new browser that uses https."""
    return lambda: visitor(**{"wsgi.url_scheme": "https", "HTTP_HOST": "localhost"})


def filled_in(browser, **values):
    """Return the form of `/setup`, filled in."""
    form = browser.get("/setup").forms["record"]
    for name, value in {"name": "Ada Lovelace", "email": "ada@example.com", "password": PASSWORD, **values}.items():
        form[name] = value
    return form


def test_every_page_redirects_to_setup(visitor, subtests):
    for path in "/", "/users", "/users/1", "/users/new", "/posts", "/overview":
        with subtests.test(path):
            page = visitor().get(path, status=303).follow(status=303).follow(status=200)
            assert (page.request.path, page.html.h1.text) == ("/setup", "Welcome")


def test_setup_stays_open_while_no_user_can_sign_in(visitor, make_person, make_user):
    make_user("Bob", email="bob@example.com", role="admin")
    make_person(active=False, role="admin")
    assert visitor().get("/signin", status=303).location == "http://localhost/setup"
    filled_in(visitor(), email="grace@example.com").submit(status=303)


def test_the_first_administrator_is_made_and_signed_in(visitor, rows):
    browser = visitor()
    page = filled_in(browser).submit(status=303).follow().follow()
    assert page.html.find(role="status").text == "Welcome, Ada Lovelace. You are the first administrator."
    [user] = rows(User)
    assert (user.name, user.email, user.role, user.active) == ("Ada Lovelace", "ada@example.com", "admin", True)
    assert HASHER.verify(PASSWORD, user.password_hash)
    assert [row.user_id for row in rows(SignIn)] == [user.id]


def test_the_first_administrator_can_erase_and_sign_in_again(visitor, rows):
    browser = visitor()
    filled_in(browser).submit(status=303)
    browser.get(f"/users/{rows(User)[0].id}/erase", status=200)
    again = visitor()
    sign_in(again)
    assert is_signed_in(again)


def test_no_demo_people_are_added_by_default(visitor, rows):
    form = filled_in(visitor())
    assert form["demo"].checked is False
    form.submit(status=303)
    assert len(rows(User)) == 1


def test_demo_people_are_added_on_request(visitor, rows):
    browser = visitor()
    filled_in(browser, demo=True).submit(status=303)
    assert len(rows(User)) == 201
    assert [user.name for user in rows(User) if user.password_hash] == ["Ada Lovelace"]
    browser.get("/users").mustcontain("201 users")


def test_setup_closes_for_good_after_it_was_used(visitor, rows):
    late, used = filled_in(visitor(), email="eve@example.com"), filled_in(visitor())
    used.submit(status=303)
    late.submit(status=404)
    visitor().get("/setup", status=404)
    assert visitor().get("/users").follow().request.path == "/signin"
    assert [user.email for user in rows(User)] == ["ada@example.com"]


def test_setup_stays_closed_to_people_who_are_signed_in(visitor):
    browser = visitor()
    filled_in(browser).submit(status=303)
    browser.get("/setup", status=404)


def test_setup_stays_closed_after_a_restart(settings, visitor):
    filled_in(visitor()).submit(status=303)
    second = main({}, **settings)
    try:
        assert type(visitor())(second).get("/setup", expect_errors=True).status_int == 404
    finally:
        second.registry["dbsession_factory"].kw["bind"].dispose()


@pytest.mark.parametrize("emails", [("ada@example.com", "eve@example.com"), ("ada@example.com", "ada@example.com")])
def test_only_one_of_two_simultaneous_setups_succeeds(visitor, rows, emails):
    forms = [filled_in(visitor(), email=email) for email in emails]
    assert sorted(submit_together(forms)) == [303, 404]
    assert [user.role for user in rows(User)] == ["admin"]
    assert len(rows(SignIn)) == 1


def test_invalid_values_get_a_message_beside_the_field(visitor, rows, subtests):
    for field, value, said in [
        ("name", "", "Fill in this field."),
        ("name", "a" * 201, "Enter at most 200 characters"),
        ("email", "", "Fill in this field."),
        ("email", "ada", "Enter an email address like name@example.com"),
        ("password", "", "Fill in this field."),
        ("password", "short", "Enter at least 12 characters"),
        ("password", "password1234", "This password is too common"),
        ("password", "ada  LOVELACE", "too similar to your name, your email or the name of this site"),
        ("password", "ada@example.com", "too similar to your name, your email or the name of this site"),
        ("password", "correct horse\x00 battery", "control characters"),
    ]:
        with subtests.test(field, value=value[:20]):
            page = filled_in(visitor(), **{field: value}).submit(status=422)
            assert said in page.html.find(id=f"{field}-error").text
    assert rows(User) == []


def test_an_existing_user_becomes_the_administrator(visitor, make_user, rows):
    user = make_user("Ada", email="ADA@example.com", active=False)
    filled_in(visitor()).submit(status=303)
    assert [(row.id, row.role, row.active) for row in rows(User)] == [(user.id, "admin", True)]


def test_a_double_click_makes_one_administrator_who_is_signed_in(visitor, rows):
    browser = visitor()
    form = filled_in(browser)
    before = browser.cookies["session"]
    form.submit(status=303)
    after = browser.cookies["session"]
    # The second click was sent with the cookie from before the answer to the first.
    browser.cookiejar.clear()
    browser.set_cookie("session", before)
    answer = form.submit(expect_errors=True)
    if "Set-Cookie" not in answer.headers:
        browser.cookiejar.clear()
        browser.set_cookie("session", after)
    assert is_signed_in(browser)
    assert len(rows(User)) == 1


def test_in_development_no_token_is_asked_for(visitor, printed):
    assert "token" not in visitor().get("/setup").forms["record"].fields
    assert printed() == []


@pytest.mark.usefixtures("in_production", "nobody")
def test_production_asks_for_the_token_in_the_log(secure_visitor, printed, rows):
    form = filled_in(secure_visitor())
    form["token"] = printed()[0]
    assert len(printed()[0]) == 32
    form.submit(status=303)
    assert [user.email for user in rows(User)] == ["ada@example.com"]


@pytest.mark.usefixtures("in_production", "nobody")
def test_production_refuses_a_wrong_token(secure_visitor, printed, rows, subtests):
    form = filled_in(secure_visitor())
    token = printed()[0]
    for typed in "", token[:-1], token + "0", token.upper(), "a" * 32, "é", "\x00", "0", "a" * 101:
        with subtests.test(typed[:40]):
            form["token"] = typed
            assert form.submit(status=422).html.find(id="token-error").text
    assert rows(User) == []


@pytest.mark.usefixtures("in_production", "nobody")
def test_production_refuses_a_form_without_the_token(secure_visitor, rows):
    form = filled_in(secure_visitor())
    sent = [(name, value) for name, value in form.submit_fields() if name != "token"]
    form.response.test_app.post("/setup", sent, headers={"Referer": "https://localhost/setup"}, status=422)
    assert rows(User) == []


@pytest.mark.usefixtures("in_production", "nobody")
def test_the_page_never_shows_the_token(secure_visitor, printed):
    page = secure_visitor().get("/setup")
    page.mustcontain(no=printed()[0])


@pytest.mark.usefixtures("in_production", "nobody")
def test_the_token_depends_only_on_the_secret(settings, secure_visitor, printed):
    browser = secure_visitor()
    browser.get("/setup")
    for secret in settings["myproject.secret"], "another-" * 5:
        server = main({}, **{**settings, "myproject.secret": secret})
        type(browser)(server, extra_environ=browser.extra_environ).get("/setup", status=200)
        server.registry["dbsession_factory"].kw["bind"].dispose()
    first, same, other = printed()
    assert first == same != other


@pytest.mark.usefixtures("in_production", "nobody")
def test_the_token_is_logged_once_for_a_start(secure_visitor, printed):
    form = filled_in(secure_visitor())
    for browser in secure_visitor(), secure_visitor():
        browser.get("/setup", status=200)
    form["token"] = "wrong"
    form.submit(status=422)
    assert len(printed()) == 1


@pytest.mark.usefixtures("in_production", "nobody")
def test_a_used_token_is_worth_nothing(secure_visitor, printed, rows):
    first, second = filled_in(secure_visitor()), filled_in(secure_visitor(), email="eve@example.com")
    first["token"] = second["token"] = printed()[0]
    first.submit(status=303)
    second.submit(status=404)
    assert [user.email for user in rows(User)] == ["ada@example.com"]
