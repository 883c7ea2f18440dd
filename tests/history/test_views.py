"""The page of one entry: its changes with their fields before and after, for those who may see them."""

import pytest
import sqlalchemy

from myproject.models import Change
from tests.people import add_person, browser_of

from . import plain, save, text_of


def shown_changes(page):
    """Return (heading, {field: value}) of each change on a page."""
    return [
        (
            plain(section.h2),
            {plain(label): plain(label.find_next_sibling("dd")) for label in section.select("dt")},
        )
        for section in page.html.select("section.change")
    ]


def newest(app):
    """Return the page of the newest entry."""
    page = app.get("/history")
    return app.get(page.html.select_one("main .list-group-item > a")["href"])


def test_an_entry_shows_its_fields_before_and_after(app, make_user):
    user = make_user("Bob", age=30, email="bob@example.com")
    save(app, f"/users/{user.id}/edit", name="Robert", age="", role="editor", active=False)
    page = newest(app)
    assert shown_changes(page) == [
        ("Changed Robert", {"Name": "Bob → Robert", "Age": "30 → –", "Role": "Member → Editor", "Active": "Yes → No"})
    ]
    assert "Test Administrator changed the name, age, role, and active of Bob" in text_of(page)
    assert page.click("Robert", href="/users/[0-9]+$").request.path == f"/users/{user.id}"


def test_an_entry_shows_all_values_of_what_was_added_or_deleted(app, make_post, make_user):
    post = make_post("Hello", "World\n\nand all", author=make_user("Bob"))
    added = newest(app)
    save(app, f"/posts/{post.id}/delete")
    deleted = newest(app)
    [(heading, fields)], [(deleted_heading, deleted_fields)] = shown_changes(added), shown_changes(deleted)
    assert (heading, deleted_heading) == ("Added Hello", "Deleted Hello")
    assert fields == deleted_fields
    assert {**fields, "Written": ""} == {"Title": "Hello", "Text": "World and all", "Author": "Bob", "Written": ""}
    # There is no page of a deleted post.
    assert [link["href"] for link in deleted.html.select("section.change a")] == [f"/posts/{post.id}/history"]


def test_a_long_text_shows_the_words_that_differ(app, make_post):
    words = [f"word{number}" for number in range(300)]
    post = make_post("Hello", " ".join(words))
    words[150] = "other"
    save(app, f"/posts/{post.id}/edit", body=" ".join(words))
    [(_heading, fields)] = shown_changes(newest(app))
    assert "word149 word150 other word151" in fields["Text"]
    assert "word1 " not in fields["Text"]


def test_an_entry_tells_its_request_and_attempts(app, make_user, execute_as):
    user = make_user("Bob")
    execute_as(f"UPDATE users SET age = 7 WHERE id = {user.id}", route="users.edit", request_id="abc123", attempts=4)
    text = text_of(newest(app))
    assert "Request in the server log abc123" in text
    assert "Attempts 4" in text


def test_an_entry_of_many_records_has_pages(app, recorded, make_user, execute_as):
    user = make_user("Bob")
    values = ", ".join(f"('Post {number:02}', '–', {user.id})" for number in range(60))
    execute_as(
        f"INSERT INTO posts (title, body, author_id) VALUES {values}", f"UPDATE users SET age = 7 WHERE id = {user.id}"
    )
    page = newest(app)
    titles = [heading for heading, _fields in shown_changes(page)]
    while page.html.select("a[rel=next]"):
        with recorded() as record:
            page = page.click("Next")
        assert record.statement_count < 15
        titles += [heading for heading, _fields in shown_changes(page)]
    assert titles == [*(f"Added Post {number:02}" for number in range(60)), "Changed Bob"]


@pytest.mark.parametrize("number", ["0", "999999", "9" * 30, "abc", "-1", "1%00", "%EA%B0%80"])
def test_an_entry_that_does_not_exist_is_not_found(app, number):
    app.get(f"/history/{number}", status=404)


def test_a_cursor_of_an_entry_may_be_nonsense(app, make_user):
    make_user()
    path = newest(app).request.path
    for cursor in ("x", "WzAsImFmdGVyIiwxXQ", "9" * 3000):
        app.get(f"{path}?cursor={cursor}", status=400)


@pytest.mark.passes_ledger_by
def test_a_column_of_another_version_is_shown_by_its_name(app, outside, make_user, entries):
    make_user("Bob")
    change = entries()[-1].changes[0]
    with outside.begin() as connection:
        values = {
            "before": {"name": "Bob", "shoe": 43, "tags": ["a"]},
            "after": {"name": "Bob", "shoe": 44, "hat": None},
        }
        connection.execute(sqlalchemy.update(Change).where(Change.id == change.id).values(values))
    [(_heading, fields)] = shown_changes(newest(app))
    assert fields == {"shoe": "43 → 44", "tags": "['a'] → –"}
    app.get("/history").mustcontain("shoe and tags")


