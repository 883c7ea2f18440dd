"""What is deleted with a user: pages name it without loading it, and delete only what they have named."""

import pytest
import sqlalchemy
from sqlalchemy import insert, update

from myproject.models import Post, SavedView, User
from tests.people import add_person, browser_of

CHANGED = "This has changed since you opened the page. Nothing was deleted."
MANY = 3000


@pytest.fixture
def john(outside):
    """A user with two posts and a saved view."""
    user = add_person(outside, "John Doe")
    with outside.begin() as connection:
        connection.execute(insert(Post), [{"title": f"Post {n}", "body": "…", "author_id": user.id} for n in (1, 2)])
        connection.execute(insert(SavedView).values(name="Mine", query="q=a", user_id=user.id))
    return user


def write_posts(engine, user, number):
    posts = [{"title": f"Post {each}", "body": "Long text", "author_id": user.id} for each in range(number)]
    with engine.begin() as connection:
        connection.execute(insert(Post), posts)


def news(page):
    """Return what the page says has changed."""
    assert CHANGED in page.html.find(role="alert").text
    return [" ".join(item.text.split()) for item in page.html.select("[role=alert] + ul li")]


# Each returns what the page then says.


def add_a_post(connection, user):
    connection.execute(insert(Post).values(title="Post 3", body="…", author_id=user.id))
    return "Posts: 3, before: 2"


def take_over_a_post(connection, user):
    other = connection.execute(insert(User).values(name="Other")).inserted_primary_key[0]
    post = connection.execute(insert(Post).values(title="Theirs", body="…", author_id=other)).inserted_primary_key[0]
    connection.execute(update(Post).where(Post.id == post).values(author_id=user.id))
    return "Posts: 3, before: 2"


def delete_a_post(connection, user):
    connection.execute(sqlalchemy.delete(Post).where(Post.title == "Post 2"))
    return "Posts: 1, before: 2"


def edit_a_post(connection, user):
    connection.execute(update(Post).where(Post.title == "Post 1").values(body="Edited"))
    return "Some of the posts were changed."


def replace_a_post(connection, user):
    delete_a_post(connection, user)
    add_a_post(connection, user)
    return "Some of the posts were changed."


def save_a_view(connection, user):
    connection.execute(insert(SavedView).values(name="Another", query="q=b", user_id=user.id))
    return "Saved views: 2, before: 1"


def share_a_view(connection, user):
    connection.execute(update(SavedView).values(for_all=True))
    return "Some of the saved views were changed."


def edit_the_record(connection, user):
    connection.execute(update(User).where(User.id == user.id).values(age=31))
    return "The record was changed. Open the record"


CHANGES = [
    *[add_a_post, take_over_a_post, delete_a_post, edit_a_post, replace_a_post],
    *[save_a_view, share_a_view, edit_the_record],
]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("page", ["delete", "erase"])
def test_what_changed_since_the_page_was_opened_is_asked_about_again(app, john, outside, rows, page, change):
    form = app.get(f"/users/{john.id}/{page}").forms["record"]
    with outside.begin() as connection:
        said = change(connection, john)
    answer = form.submit(status=409)
    assert news(answer) == [said]
    assert john.id in [user.id for user in rows(User)]
    assert len(rows(Post)) > 0
    answer.forms["record"].submit(status=303)
    assert john.id not in [user.id for user in rows(User)]


@pytest.mark.parametrize("page", ["delete", "erase"])
def test_new_posts_are_named(app, john, outside, page):
    form = app.get(f"/users/{john.id}/{page}").forms["record"]
    with outside.begin() as connection:
        add_a_post(connection, john)
    marked = [badge.parent.find("bdi").text for badge in form.submit(status=409).html.select("main li .badge")]
    assert marked == ["Post 3"]


