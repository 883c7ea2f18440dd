"""Pages stand a row whose author or owner another program has deleted, with the foreign keys of its connection off."""

import pytest
from sqlalchemy import text

from myproject.models import Post
from tests.people import add_person, browser_of

# With the foreign keys, PostgreSQL turns off all triggers.
pytestmark = pytest.mark.passes_ledger_by
FOREIGN_KEYS_OFF = {"sqlite": "PRAGMA foreign_keys = OFF", "postgresql": "SET session_replication_role = replica"}


@pytest.fixture
def delete_behind(outside):
    """Call `delete_behind(user)`: delete the row of a user, and nothing that refers to it."""

    def delete(user):
        # SQLite ignores the pragma within a transaction.
        with outside.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(text(FOREIGN_KEYS_OFF[outside.dialect.name]))
            connection.execute(text("DELETE FROM users WHERE id = :id"), {"id": user.id})
            connection.invalidate()

    return delete


@pytest.fixture
def orphan(make_user, make_post, delete_behind):
    """A post whose author is missing."""
    author = make_user("Ada Lovelace")
    post = make_post(title="Hello", author=author)
    delete_behind(author)
    return post


def test_every_page_of_a_post_without_its_author_is_shown(app, orphan, subtests):
    for path in "/posts", f"/posts/{orphan.id}", f"/posts/{orphan.id}/edit", f"/posts/{orphan.id}/delete", "/overview":
        with subtests.test(path):
            app.get(path, status=200)
    for path in "/posts", f"/posts/{orphan.id}":
        app.get(path).mustcontain("Deleted user")


def test_a_post_without_its_author_gets_another_one(app, orphan, make_user, rows):
    other, form = make_user("Grace Hopper"), app.get(f"/posts/{orphan.id}/edit").forms["record"]
    assert form["author_id"].value == ""
    form.submit(status=422)
    form["author_id"] = str(other.id)
    form.submit(status=303)
    assert [post.author_id for post in rows(Post)] == [other.id]


def test_a_post_without_its_author_is_deleted(app, orphan, rows):
    app.get(f"/posts/{orphan.id}/delete").forms["record"].submit(status=303)
    assert rows(Post) == []


def test_saved_views_without_their_owner_are_shown(app, outside, make_view, delete_behind, subtests):
    owner = add_person(outside, role="editor")
    view = make_view(owner, for_all=True)
    delete_behind(owner)
    app.get("/users/views").mustcontain("Admins", "Deleted user")
    for path in f"/users/views/{view.id}/edit", f"/users/views/{view.id}/delete":
        with subtests.test(path):
            app.get(path).forms["record"].submit(status=303)


def test_a_browser_of_a_missing_user_is_signed_out(wsgi, outside, delete_behind):
    person = add_person(outside)
    app = browser_of(wsgi, outside, person)
    delete_behind(person)
    assert app.get("/users", status=303).location.startswith("http://localhost/signin")
