"""The page that merges two people's changes says who has saved meanwhile, and when."""

import datetime

import pytest

from myproject.models import User
from tests.people import add_person, browser_of

from . import save, text_of

MOMENT = datetime.datetime(2026, 3, 1, 9, 30, tzinfo=datetime.UTC)


@pytest.fixture
def conflict(app, make_user, entries, backdate):
    """Call `conflict(act)`: the page of Bob's form, sent after `act(path)` has changed him on 1 March 2026."""
    user = make_user("Bob")
    path = f"/users/{user.id}/edit"

    def run(act):
        form = app.get(path).forms["record"]
        act(path)
        backdate(entries()[-1].id, MOMENT)
        form["name"] = "Robert"
        return form.submit(status=409)

    return run


def test_the_page_of_a_conflict_says_who_has_saved_meanwhile(conflict, wsgi, outside):
    other = browser_of(wsgi, outside, add_person(outside, "Ada Lovelace", "editor"))
    page = conflict(lambda path: save(other, path, name="Bobby"))
    assert "Saved by Ada Lovelace on Mar 1, 2026 09:30 UTC." in text_of(page)


def test_the_page_of_two_changes_that_were_merged_says_so_too(conflict, execute_as):
    page = conflict(lambda path: execute_as("UPDATE users SET age = 7 WHERE name = 'Bob'", route="create_admin"))
    assert "Saved by the command create_admin on Mar 1, 2026 09:30 UTC." in text_of(page)


def test_another_program_is_named_as_such(conflict, outside):
    def act(_path):
        with outside.begin() as connection:
            connection.exec_driver_sql("UPDATE users SET age = 7 WHERE name = 'Bob'")

    assert "Saved by another program on Mar 1, 2026 09:30 UTC." in text_of(conflict(act))


def test_a_person_who_is_gone_is_a_deleted_user(conflict, execute_as):
    page = conflict(lambda path: execute_as("UPDATE users SET age = 7 WHERE name = 'Bob'", actor_id=999_999))
    assert "Saved by a deleted user on Mar 1, 2026 09:30 UTC." in text_of(page)


def test_a_form_that_meets_nobody_names_nobody(app, make_user, rows):
    user = make_user("Bob")
    form = app.get(f"/users/{user.id}/edit").forms["record"]
    form["age"] = "abc"
    assert "Saved by" not in form.submit(status=422)
    assert len(rows(User)) == 1
