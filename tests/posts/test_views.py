"""The pages below `/posts`, used as in a browser."""

import pytest
from sqlalchemy import delete, update

from myproject.models import Post, SignIn, User
from myproject.posts import views
from tests.signed_in import without_administrator_check
from tests.users.test_views import TEXTS


@pytest.fixture
def editor(make_user, outside):
    """An editor who is signed in instead of the administrator, whose id 0 no form accepts."""
    user = make_user("Grace Hopper", role="editor")
    with outside.begin() as connection, without_administrator_check(connection):
        connection.execute(update(SignIn).values(user_id=user.id))
        connection.execute(delete(User).where(User.id == 0))
    return user


def test_a_post_is_written(app, make_user, rows):
    user = make_user("Ada Lovelace")
    form = app.get("/posts/new").forms["record"]
    form["title"], form["body"], form["author_id"] = "Hello", "World", str(user.id)
    form.submit(status=303).follow().mustcontain("“Hello” was added.", "Ada Lovelace")
    assert [(post.title, post.body, post.author_id) for post in rows(Post)] == [("Hello", "World", user.id)]


def test_a_post_is_written_from_the_page_of_its_author(app, make_user, rows):
    make_user("Ada Lovelace")
    user = make_user("John Doe")
    form = app.get(f"/users/{user.id}").click("Write a post").forms["record"]
    form["title"], form["body"] = "Hello", "World"
    form.submit(status=303)
    assert rows(Post)[0].author_id == user.id


def test_the_default_author_is_the_person_signed_in(app, make_user, editor, rows):
    make_user("Ada Lovelace")
    form = app.get("/posts/new").forms["record"]
    assert form["author_id"].value == str(editor.id)
    form["title"], form["body"] = "Hello", "World"
    form.submit(status=303)
    assert [post.author_id for post in rows(Post)] == [editor.id]


@pytest.mark.usefixtures("editor")
def test_an_author_has_to_be_chosen(app, rows):
    form = app.get("/posts/new", {"author_id": ""}).forms["record"]
    form["title"], form["body"] = "Hello", "World"
    page = form.submit(status=422)
    page.mustcontain("Choose an option from the list.")
    assert (page.forms["record"]["title"].value, page.forms["record"]["author_id"].value) == ("Hello", "")
    assert rows(Post) == []


@pytest.mark.usefixtures("editor")
@pytest.mark.parametrize("chosen", ["99", "9" * 30, "-1", "0", "abc", "1.0", "１", ""])
def test_a_missing_author_is_not_replaced_by_another(app, make_user, chosen):
    make_user()
    form = app.get("/posts/new", {"author_id": chosen}).forms["record"]
    assert form["author_id"].value == ""


def test_a_post_of_a_deleted_author_is_refused(app, make_user, rows):
    users = [make_user("Ada Lovelace"), make_user("John Doe")]
    form = app.get("/posts/new", {"author_id": users[1].id}).forms["record"]
    form["title"], form["body"] = "Hello", "World"
    app.get(f"/users/{users[1].id}/delete").forms["record"].submit(status=303)
    page = form.submit(status=422)
    assert page.forms["record"]["author_id"].value == ""
    page.forms["record"].submit(status=422)
    assert rows(Post) == []


@pytest.mark.usefixtures("editor")
def test_the_authors_are_sorted_by_name(app, make_user):
    for name in ["john", "Ada", "Zoë", "Bob"]:
        make_user(name)
    options = app.get("/posts/new").forms["record"]["author_id"].options
    assert [label for _value, _selected, label in options] == ["Ada", "Bob", "Grace Hopper", "john", "Zoë"]


def test_the_author_is_offered_even_if_the_list_is_full(app, make_user, make_post, monkeypatch, rows):
    monkeypatch.setattr(views, "MOST_AUTHORS_OFFERED", 2)
    for name in ["Ada", "Bob"]:
        make_user(name)
    post = make_post(author=make_user("Zoë"))
    form = app.get(f"/posts/{post.id}/edit").forms["record"]
    assert [label for _value, _selected, label in form["author_id"].options] == ["Ada", "Bob", "Zoë"]
    form.submit(status=303)
    assert rows(Post)[0].author_id == post.author_id


def test_a_post_is_shown_with_its_author(app, make_user, make_post):
    user = make_user("Ada Lovelace")
    page = app.get(f"/posts/{make_post(title='Hello', body='World', author=user).id}")
    assert (page.html.h1.text, page.html.select_one(".post-body").text) == ("Hello", "World")
    assert page.click("Ada Lovelace").request.path == f"/users/{user.id}"


def test_a_post_is_edited(app, make_user, make_post, rows):
    post, other = make_post(), make_user("John Doe")
    form = app.get(f"/posts/{post.id}/edit").forms["record"]
    form["title"], form["body"], form["author_id"] = "Bye", "Moon", str(other.id)
    form.submit(status=303).follow().mustcontain("“Bye” was saved.", "John Doe")
    assert [(post.title, post.body, post.author_id) for post in rows(Post)] == [("Bye", "Moon", other.id)]
    assert len(rows(User)) == 2


