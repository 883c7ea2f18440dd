"""People who can sign in, their browsers, and ways to change their rows behind the application's back."""

import datetime

import argon2
import pytest
import sqlalchemy
from webtest import TestApp

from myproject.db.base import utcnow
from tests.signed_in import ENVIRON, HASHER, PASSWORD


def sign_in(browser, email="ada@example.com", password=PASSWORD, page="/signin"):
    """Fill in the form of `/signin` and send it; return the answer."""
    form = browser.get(page).forms["record"]
    form["email"], form["password"] = email, password
    return form.submit(expect_errors=True)


def is_signed_in(browser):
    """Return whether `/users` shows the list; fail unless it otherwise redirects to `/signin`."""
    answer = browser.get("/users")
    assert answer.status_int == 200 or answer.location == "http://localhost/signin?next=%2Fusers"
    return answer.status_int == 200


@pytest.fixture
def make_person(make_user):
    """Call `make_person(email=…)`: store a user who can sign in; return them."""

    def make(name="Ada Lovelace", email="ada@example.com", password=PASSWORD, **values):
        return make_user(name, email=email, password_hash=password and HASHER.hash(password), **values)

    return make


@pytest.fixture
def visitor(wsgi):
    """Call `visitor(address)`: return a new browser at this network address."""

    def open_browser(address="192.0.2.1", **environ):
        return TestApp(wsgi, extra_environ={**ENVIRON, "REMOTE_ADDR": address, **environ})

    return open_browser


@pytest.fixture
def enter(visitor):
    """Call `enter(person)`: return a new browser in which they have signed in."""

    def run(person, password=PASSWORD, **environ):
        browser = visitor(**environ)
        assert sign_in(browser, person.email, password).status_int == 303
        return browser

    return run


@pytest.fixture
def ada(make_person):
    """A member who can sign in."""
    return make_person()


@pytest.fixture
def admin(make_person, enter):
    """A browser in which an administrator, Grace, has just signed in."""
    return enter(make_person("Grace Hopper", email="grace@example.com", role="admin"))


@pytest.fixture
def age(outside):
    """Call `age(SignIn.seen_at, hours=13)`: set this column of every row to 13 hours ago."""

    def move(column, **ago):
        moment = utcnow() - datetime.timedelta(**ago)
        with outside.begin() as connection:
            connection.execute(sqlalchemy.update(column.class_).values({column: moment}))

    return move


@pytest.fixture
def change(outside):
    """Call `change(user, active=False)`: change a user's row over the second connection."""

    def write(user, **values):
        with outside.begin() as connection:
            connection.execute(sqlalchemy.update(type(user)).where(type(user).id == user.id).values(**values))

    return write


@pytest.fixture
def hashes(monkeypatch):
    """A list to which each hash that Argon2 computes is added."""
    computed = []

    def counting(compute):
        def run(*args, **kwargs):
            computed.append(compute.__name__)
            return compute(*args, **kwargs)

        return run

    for compute in argon2.low_level.verify_secret, argon2.low_level.hash_secret:
        monkeypatch.setattr(f"argon2._password_hasher.{compute.__name__}", counting(compute))
    return computed


@pytest.fixture
def statements(recorded):
    """Call `statements(work, "sign_ins")`: return the SQL statements of `work()` that contain this text."""

    def run(work, text=""):
        with recorded() as record:
            work()
        return [sql for sql in record.sql if text in sql]

    return run
