"""The history of a user or a post, also of one that was deleted, and the links from pages to it."""

import pytest
import sqlalchemy

from myproject.models import Change, Entry
from tests.people import add_person, browser_of

from . import save, text_of
from .test_views import shown_changes


def test_a_record_leads_to_its_history_and_that_to_the_entries_and_back(app, make_user):
    user = make_user("Bob")
    save(app, f"/users/{user.id}/edit", age="30")
    page = app.get(f"/users/{user.id}").click("History", href=f"/users/{user.id}/history")
    assert [heading for heading, _fields in shown_changes(page)] == [
        "Test Administrator entered the age of Bob: 30", "Another program added Bob",
    ]  # fmt: skip
    assert shown_changes(page)[0][1] == {"Age": "– → 30"}
    entry = page.click("Details", index=0)
    assert entry.click("History", href=f"/users/{user.id}/history").request.path == page.request.path
    assert page.click("Open the record").request.path == f"/users/{user.id}"


def test_a_post_leads_to_its_history(app, make_post):
    post = make_post("Hello", "World")
    save(app, f"/posts/{post.id}/edit", body="Moon")
    page = app.get(f"/posts/{post.id}").click("History", href=f"/posts/{post.id}/history")
    assert shown_changes(page)[0] == (
        "Test Administrator changed the text of the post “Hello” from World to Moon", {"Text": "World → Moon"},
    )  # fmt: skip


def test_the_history_of_a_deleted_record_opens(app, make_user):
    user = make_user("Bob")
    save(app, f"/users/{user.id}/delete")
    page = app.get(f"/users/{user.id}/history")
    assert "History of Bob Deleted" in text_of(page)
    assert shown_changes(page)[0][0] == "Test Administrator deleted Bob"
    assert "Open the record" not in page


@pytest.mark.parametrize("number", ["0", "999999", "9" * 30, "abc", "1%00"])
def test_a_record_that_never_was_has_no_history(app, number):
    app.get(f"/users/{number}/history", status=404)
    app.get(f"/posts/{number}/history", status=404)


@pytest.mark.passes_ledger_by
def test_a_record_without_changes_says_when_the_history_began(app, outside, make_user):
    user = make_user("Bob")
    with outside.begin() as connection:
        entry_id = connection.scalar(sqlalchemy.select(Change.entry_id).where(Change.record_id == user.id))
        connection.execute(sqlalchemy.delete(Change).where(Change.record_id == user.id))
        connection.execute(sqlalchemy.delete(Entry).where(Entry.id == entry_id))
    text = text_of(app.get(f"/users/{user.id}/history"))
    assert "No changes recorded. Changes before " in text


def test_the_activity_of_a_person_is_a_link(app, make_user, execute_as):
    actor, other = make_user("Bob"), make_user("Ada Lovelace")
    execute_as(f"UPDATE users SET age = 7 WHERE id = {other.id}", actor_id=actor.id)
    page = app.get(f"/users/{actor.id}").click("Activity")
    assert "Bob entered the age of Ada Lovelace: 7" in text_of(page)
    assert app.get(f"/users/{actor.id}/history").click("Activity").request.path == "/history"


def test_a_member_sees_the_history_of_their_own_record(wsgi, outside, execute_as):
    person, other = add_person(outside, "Bob"), add_person(outside, "Ada Lovelace")
    execute_as(f"UPDATE users SET age = 7 WHERE id = {person.id}", actor_id=0)
    app = browser_of(wsgi, outside, person)
    page = app.get(f"/users/{person.id}").click("History")
    assert "Test Administrator entered the age of Bob: 7" in text_of(page)
    assert "Activity" not in page
    assert "History" not in app.get(f"/users/{other.id}").html.select_one("main").get_text()
    assert app.get("/users").html.find("a", string="Recently deleted") is None


def test_a_long_history_has_pages(app, recorded, make_user, execute_as):
    user = make_user("Bob")
    for age in range(30):
        execute_as(f"UPDATE users SET age = {age} WHERE id = {user.id}", actor_id=user.id)
    path = f"/users/{user.id}/history"
    page = app.get(path)
    assert len(shown_changes(page)) == 25
    assert [heading for heading, _fields in shown_changes(page.click("Next"))][-1] == "Another program added Bob"
    with recorded() as record:
        app.get(path)
    assert record.statement_count < 15
