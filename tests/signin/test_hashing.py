"""Argon2 and SQLite's write lock: no hash is computed while a request holds it, and none for strangers."""

import argon2
import pytest
import sqlalchemy
from pyramid_retry import mark_error_retryable

from myproject.models import SignIn, User
from tests.people import token_of
from tests.signed_in import HASHER, PASSWORD

from .conftest import sign_in

NEW_PASSWORD = "nine green bottles hanging"
VERIFY, HASH = "verify_secret", "hash_secret"

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def lock(outside, monkeypatch):
    """A list of the hashes that Argon2 computes, each with whether another connection can take the write lock then."""
    computed = []

    def checking(compute):
        def run(*args, **kwargs):
            computed.append((compute.__name__, can_write(outside)))
            return compute(*args, **kwargs)

        return run

    for compute in argon2.low_level.verify_secret, argon2.low_level.hash_secret:
        monkeypatch.setattr(f"argon2._password_hasher.{compute.__name__}", checking(compute))
    return computed


def can_write(engine):
    """Return whether a new connection gets SQLite's write lock at once."""
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 0")
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except sqlalchemy.exc.OperationalError:
            return False
        connection.exec_driver_sql("ROLLBACK")
        return True


@pytest.fixture
def unconfirmed(admin, age):
    """An administrator's browser in which the password was last entered more than 15 minutes ago."""
    age(SignIn.confirmed_at, minutes=16)
    return admin


@pytest.fixture
def link(admin, ada):
    """The address with which Ada can set her password."""
    page = admin.get(f"/users/{ada.id}/password-link").forms["record"].submit(status=200)
    return page.html.select_one(".secret code").text


@pytest.fixture
def retried(monkeypatch):
    """Call `retried("myproject.signin.views.start_sign_in")`: let the first call of the function lose a race."""

    def patch(name):
        module, _dot, function = name.rpartition(".")
        original, calls = getattr(__import__(module, fromlist=[function]), function), []

        def lose_once(*args, **kwargs):
            calls.append(name)
            if len(calls) == 1:
                error = RuntimeError("another request was first")
                mark_error_retryable(error)
                raise error
            return original(*args, **kwargs)

        monkeypatch.setattr(name, lose_once)
        return calls

    return patch


@pytest.fixture
def in_production(settings):
    """Let the site ask for the token in the log."""
    settings["myproject.development"] = "false"


def filled_in_setup(browser, **values):
    """Return the form of `/setup`, filled in."""
    form = browser.get("/setup").forms["record"]
    for name, value in {"name": "Ada", "email": "ada@example.com", "password": PASSWORD, **values}.items():
        form[name] = value
    return form


# The write lock


@on_sqlite
@pytest.mark.parametrize("password", [PASSWORD, "a wrong password"])
@pytest.mark.parametrize(
    ("page", "fields"),
    [("edit", {"role": "editor"}), ("edit", {"email": "new@example.com"}), ("erase", {}), ("password-link", {})],
)
def test_the_lock_is_free_while_the_own_password_is_verified(unconfirmed, ada, lock, page, fields, password):
    form = unconfirmed.get(f"/users/{ada.id}/{page}").forms["record"]
    for name, value in fields.items():
        form[name] = value
    if page == "edit":
        form = form.submit(status=422).forms["record"]
    form["your_password"] = password
    answer = form.submit(expect_errors=True)
    assert answer.status_int == (422 if password != PASSWORD else 200 if page == "password-link" else 303)
    assert lock == [(VERIFY, True)]


@on_sqlite
def test_the_lock_is_free_while_sign_ins_are_ended(unconfirmed, enter, ada, lock):
    enter(ada)
    lock.clear()
    form = unconfirmed.get(f"/users/{ada.id}/sign-ins").forms["record"]
    form["your_password"] = PASSWORD
    form.submit("end", value="others", status=303)
    assert lock == [(VERIFY, True)]


@on_sqlite
def test_the_lock_is_free_while_the_own_password_is_changed(enter, ada, lock):
    form = enter(ada).get(f"/users/{ada.id}/password").forms["record"]
    lock.clear()
    form["your_password"], form["password"] = PASSWORD, NEW_PASSWORD
    form.submit(status=303)
    assert lock == [(VERIFY, True), (HASH, True)]


@on_sqlite
def test_the_lock_is_free_while_a_link_is_used(link, visitor, lock):
    form = visitor().get(link).forms["record"]
    form["password"] = NEW_PASSWORD
    form.submit(status=303)
    assert lock == [(HASH, True)]


