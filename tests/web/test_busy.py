"""The page for those who cannot save because of long work: it says so, and keeps what they entered."""

import contextlib
import time

import pytest

from myproject.models import Entry, User
from myproject.web.busy import IMPORT, Announcement, time_left
from tests.people import add_person, browser_of, token_of

LOCKS = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE"}


@pytest.fixture
def settings(settings, short_waits):
    """The settings of an application whose requests wait for a lock for a moment only."""
    return settings


@pytest.fixture
def announce(wsgi):
    """Call `announce()`: an import is announced that takes another 40 seconds, until the test ends."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(
            contextlib.closing(Announcement(wsgi.registry.settings["spool.folder"], IMPORT, 7, 40))
        )


@pytest.fixture
def lock(outside):
    """Call `lock()`: another program keeps everybody from saving a user, until the transaction it returns ends."""
    with outside.connect() as connection:

        def take():
            connection.exec_driver_sql(LOCKS[outside.dialect.name])
            return connection

        yield take
        connection.rollback()


def test_the_page_says_what_is_going_on_and_sends_the_form_again(app, announce, make_user, lock, rows):
    user = make_user("Ada", email="ada@example.com")
    form = app.get(f"/users/{user.id}/edit").forms["record"]
    form["name"] = 'Ada "King" &amp; <b>'
    announce()
    locked = lock()
    started = time.monotonic()
    page = form.submit(status=503)
    # Others are left out: ten seconds of attempts would be in vain.
    assert time.monotonic() - started < 5
    assert 30 < int(page.headers["Retry-After"]) <= 40
    page.mustcontain(
        "An import is being saved", "Users are being imported: 7.", "about ", " seconds more", "kept on this page"
    )
    locked.rollback()
    page.forms["record"].submit(status=303)
    assert [user.name for user in rows(User)] == ['Ada "King" &amp; <b>']
    page.forms["record"].submit(status=303)
    assert len([entry for entry in rows(Entry) if entry.route == "users.edit"]) == 1


def test_a_password_is_asked_for_again_and_not_kept(app, announce, make_user, lock):
    user = make_user("Ada", email="ada@example.com")
    form = app.get(f"/users/{user.id}/erase").forms["record"]
    announce()
    lock()
    fields = {**dict(form.submit_fields()), "your_password": "correct horse battery staple"}
    page = app.post(f"/users/{user.id}/erase", fields, status=503)
    assert "horse" not in page
    assert "named" in page.forms["record"].fields


def test_a_form_of_another_site_cannot_be_sent_again(app, wsgi, outside, announce, make_user, lock):
    user = make_user("Ada", email="ada@example.com")
    mallory = browser_of(wsgi, outside, add_person(outside, "Mallory", "editor"))
    announce()
    tokens = [None, token_of(app), mallory.get("/users/new").forms["record"]["csrf_token"].value]
    lock()
    # Without a token, without the mark of a person, and with the token and the mark of somebody else.
    for token in tokens:
        sent = {"name": "Mallory", **({"csrf_token": token} if token else {})}
        # PostgreSQL looks at the token before anything is locked.
        page = app.post(f"/users/{user.id}/edit", sent, status="*")
        assert page.status_int in (400, 503)
        assert "record" not in page.forms
        assert "Mallory" not in page


def test_without_long_work_the_page_is_the_usual_one(app, make_user, lock, settings, wsgi, monkeypatch):
    monkeypatch.setitem(wsgi.registry.settings, "retry.longest_wait", 0)
    user = make_user("Ada", email="ada@example.com")
    form = app.get(f"/users/{user.id}/edit").forms["record"]
    form["name"] = "Ada King"
    lock()
    page = form.submit(status=503)
    page.mustcontain("The database is not available", "Nothing was saved.")


@pytest.mark.parametrize(("seconds", "count"), [(0.5, None), (3.2, 4), (34, 40), (89, 90), (91, 2), (600, 10)])
def test_the_time_left_is_rounded_up(seconds, count):
    assert (time_left(seconds).mapping or {}).get("count") == count