@pytest.mark.passes_ledger_by
def test_values_that_no_form_accepts_are_shown_as_they_are(app, outside, make_user, entries):
    make_user("Bob")
    change = entries()[-1].changes[0]
    with outside.begin() as connection:
        values = {
            "before": {"name": 7, "role": "king", "created_at": "yesterday"},
            "after": {"name": ["x"], "role": {}, "age": 1.5},
        }
        connection.execute(sqlalchemy.update(Change).where(Change.id == change.id).values(values))
    [(_heading, fields)] = shown_changes(newest(app))
    assert fields == {"Name": "7 → ['x']", "Age": "– → 1.5", "Role": "king → {}", "Joined": "yesterday → –"}
    app.get("/history")


@pytest.mark.passes_ledger_by
def test_erased_values_are_said_to_be_erased(app, outside, make_user, entries):
    user = make_user("Bob")
    with outside.begin() as connection:
        connection.execute(sqlalchemy.update(Change).where(Change.record_id == user.id).values(before={}, after={}))
    page = newest(app)
    assert shown_changes(page) == [("Changed User", {})]
    assert "The values were permanently erased." in text_of(page)
    assert "changed data that was permanently erased later" in text_of(app.get("/history"))


# Who may see what


@pytest.fixture
def person(outside):
    """A member."""
    return add_person(outside, "Bob")


def test_a_member_sees_only_the_changes_of_their_own_in_an_entry(
    wsgi, outside, person, make_user, make_post, execute_as, entries
):
    other = make_user("Ada Lovelace", email="ada@example.com")
    own_post, others_post = make_post("Mine", author=person), make_post("Theirs", author=other)
    execute_as("UPDATE users SET age = 7 WHERE id > 0", "UPDATE posts SET body = 'Moon'", actor_id=0)
    app = browser_of(wsgi, outside, person)
    page = app.get(f"/history/{entries()[-1].id}")
    assert [heading for heading, _fields in shown_changes(page)] == ["Changed Mine", "Changed Bob"]
    assert "Only changes of your own record and posts are shown." in text_of(page)
    for secret in ("Ada", "Theirs", "ada@example.com", "2 users"):
        assert secret not in page
    for row, table in ((other, "users"), (others_post, "posts")):
        app.get(f"/{table}/{row.id}/history", status=403)
    app.get(f"/posts/{own_post.id}/history", status=200)


def test_a_member_does_not_open_an_entry_of_others(wsgi, outside, person, make_user, entries):
    make_user("Ada Lovelace")
    browser_of(wsgi, outside, person).get(f"/history/{entries()[-1].id}", status=403)


def test_a_member_keeps_the_history_of_a_post_that_was_deleted(wsgi, outside, person, make_post, execute_as, entries):
    post = make_post("Mine", author=person)
    execute_as("DELETE FROM posts", route="posts.delete", actor_id=0)
    app = browser_of(wsgi, outside, person)
    page = app.get(f"/posts/{post.id}/history")
    assert [heading for heading, _fields in shown_changes(page)] == [
        "Test Administrator deleted the post “Mine”", "Another program added the post “Mine”",
    ]  # fmt: skip
    app.get(f"/history/{entries()[-1].id}", status=200)


def test_the_history_of_a_post_is_its_present_authors(wsgi, outside, person, make_post, execute_as):
    post, other = make_post("Mine", author=person), add_person(outside, "Ada Lovelace")
    execute_as(f"UPDATE posts SET author_id = {other.id}")
    browser_of(wsgi, outside, person).get(f"/posts/{post.id}/history", status=403)
    page = browser_of(wsgi, outside, other).get(f"/posts/{post.id}/history")
    assert shown_changes(page)[0][1] == {"Author": "Bob → Ada Lovelace"}


@pytest.mark.parametrize("role", ["editor", "admin"])
def test_a_private_saved_view_is_shown_to_its_owner_alone(wsgi, outside, person, make_view, execute_as, entries, role):
    owner = add_person(outside, "Ada Lovelace", "editor")
    view = make_view(owner, "Secret search", "q=secret")
    execute_as(f"UPDATE saved_views SET name = 'Secret too' WHERE id = {view.id}", actor_id=owner.id)
    path = f"/history/{entries()[-1].id}"
    own = browser_of(wsgi, outside, owner).get(path)
    assert shown_changes(own) == [("Changed Secret too", {"Name": "Secret search → Secret too"})]
    app = browser_of(wsgi, outside, add_person(outside, "Eve", role))
    pages = [app.get(page) for page in (path, "/history", f"/history?record=saved_views-{view.id}")]
    assert "Secret" not in "".join(page.text for page in pages)
    assert "This saved view is private." in text_of(pages[0])
    assert "Ada Lovelace changed a private saved view" in text_of(pages[1])


def test_a_saved_view_that_is_for_everybody_is_shown_to_editors(app, make_user, make_view):
    make_view(make_user("Ada Lovelace"), "Admins", "role=admin", for_all=True)
    [(heading, fields)] = shown_changes(newest(app))
    assert (heading, fields["Filters"], fields["Shared"]) == ("Added Admins", "role=admin", "Yes")