@on_sqlite
@pytest.mark.usefixtures("nobody")
def test_the_lock_is_free_while_the_first_administrator_is_made(visitor, lock):
    filled_in_setup(visitor()).submit(status=303)
    assert lock == [(HASH, True)]


@on_sqlite
@pytest.mark.parametrize("form_token", [None, "0" * 32])
@pytest.mark.parametrize("password", [PASSWORD, "a wrong password"])
@pytest.mark.usefixtures("ada")
def test_the_lock_is_free_while_somebody_signs_in(visitor, lock, password, form_token):
    browser = visitor()
    sent = {"csrf_token": token_of(browser), "email": "ada@example.com", "password": password}
    browser.post("/signin", {**sent, **({"form_token": form_token} if form_token else {})}, expect_errors=True)
    assert lock == [(VERIFY, True)]


@on_sqlite
def test_the_lock_is_free_while_a_hash_is_replaced_at_sign_in(settings, make_person, request, lock):
    settings["argon2.time_cost"] = "3"
    make_person()
    lock.clear()
    assert sign_in(request.getfixturevalue("visitor")()).status_int == 303
    assert [computed for computed in lock if computed[0] == VERIFY] == [(VERIFY, True)]
    assert [computed for computed in lock if computed[0] == HASH][-1] == (HASH, True)
    assert {is_free for _function, is_free in lock} == {True}


@on_sqlite
def test_a_held_lock_would_be_noticed(outside):
    with outside.connect() as writer:
        writer.exec_driver_sql("BEGIN IMMEDIATE")
        assert not can_write(outside)
        writer.rollback()
    assert can_write(outside)


# Retried requests


def test_a_retried_sign_in_verifies_the_password_once(ada, visitor, hashes, retried):
    calls = retried("myproject.signin.views.start_sign_in")
    assert sign_in(visitor()).status_int == 303
    assert (len(calls), hashes) == (2, [VERIFY])


def test_a_retried_change_of_the_own_password_computes_each_hash_once(enter, ada, hashes, retried, rows):
    form = enter(ada).get(f"/users/{ada.id}/password").forms["record"]
    hashes.clear()
    calls = retried("myproject.signin.own_password.set_password")
    form["your_password"], form["password"] = PASSWORD, NEW_PASSWORD
    form.submit(status=303)
    assert (len(calls), hashes) == (2, [VERIFY, HASH])
    assert HASHER.verify(NEW_PASSWORD, rows(User)[0].password_hash)


def test_a_retried_use_of_a_link_computes_one_hash(link, visitor, hashes, retried):
    form = visitor().get(link).forms["record"]
    form["password"] = NEW_PASSWORD
    calls = retried("myproject.signin.password_links.set_password")
    form.submit(status=303)
    assert (len(calls), hashes) == (2, [HASH])


@pytest.mark.usefixtures("nobody")
def test_a_retried_setup_computes_one_hash(visitor, hashes, retried):
    calls = retried("myproject.signin.setup.start_sign_in")
    filled_in_setup(visitor()).submit(status=303)
    assert (len(calls), hashes) == (2, [HASH])


def test_a_password_changed_in_between_is_compared_with_the_new_hash(enter, ada, change, monkeypatch, rows):
    browser = enter(ada)
    form = browser.get(f"/users/{ada.id}/password").forms["record"]
    form["your_password"], form["password"] = PASSWORD, NEW_PASSWORD
    other_hash = HASHER.hash("a password set in between")
    check = "myproject.signin.confirmation.find_password_problem"
    monkeypatch.setattr(check, lambda *_: change(ada, password_hash=other_hash) or "too late")
    form.submit(status=422).mustcontain("Wrong password")
    assert rows(User)[0].password_hash == other_hash


CHANGES = {
    "deactivated": {"active": False},
    "given another password": {"password_hash": HASHER.hash("a password set in between")},
    "left without a password": {"password_hash": None},
}


@pytest.mark.parametrize("changed", CHANGES)
def test_a_person_changed_while_the_password_is_verified_is_not_signed_in(
    changed, visitor, ada, change, rows, meanwhile
):
    meanwhile(lambda: change(ada, **CHANGES[changed]))
    answer = sign_in(visitor())
    assert (answer.status_int, rows(SignIn)) == (422, [])
    answer.mustcontain("Wrong email or password.")