@pytest.mark.parametrize("page", ["delete", "erase"])
def test_changed_posts_are_marked(app, john, outside, page):
    form = app.get(f"/users/{john.id}/{page}").forms["record"]
    with outside.begin() as connection:
        edit_a_post(connection, john)
    badges = form.submit(status=409).html.select("main li .badge")
    assert [(badge.parent.find("bdi").text, badge.text) for badge in badges] == [("Post 1", "Changed")]


@pytest.mark.parametrize("page", ["delete", "erase"])
def test_what_does_not_go_with_the_user_is_not_asked_about(app, john, outside, rows, page, make_post):
    form = app.get(f"/users/{john.id}/{page}").forms["record"]
    make_post("Another's")
    with outside.begin() as connection:
        connection.execute(update(User).where(User.id == john.id).values(password_hash="x"))
    form.submit(status=303)
    assert [post.title for post in rows(Post) if post.author_id == john.id] == []


def test_a_choice_and_a_password_are_kept_when_it_is_asked_again(app, john, outside, rows):
    form = app.get(f"/users/{john.id}/erase").forms["record"]
    form["posts"] = "delete"
    with outside.begin() as connection:
        add_a_post(connection, john)
    form = form.submit(status=409).forms["record"]
    assert form["posts"].value == "delete"
    form.submit(status=303)
    assert rows(Post) == []


def test_it_is_asked_again_in_korean(wsgi, john, outside):
    app = browser_of(wsgi, outside, add_person(outside, role="admin"))
    app.extra_environ["HTTP_ACCEPT_LANGUAGE"] = "ko"
    form = app.get(f"/users/{john.id}/delete").forms["record"]
    with outside.begin() as connection:
        add_a_post(connection, john)
    form.submit(status=409).mustcontain("페이지를 연 뒤에 내용이 변경되었습니다.", "게시글: 3개(이전: 2개)", "새 항목")


@pytest.mark.parametrize("named", ["", "1", "x", "0.0.0.0.0.0.0.0.0", "9" * 400, "1.2.2.3.2.1.1.1.1.1", "-1"])
def test_another_text_for_what_was_named_asks_again(app, john, rows, named):
    form = app.get(f"/users/{john.id}/delete").forms["record"]
    form["named"] = named
    form.submit(status=409).forms["record"].submit(status=303)
    assert rows(User) == []


# What is named is not loaded


def test_the_page_names_the_saved_views(app, john):
    app.get(f"/users/{john.id}/delete").mustcontain("1 saved view of this user will be deleted too")


@pytest.mark.parametrize("path", ["/users/{}", "/users/{}/delete", "/users/{}/erase", "/posts"])
def test_no_page_loads_texts_for_titles(app, john, recorded, path):
    with recorded() as record:
        app.get(path.format(john.id)).mustcontain("Post 2")
    assert [sql for sql in record.sql if "body" in sql] == []


def test_a_page_shows_ten_titles_and_leads_to_all(app, john, outside):
    write_posts(outside, john, 1232)
    page = app.get(f"/users/{john.id}")
    assert len(page.html.select(".list-group a")) == 11
    page.click("All 1,234 posts").mustcontain("1,234 posts", "Next")


def test_the_tenth_title_is_the_last_if_there_are_no_others(app, john, outside):
    write_posts(outside, john, 8)
    page = app.get(f"/users/{john.id}")
    assert len(page.html.select(".list-group a")) == 10
    page.mustcontain(no="All 10 posts")


@pytest.mark.parametrize(("page", "posts"), [("delete", None), ("erase", "keep"), ("erase", "delete")])
def test_many_posts_take_as_many_statements_as_few(app, john, outside, rows, recorded, page, posts):
    write_posts(outside, john, MANY)
    form = app.get(f"/users/{john.id}/{page}").forms["record"]
    if posts:
        form["posts"] = posts
    with recorded() as record:
        form.submit(status=303)
    assert record.statement_count < 30
    assert [sql for sql in record.sql if "body" in sql.partition("FROM")[0]] == []
    assert len(rows(Post)) == (MANY + 2 if posts == "keep" else 0)
