"""The list of users and posts that were deleted and do not exist now."""

import pytest
import sqlalchemy

from myproject.models import Change, User
from tests.people import add_person, browser_of

from . import save, text_of


def names(page):
    """Return the names on the page of deleted records, the newest deletion first."""
    return [link.get_text() for link in page.html.select("main .list-group-item > div > a")]


def test_deleted_people_and_posts_are_listed_with_who_deleted_them(app, make_user, make_post):
    bob, post = make_user("Bob"), make_post("Hello")
    make_user("Ada Lovelace")
    save(app, f"/posts/{post.id}/delete")
    save(app, f"/users/{bob.id}/delete")
    page = app.get("/users").click("Recently deleted")
    assert names(page) == ["Bob"]
    assert "Test Administrator deleted Bob" in text_of(page)
    assert names(page.click("Posts", href=r"\?what=posts")) == ["Hello"]
    assert page.click("Bob", href="/history$").request.path == f"/users/{bob.id}/history"


def test_a_deleted_record_is_restored_from_the_list(app, make_user, rows):
    bob = make_user("Bob")
    save(app, f"/users/{bob.id}/delete")
    page = app.get("/history/deleted").click("Restore")
    assert page.request.GET["record"] == f"users-{bob.id}"
    page.forms["record"].submit(status=303)
    assert [user.name for user in rows(User)] == ["Bob"]
    assert names(app.get("/history/deleted")) == []


def test_a_record_that_is_back_is_not_listed_and_one_deleted_twice_once(app, execute_as):
    add, remove = "INSERT INTO users (id, name) VALUES ({0}, 'Bob {0}')", "DELETE FROM users WHERE id = {0}"
    for number in (11, 12):
        execute_as(add.format(number))
        execute_as(remove.format(number))
        execute_as(add.format(number))
    execute_as(remove.format(11))
    assert names(app.get("/history/deleted")) == ["Bob 11"]


@pytest.mark.passes_ledger_by
def test_an_erased_person_is_not_listed(app, outside, execute_as):
    execute_as("INSERT INTO users (id, name) VALUES (11, 'Bob')")
    execute_as("DELETE FROM users WHERE id = 11")
    with outside.begin() as connection:
        deletions = sqlalchemy.update(Change).where(Change.record_id == 11, Change.after.is_(None))
        connection.execute(deletions.values(before={}))
    assert names(app.get("/history/deleted")) == []
    assert "Nothing was deleted." in text_of(app.get("/history/deleted"))


def test_a_deletion_of_many_has_pages(app, make_user, execute_as):
    user = make_user()
    values = ", ".join(f"('Post {number:02}', '–', {user.id})" for number in range(60))
    execute_as(f"INSERT INTO posts (title, body, author_id) VALUES {values}")
    execute_as("DELETE FROM posts")
    page = app.get("/history/deleted?what=posts")
    found = names(page)
    while page.html.select("a[rel=next]"):
        page = page.click("Next")
        found += names(page)
    assert sorted(found) == [f"Post {number:02}" for number in range(60)]


@pytest.mark.parametrize("query", ["what=nothing", "what=saved_views", "what=%00"])
def test_an_unknown_kind_shows_people(app, query):
    app.get(f"/history/deleted?{query}", status=200)
    app.get(f"/history/deleted?{query}&cursor=x", status=400)


def test_members_do_not_see_what_was_deleted(wsgi, outside):
    browser_of(wsgi, outside, add_person(outside)).get("/history/deleted", status=403)