def test_the_form_shows_the_post(app, make_post):
    post = make_post(title="Hello", body="World")
    form = app.get(f"/posts/{post.id}/edit").forms["record"]
    assert (form["title"].value, form["body"].value) == ("Hello", "World")
    assert form["author_id"].value == str(post.author_id)


def test_an_unchanged_form_changes_nothing(app, make_post, rows):
    post = make_post(body="One\n\nTwo\n\tThree")
    app.get(f"/posts/{post.id}/edit").forms["record"].submit(status=303)
    assert [(row.version, row.updated_at) for row in rows(Post)] == [(post.version, post.updated_at)]


def test_line_ends_are_normalised_to_line_feeds(app, make_user, rows):
    make_user()
    form = app.get("/posts/new", {"author_id": 1}).forms["record"]
    form["title"], form["body"] = "Hello", "One\r\n\r\nTwo\n\tThree\r\n"
    page = form.submit(status=303).follow()
    assert rows(Post)[0].body == "One\n\nTwo\n\tThree"
    assert page.html.select_one(".post-body").text == "One\n\nTwo\n\tThree"


@pytest.mark.parametrize("field", ["title", "body"])
def test_the_longest_texts_are_accepted(app, make_user, rows, field):
    longest = {"title": "김" * 200, "body": "😀\r\n" * 9_999 + "😀😀"}
    make_user()
    form = app.get("/posts/new", {"author_id": 1}).forms["record"]
    form["title"] = form["body"] = "Hello"
    form[field] = longest[field]
    form.submit(status=303)
    assert getattr(rows(Post)[0], field) == longest[field].replace("\r\n", "\n")


def test_a_post_is_deleted_after_a_confirmation_without_its_author(app, make_post, rows):
    post = make_post(title="Hello")
    page = app.get(f"/posts/{post.id}").click("Delete")
    assert "Its author, Ada Lovelace, will be kept" in page.html.main.text
    page.forms["record"].submit(status=303).follow().mustcontain("“Hello” was deleted.")
    assert rows(Post) == []
    assert len(rows(User)) == 1


def test_a_deleted_post_cannot_be_saved(app, make_post, rows):
    post = make_post()
    form = app.get(f"/posts/{post.id}/edit").forms["record"]
    app.get(f"/posts/{post.id}/delete").forms["record"].submit(status=303)
    form.submit(status=404)
    assert rows(Post) == []


def test_the_list_shows_the_number_and_the_authors(app, make_post):
    make_post(title="Hello")
    page = app.get("/posts")
    page.mustcontain("1 post")
    cells = [link.text for link in page.html.select("tbody a")]
    assert cells == ["Hello", "Ada Lovelace"]


def test_an_empty_list_has_a_message(app):
    app.get("/posts").mustcontain("No posts yet.", "0 posts")


def test_a_title_and_a_body_are_stored_and_shown_exactly(app, make_user, rows, subtests):
    make_user()
    for what, text in TEXTS.items():
        with subtests.test(what):
            form = app.get("/posts/new", {"author_id": 1}).forms["record"]
            form["title"] = form["body"] = text
            page = form.submit(status=303).follow()
            assert (rows(Post)[-1].title, rows(Post)[-1].body) == (text, text)
            assert text in page.html.find(role="status").text
            assert (page.html.h1.text, page.html.title.text) == (text, f"{text} · myproject")
            assert page.html.select_one(".post-body").text == text


def test_every_page_of_a_post_shows_its_texts_exactly(app, make_user, make_post, subtests):
    for what, text in TEXTS.items():
        with subtests.test(what):
            path = f"/posts/{make_post(title=text, body=text, author=make_user(text)).id}"
            assert [link.text for link in app.get("/posts").html.select("tbody a")[:2]] == [text, text]
            shown, asked, edited = (app.get(path + rest) for rest in ("", "/delete", "/edit"))
            assert shown.html.select_one("main p a").text == text
            headings = [asked.html.title, asked.html.h1, asked.html.select_one("main > p"), edited.html.title]
            assert [text in heading.text for heading in [*headings, edited.html.h1]] == [True] * 5
            assert (edited.forms["record"]["title"].value, edited.forms["record"]["body"].value) == (text, text)
            assert edited.html.select_one("option[selected]").text == text


@pytest.mark.parametrize("change", [{"title": "Bye"}, {"body": "All"}])
def test_a_post_that_changed_since_the_page_was_opened_is_shown_before_it_is_deleted(
    app, make_post, outside, rows, change
):
    form = app.get(f"/posts/{make_post('Hello', 'World').id}/delete").forms["record"]
    with outside.begin() as connection:
        connection.execute(update(Post).values(change))
    page = form.submit(status=409)
    page.mustcontain("This has changed since you opened the page.", *change.values())
    assert len(rows(Post)) == 1
    page.forms["record"].submit(status=303)
    assert rows(Post) == []
