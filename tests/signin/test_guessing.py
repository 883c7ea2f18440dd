"""Guessed passwords: who has to wait, for how long, and what is stored."""

import datetime
import sqlite3
import time

import pytest
from sqlalchemy import insert
from waitress.proxy_headers import proxy_headers_middleware
from webtest import TestApp

from myproject import main
from myproject.db.base import utcnow
from myproject.models import SignIn
from myproject.signin.models import FailedSignIn
from tests import sqlite_only
from tests.conftest import finish_writes
from tests.signed_in import PASSWORD

from .conftest import is_signed_in, sign_in

PROXY = "203.0.113.9"
MINE, MALLORYS = "192.0.2.1", "198.51.100.7"


@pytest.fixture(autouse=True)
def at_the_door(ada):
    """Ada exists in every test here."""


@pytest.fixture
def later(monkeypatch):
    """Call `later(seconds=61)`: move the clock of the limits forward."""

    def move(**delta):
        monkeypatch.setattr("myproject.signin.guessing.utcnow", lambda: utcnow() + datetime.timedelta(**delta))

    return move


@pytest.fixture
def behind_proxy(wsgi):
    """Call `behind_proxy(sender, client)`: return a browser at `sender` that forwards for `client`."""
    served = proxy_headers_middleware(
        wsgi, trusted_proxy=PROXY, trusted_proxy_count=1, trusted_proxy_headers={"x-forwarded-for"}
    )

    def open_browser(sender, client):
        return TestApp(served, extra_environ={"REMOTE_ADDR": sender, "HTTP_X_FORWARDED_FOR": client})

    return open_browser


def guess(browser, times, email="ada@example.com"):
    """Send a wrong password `times` times; return the statuses of the answers."""
    form = browser.get("/signin").forms["record"]
    form["email"], form["password"] = email, "a wrong password"
    return [form.submit(expect_errors=True).status_int for _ in range(times)]


def guess_from_everywhere(visitor):
    """Send 20 wrong passwords for Ada from four addresses."""
    for number in range(4):
        assert guess(visitor(f"198.51.100.{number}"), 5) == [422] * 5


def test_after_five_wrong_passwords_the_right_one_has_to_wait(visitor, rows, hashes):
    browser = visitor()
    assert guess(browser, 5) == [422] * 5
    hashes.clear()
    page = sign_in(browser)
    assert page.status_int == 429
    assert 50 <= int(page.headers["Retry-After"]) <= 60
    assert f"Try again in {page.headers['Retry-After']} seconds." in page.html.find(id="password-error").text
    assert page.forms["record"]["email"].value == "ada@example.com"
    page.mustcontain(no=PASSWORD)
    assert (hashes, rows(SignIn)) == ([], [])


def test_after_a_minute_the_right_password_works(visitor, later):
    browser = visitor()
    guess(browser, 5)
    later(seconds=45)
    assert 10 <= int(sign_in(browser).headers["Retry-After"]) <= 15
    later(seconds=61)
    assert sign_in(browser).status_int == 303


def test_the_fifth_password_may_be_the_right_one(visitor):
    browser = visitor()
    assert guess(browser, 4) == [422] * 4
    assert sign_in(browser).status_int == 303


def test_attempts_that_have_to_wait_are_not_counted(visitor, rows, later):
    browser = visitor()
    assert guess(browser, 8) == [422] * 5 + [429] * 3
    assert len(rows(FailedSignIn)) == 5
    later(seconds=61)
    assert sign_in(browser).status_int == 303


def test_all_spellings_of_an_email_are_one_account(visitor):
    browser = visitor()
    for email in "ada@example.com", "ADA@example.com", " ada@example.com", "Ada@Example.Com ", "adA@example.com":
        assert sign_in(browser, email, "a wrong password").status_int == 422
    assert sign_in(browser).status_int == 429


def test_an_unknown_account_has_to_wait_too(visitor):
    assert guess(visitor(), 6, "nobody@example.com") == [422] * 5 + [429]


def test_guesses_at_one_account_do_not_affect_others(visitor, make_person):
    make_person(email="bob@example.com")
    browser = visitor()
    assert guess(browser, 6)[-1] == 429
    assert sign_in(browser, "bob@example.com").status_int == 303


def test_the_right_password_works_from_another_address(visitor):
    guess_from_everywhere(visitor)
    assert guess(visitor("198.51.100.0"), 1) == [429]
    assert sign_in(visitor(MINE)).status_int == 303