def test_a_person_deleted_while_the_password_is_verified_is_not_signed_in(visitor, ada, outside, rows, meanwhile):
    def delete():
        with outside.begin() as connection:
            connection.execute(sqlalchemy.delete(User).where(User.id == ada.id))

    meanwhile(delete)
    assert (sign_in(visitor()).status_int, rows(SignIn)) == (422, [])


@pytest.fixture
def meanwhile(monkeypatch):
    """Call `meanwhile(work)`: do `work()` right after the next password was verified."""
    verify = argon2.low_level.verify_secret

    def patch(work):
        def verify_then_work(*args, **kwargs):
            result = verify(*args, **kwargs)
            work()
            return result

        monkeypatch.setattr("argon2._password_hasher.verify_secret", verify_then_work)

    return patch


# Who can make the server compute a hash


def test_no_hash_is_computed_for_an_unknown_link(stranger, hashes):
    sent = {"csrf_token": token_of(stranger), "password": NEW_PASSWORD}
    stranger.post("/set-password/unknown", sent, status=404)
    assert hashes == []


@pytest.mark.usefixtures("ada")
def test_no_hash_is_computed_for_setup_once_somebody_can_sign_in(stranger, hashes):
    sent = {"csrf_token": token_of(stranger), "name": "Eve", "email": "eve@example.com", "password": NEW_PASSWORD}
    stranger.post("/setup", sent, status=404)
    assert hashes == []


@pytest.mark.usefixtures("nobody", "in_production")
def test_no_hash_is_computed_for_setup_without_the_token(visitor, hashes):
    browser = visitor(**{"wsgi.url_scheme": "https", "HTTP_HOST": "localhost"})
    filled_in_setup(browser, token="0" * 32).submit(status=422)
    assert hashes == []


def test_no_hash_is_computed_for_a_stranger_who_sends_a_password(stranger, ada, hashes):
    sent = {"csrf_token": token_of(stranger), "your_password": PASSWORD, "password": NEW_PASSWORD}
    for path in "/users/new", f"/users/{ada.id}/edit", f"/users/{ada.id}/password", "/signout", "/language":
        stranger.post(path, sent, expect_errors=True)
    assert hashes == []


@pytest.mark.parametrize("csrf_token", [{}, {"csrf_token": "0" * 40}])
def test_no_hash_is_computed_for_a_form_of_another_session(enter, ada, link, visitor, hashes, csrf_token):
    person, other = enter(ada), visitor()
    other.get(link)
    hashes.clear()
    sent = {**csrf_token, "your_password": PASSWORD, "password": NEW_PASSWORD}
    person.post(f"/users/{ada.id}/password", sent, status=400)
    other.post(link, sent, status=400)
    assert hashes == []


def test_no_hash_is_computed_for_a_body_that_is_too_large(enter, ada, hashes):
    browser = enter(ada)
    sent = {"csrf_token": token_of(browser), "your_password": PASSWORD, "password": "a" * 10**6}
    hashes.clear()
    browser.post(f"/users/{ada.id}/password", sent, status=413)
    assert hashes == []


def test_the_new_password_is_hashed_only_after_the_right_present_one(enter, ada, hashes):
    form = enter(ada).get(f"/users/{ada.id}/password").forms["record"]
    hashes.clear()
    form["your_password"], form["password"] = "a wrong password", NEW_PASSWORD
    form.submit(status=422)
    form["your_password"], form["password"] = PASSWORD, "short"
    form.submit(status=422)
    assert hashes == [VERIFY, VERIFY]


def test_no_hash_is_computed_while_a_person_has_to_wait(enter, ada, hashes):
    form = enter(ada).get(f"/users/{ada.id}/password").forms["record"]
    form["your_password"], form["password"] = "a wrong password", NEW_PASSWORD
    for _ in range(5):
        form.submit(status=422)
    hashes.clear()
    form["your_password"] = PASSWORD
    form.submit(status=422)
    assert hashes == []


def test_a_link_that_is_used_in_between_sets_no_password(link, visitor, outside, ada, rows, monkeypatch):
    form = visitor().get(link).forms["record"]
    form["password"] = NEW_PASSWORD

    def hash_and_use(request, password):
        with outside.begin() as connection:
            connection.exec_driver_sql("DELETE FROM password_links")

    monkeypatch.setattr("myproject.signin.password_links.hash_password", hash_and_use)
    form.submit(status=404)
    assert ada.password_hash in [user.password_hash for user in rows(User)]
