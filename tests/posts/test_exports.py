"""The export of posts, and the list of one person's posts."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert

from myproject.models import Post, SecurityEvent
from myproject.posts import exports
from tests.people import add_person, browser_of

EXPORT = "/posts/export.csv"


def exported(app, query=""):
    """Return the rows of the export."""
    return list(csv.reader(io.StringIO(app.get(f"{EXPORT}?{query}").body.decode(), newline="")))


@pytest.fixture
def ada(make_user, outside, monkeypatch):
    """Ada with five posts, in pages of two."""
    monkeypatch.setattr(exports, "PAGE_SIZE", 2)
    user = make_user("Ada", email="ada@example.com")
    with outside.begin() as connection:
        posts = [{"title": f"Post {number}", "body": "Hello", "author_id": user.id} for number in range(5)]
        connection.execute(insert(Post.__table__), posts)
    return user


@pytest.mark.usefixtures("ada")
def test_posts_are_exported_with_their_texts_the_newest_first(app, make_post, rows):
    make_post(title="=1+1", body="- Moon,\n- Mars", created_at=datetime(2026, 1, 31, 15, 30, tzinfo=UTC))
    header, newest, *others = exported(app)
    assert header == ["title", "body", "author", "email", "written"]
    assert newest == ["'=1+1", "'- Moon,\n- Mars", "Ada Lovelace", "", "2026-01-31 15:30:00"]
    assert [row[:4] for row in others] == [
        [f"Post {number}", "Hello", "Ada", "ada@example.com"] for number in range(4, -1, -1)
    ]
    [event] = [event for event in rows(SecurityEvent) if event.kind == "exported"]
    assert json.loads(event.facts) == {"what": "posts", "rows": 6, "complete": True}


def test_the_posts_of_one_person_are_listed_and_exported(app, ada, make_post):
    make_post(title="Of somebody else")
    page = app.get(f"/posts?author={ada.id}")
    page.mustcontain("<h1>Posts by", "5 posts", "Post 4", no="Of somebody else")
    form = page.click("Export").forms["panel"]
    assert form.submit().body.startswith(b"title,body,author,email,written\r\nPost 4,")
    assert len(exported(app, f"author={ada.id}")) == 6


@pytest.mark.parametrize("author", ["", "x", "0", "99999"])
@pytest.mark.parametrize("page", ["/posts", EXPORT])
def test_an_unknown_author_is_not_found(app, page, author):
    app.get(f"{page}?author={author}", status=404)


def test_members_have_no_export(wsgi, outside, ada):
    member = browser_of(wsgi, outside, add_person(outside))
    member.get(EXPORT, status=403)
    for page in ("/posts", "/posts?panel=export", "/users", "/users?panel=export"):
        member.get(page).mustcontain(no="Export")