def test_an_attacked_account_has_one_attempt_a_minute_per_address(visitor, later):
    guess_from_everywhere(visitor)
    browser = visitor(MINE)
    assert guess(browser, 2) == [422, 429]
    page = sign_in(browser)
    assert (page.status_int, int(page.headers["Retry-After"]) <= 60) == (429, True)
    later(seconds=61)
    assert sign_in(browser).status_int == 303


@pytest.mark.parametrize(("failures", "next_answer"), [(18, 422), (19, 429)])
def test_the_twentieth_wrong_password_slows_its_own_address_down(failures, next_answer, visitor):
    for number in range(failures):
        assert guess(visitor(f"198.51.100.{number}"), 1) == [422]
    assert guess(visitor(MINE), 2) == [422, next_answer]


def test_after_an_hour_there_are_five_attempts_again(visitor, age):
    guess_from_everywhere(visitor)
    age(FailedSignIn.failed_at, minutes=61)
    assert guess(visitor(MINE), 6) == [422] * 5 + [429]


def test_an_address_has_twenty_attempts_a_minute_at_all_accounts(visitor, later):
    browser = visitor(MALLORYS)
    for number in range(20):
        assert guess(browser, 1, f"user{number}@example.com") == [422]
    page = sign_in(browser)
    assert (page.status_int, 40 <= int(page.headers["Retry-After"]) <= 60) == (429, True)
    assert sign_in(visitor(MINE)).status_int == 303
    later(seconds=61)
    assert sign_in(browser).status_int == 303


def test_an_address_waits_until_its_oldest_attempt_at_any_account_is_a_minute_ago(visitor, later):
    browser = visitor(MALLORYS)
    guess(browser, 1, "user0@example.com")
    later(seconds=40)
    for number in range(1, 20):
        guess(browser, 1, f"user{number}@example.com")
    assert 1 <= int(sign_in(browser).headers["Retry-After"]) <= 20


def test_of_more_attempts_than_allowed_the_latest_twenty_count(visitor, outside, rows):
    browser = visitor(MALLORYS)
    for number in range(20):
        guess(browser, 1, f"user{number}@example.com")
    # Attempts that arrive at the same moment are all counted, however many they are.
    earlier = {"address": rows(FailedSignIn)[0].address, "failed_at": utcnow() - datetime.timedelta(seconds=50)}
    with outside.begin() as connection:
        connection.execute(insert(FailedSignIn).values(account="0" * 64, **earlier))
    assert int(sign_in(browser).headers["Retry-After"]) > 30


def test_the_twentieth_password_of_an_address_may_be_the_right_one(visitor):
    browser = visitor(MALLORYS)
    for number in range(19):
        assert guess(browser, 1, f"user{number}@example.com") == [422]
    assert sign_in(browser).status_int == 303


def test_failures_older_than_an_hour_are_deleted(visitor, age, rows):
    guess(visitor(), 3)
    age(FailedSignIn.failed_at, minutes=59)
    guess(visitor(), 1)
    assert len(rows(FailedSignIn)) == 4
    age(FailedSignIn.failed_at, minutes=61)
    guess(visitor(), 1)
    assert len(rows(FailedSignIn)) == 1


def test_only_keyed_digests_of_account_and_address_are_stored(visitor, rows):
    sign_in(visitor(), password="a wrong password")
    row = rows(FailedSignIn)[0]
    assert all(len(text) == 64 and set(text) <= set("0123456789abcdef") for text in (row.account, row.address))
    assert row.account != row.address


def test_the_right_password_is_not_counted(visitor, rows):
    assert is_signed_in(sign_in(visitor()).test_app)
    assert rows(FailedSignIn) == []


def test_two_servers_with_one_database_count_together(settings, wsgi, visitor):
    second = main({}, **settings)
    try:
        assert guess(visitor(), 3) == [422] * 3
        browser = TestApp(second, extra_environ={"REMOTE_ADDR": MINE})
        assert guess(browser, 3) == [422, 422, 429]
        assert sign_in(visitor()).status_int == 429
    finally:
        second.registry["dbsession_factory"].kw["bind"].dispose()


# Network addresses


def test_ipv6_addresses_are_counted_by_their_first_half(visitor):
    for number in range(5):
        assert guess(visitor(f"2001:db8:0:1:{number:x}::{number:x}"), 1) == [422]
    assert sign_in(visitor("2001:DB8:0:1:ffff::1")).status_int == 429
    assert sign_in(visitor("2001:db8:0:2::1")).status_int == 303


