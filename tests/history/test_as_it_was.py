"""A record as it was at a moment, from the ledger."""

import datetime

import pytest
import sqlalchemy

from myproject.models import Change, User

from . import plain, text_of

UTC = datetime.UTC
JOINED = datetime.datetime(2026, 3, 1, 9, tzinfo=UTC)


def state(app, path, at):
    """Return {field: value} of the record as the page says it was, and its note."""
    panel = app.get(path, {"at": at}).html.select_one("section.panel")
    note = panel.select_one(".note")
    fields = {plain(label): plain(label.find_next_sibling("dd")) for label in panel.select("dt")}
    return fields, plain(note) if note else None


@pytest.fixture
def bob(outside, make_user, execute_as, backdate, entries):
    """Bob, added on 1 March 2026, 40 years old from the 2nd on, an editor from the 3rd on; return his page."""
    user = make_user("Bob", created_at=JOINED, age=39)
    execute_as(f"UPDATE users SET age = 40 WHERE id = {user.id}")
    execute_as(f"UPDATE users SET role = 'editor' WHERE id = {user.id}")
    for day, entry in enumerate(entries(), start=1):
        backdate(entry.id, datetime.datetime(2026, 3, day, 9, tzinfo=UTC))
    return f"/users/{user.id}/history"


@pytest.mark.parametrize(
    ("at", "age", "role"),
    [
        ("2026-03-01T09:00", "39", "Member"),
        ("2026-03-02T08:59:59", "39", "Member"),
        ("2026-03-02T09:00", "40", "Member"),
        ("2026-03-03T10:00:00.5", "40", "Editor"),
    ],
)
def test_a_record_is_shown_as_it_was(app, bob, at, age, role):
    fields, note = state(app, bob, at)
    assert (fields["Name"], fields["Age"], fields["Role"], fields["Active"], note) == ("Bob", age, role, "Yes", None)
    assert fields["Joined"] == "Mar 1, 2026 09:00 UTC"


def test_a_record_did_not_exist_before_it_was_added(app, bob):
    assert state(app, bob, "2026-03-01T08:59") == ({}, "The record did not exist yet.")
    assert state(app, bob, "0001-01-01T00:00") == ({}, "The record did not exist yet.")


def test_a_record_was_deleted(app, bob, outside, entries, backdate):
    with outside.begin() as connection:
        connection.execute(sqlalchemy.delete(User).where(User.name == "Bob"))
    backdate(entries()[-1].id, datetime.datetime(2026, 3, 4, tzinfo=UTC))
    assert state(app, bob, "2026-03-05T00:00") == ({}, "The record was deleted at that time.")
    assert state(app, bob, "2026-03-03T23:00")[0]["Role"] == "Editor"


def test_a_moment_in_the_future_shows_the_record_as_it_is_now(app, bob):
    fields, note = state(app, bob, "9999-12-31T23:59")
    assert (fields["Role"], note) == ("Editor", "This moment is in the future. The record is shown as it is now.")


@pytest.mark.passes_ledger_by
def test_before_the_history_the_oldest_known_values_are_shown(app, outside, bob):
    with outside.begin() as connection:
        first = sqlalchemy.select(sqlalchemy.func.min(Change.id)).where(
            Change.table_name == "users", Change.record_id > 0
        )
        connection.execute(sqlalchemy.delete(Change).where(Change.id == first.scalar_subquery()))
        connection.exec_driver_sql("DELETE FROM history_entries WHERE NOT EXISTS (SELECT 1 FROM history_changes"
                                   " WHERE entry_id = history_entries.id AND record_id > 0)")  # fmt: skip
    fields, note = state(app, bob, "2026-03-01T12:00")
    assert (fields["Age"], note) == ("39", "The history did not begin until later. These are the oldest known values.")


@pytest.mark.passes_ledger_by
def test_a_record_without_changes_is_shown_as_it_is(app, outside, bob):
    with outside.begin() as connection:
        connection.execute(sqlalchemy.delete(Change))
    fields, _note = state(app, bob, "2026-03-03T12:00")
    assert (fields["Age"], fields["Role"]) == ("40", "Editor")
    assert state(app, bob, "2026-02-01T12:00") == ({}, "The record did not exist yet.")


@pytest.mark.passes_ledger_by
def test_erased_values_are_not_shown(app, outside, bob):
    with outside.begin() as connection:
        connection.execute(sqlalchemy.update(Change).where(Change.record_id > 0).values(before={}, after={}))
    assert state(app, bob, "2026-03-02T12:00") == ({}, "The values of that time were permanently erased.")


@pytest.mark.parametrize("text", ["yesterday", "2026-02-30T10:00", "2026-03-01", "2026-03-01T25:00", "9" * 3000,
                                  "2026-03-01T10:00Z", "٢026-03-01T10:00", "<b>"])  # fmt: skip
def test_a_moment_that_is_none_is_said_to_be_none(app, bob, text):
    fields, note = state(app, bob, text)
    assert fields == {}
    assert "is not a date with a time." in note


def test_the_moment_is_that_of_the_persons_time_zone(settings, request, bob):
    settings["myproject.timezone"] = "Asia/Seoul"
    app = request.getfixturevalue("app")
    assert state(app, bob, "2026-03-02T17:59")[0]["Age"] == "39"
    page = app.get(bob, {"at": "2026-03-02T18:00"})
    assert page.forms[2]["at"].value == "2026-03-02T18:00:00"
    assert "As it was on Mar 2, 2026 18:00 UTC+9" in text_of(page)