def test_mapped_ipv4_addresses_are_counted_one_by_one(visitor):
    assert guess(visitor(f"::ffff:{MALLORYS}"), 6) == [422] * 5 + [429]
    assert sign_in(visitor(f"::ffff:{MINE}")).status_int == 303


def test_both_spellings_of_an_ipv4_address_are_one(visitor):
    assert guess(visitor(f"::ffff:{MALLORYS}"), 5) == [422] * 5
    assert sign_in(visitor(MALLORYS)).status_int == 429


@pytest.mark.parametrize("address", ["", "unix:", "fe80::1%eth0", "1.2.3.4:80", "a" * 300])
def test_unusual_addresses_are_counted(visitor, address):
    assert guess(visitor(address), 6) == [422] * 5 + [429]
    assert sign_in(visitor(MINE)).status_int == 303


def test_forwarding_headers_of_a_client_are_ignored(visitor):
    for number in range(5):
        said = f"192.0.2.{100 + number}"
        browser = visitor(MALLORYS, HTTP_X_FORWARDED_FOR=said, HTTP_FORWARDED=f"for={said}", HTTP_X_REAL_IP=said)
        assert guess(browser, 1) == [422]
    assert sign_in(visitor(MALLORYS, HTTP_X_FORWARDED_FOR=MINE)).status_int == 429
    assert sign_in(visitor(MINE, HTTP_X_FORWARDED_FOR=MALLORYS)).status_int == 303


def test_the_trusted_proxy_names_the_client(behind_proxy, rows):
    assert guess(behind_proxy(PROXY, MALLORYS), 6) == [422] * 5 + [429]
    assert sign_in(behind_proxy(PROXY, MINE)).status_int == 303
    assert [row.address for row in rows(SignIn)] == [MINE]


def test_forged_entries_before_the_proxys_are_ignored(behind_proxy):
    for number in range(5):
        assert guess(behind_proxy(PROXY, f"192.0.2.{100 + number}, {MALLORYS}"), 1) == [422]
    assert sign_in(behind_proxy(PROXY, f"192.0.2.200, {MALLORYS}")).status_int == 429


def test_only_the_trusted_proxy_names_the_client(behind_proxy):
    for number in range(5):
        assert guess(behind_proxy(MALLORYS, f"192.0.2.{100 + number}"), 1) == [422]
    assert sign_in(behind_proxy(MALLORYS, MINE)).status_int == 429


# While somebody else holds SQLite's write lock


@pytest.fixture
def writer(outside, monkeypatch):
    """Another program's connection, which holds SQLite's write lock until its `rollback()`."""
    monkeypatch.setattr("myproject.db.after_transaction.LONGEST_ANSWER_DELAY_SECONDS", 0.01)
    connection = sqlite3.connect(outside.url.database, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()


@sqlite_only
def test_a_wrong_password_is_answered_at_once_and_stored_when_the_lock_is_free(visitor, rows, writer, wsgi):
    started = time.monotonic()
    assert guess(visitor(), 2) == [422] * 2
    assert time.monotonic() - started < 2
    assert rows(FailedSignIn) == []
    writer.rollback()
    finish_writes(wsgi)
    assert len(rows(FailedSignIn)) == 2


@sqlite_only
def test_wrong_passwords_are_counted_although_they_cannot_be_stored(visitor, rows, writer, wsgi):
    assert guess(visitor(), 7) == [422] * 5 + [429] * 2
    for number in range(3):
        assert guess(visitor(f"198.51.100.{number}"), 5) == [422] * 5
    # That was 20 times at this account.
    assert guess(visitor("203.0.113.1"), 2) == [422, 429]
    assert rows(FailedSignIn) == []
    writer.rollback()
    finish_writes(wsgi)
    assert (len(rows(FailedSignIn)), wsgi.registry["uncommitted_failures"]) == (21, {})
    assert guess(visitor(), 1) == [429]


@sqlite_only
def test_failures_that_cannot_be_stored_expire_like_others(visitor, writer, later, wsgi):
    browser = visitor()
    assert guess(browser, 6) == [422] * 5 + [429]
    later(seconds=61)
    assert guess(browser, 6) == [422] * 5 + [429]
    later(minutes=62)
    assert guess(browser, 1) == [422]
    assert len(wsgi.registry["uncommitted_failures"]) == 1
    writer.rollback()
