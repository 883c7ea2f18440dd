"""Erasing a person: what goes is said before, and is gone after, from every table."""

import datetime

import pytest
import sqlalchemy

from myproject.db.base import utcnow
from myproject.models import FailedSignIn, PasswordLink, Post, SignIn, User
from myproject.signin.models import digest
from tests.people import add_person, browser_of, everything_stored
from tests.signed_in import PASSWORD

NAME, EMAIL, ADDRESS, BROWSER = "Zaphod Beeblebrox", "zaphod@example.com", "203.0.113.77", "Betelgeuse/5"
NOT_NOW = datetime.timedelta(minutes=15)
ALMOST = datetime.timedelta(minutes=14)


@pytest.fixture
def person(outside, wsgi):
    """Somebody who is signed in, has a link to set a password, has written, and has mistyped their password."""
    user = add_person(outside, NAME, email=EMAIL)
    app = browser_of(wsgi, outside, user, address=ADDRESS, browser=BROWSER)
    app.extra_environ |= {"REMOTE_ADDR": ADDRESS, "HTTP_USER_AGENT": BROWSER}
    form = app.get("/posts/new").forms["record"]
    form["title"], form["body"] = "Hello", "World"
    form.submit(status=303)
    form = app.get(f"/users/{user.id}/edit").forms["record"]
    form["age"] = "200"
    form.submit(status=422)
    form = app.get(f"/users/{user.id}/password").forms["record"]
    form["your_password"], form["password"] = "a wrong password", "seven quiet llamas sing"
    form.submit(status=422)
    with outside.begin() as connection:
        connection.execute(sqlalchemy.insert(PasswordLink).values(user_id=user.id, token=digest("link")))
    return user


def erase(app, user, posts="keep"):
    """Erase `user` through the page; return the answer."""
    form = app.get(f"/users/{user.id}/erase").forms["record"]
    form["posts"] = posts
    return form.submit(status=303)


def where(outside, text):
    """Return the names of the tables in which `text` is stored, in any column."""
    stored = everything_stored(outside).items()
    return [table for table, rows in stored if any(text.lower() in row.lower() for row in rows)]


def test_the_page_says_before_what_goes(app, person, make_post):
    make_post("Second", author=person)
    page = app.get(f"/users/{person.id}").click("Erase for good")
    assert page.html.h1.text == f"Erase {NAME} for good?"
    assert [item.text for item in page.html.select("main li")] == [
        "the record: name, email, age, role, active, password",
        "where they are signed in, and a link to set a password",
        "the views of the list that they have saved, also those for all",
        "2 posts, or their name at them",
    ]
    page.mustcontain("This cannot be undone.")


def test_nothing_goes_before_the_button_is_pressed(app, person, outside):
    before = everything_stored(outside)
    app.get(f"/users/{person.id}/erase")
    app.head(f"/users/{person.id}/erase")
    app.get(f"/users/{person.id}/erase?posts=delete")
    assert everything_stored(outside) == before


def test_what_is_looked_for_afterwards_is_there_before(person, outside):
    # SQLite's index of the search shows what stands in the record.
    assert set(where(outside, NAME)) - {"users_trigrams"} == {"users"}
    assert set(where(outside, EMAIL)) - {"users_trigrams"} == {"users"}
    assert where(outside, ADDRESS) == where(outside, BROWSER) == ["sign_ins"]


@pytest.mark.parametrize("posts", ["keep", "delete"])
def test_no_table_names_the_person_afterwards(app, person, outside, posts):
    erase(app, person, posts).follow()
    assert {text: where(outside, text) for text in (NAME, EMAIL, ADDRESS, BROWSER, "Zaphod")} == {
        text: [] for text in (NAME, EMAIL, ADDRESS, BROWSER, "Zaphod")
    }


def test_neither_the_message_nor_the_cookie_names_them(app, person):
    page = erase(app, person).follow()
    assert page.html.find(role="status").text == "The person was erased."
    page.mustcontain(no=[NAME, EMAIL])


def test_the_log_names_them_by_number(app, person, caplog):
    caplog.set_level("INFO")
    caplog.clear()
    erase(app, person)
    assert '"event": "erased", "by": 0' in caplog.text
    assert f'"user": {person.id}' in caplog.text
    assert [text for text in (NAME, EMAIL, ADDRESS) if text in caplog.text] == []


def test_their_sign_ins_and_links_go_and_nobody_elses(app, person, outside, rows):
    other = add_person(outside)
    with outside.begin() as connection:
        connection.execute(sqlalchemy.insert(PasswordLink).values(user_id=other.id, token=digest("another link")))
        values = {"token": digest("other"), "user_id": other.id, "address": "", "browser": ""}
        connection.execute(sqlalchemy.insert(SignIn).values(values))
    erase(app, person)
    assert [sign_in.user_id for sign_in in rows(SignIn)] == [other.id]
    with outside.connect() as connection:
        assert connection.scalars(sqlalchemy.select(PasswordLink.user_id)).all() == [other.id]


def test_who_was_erased_is_signed_out_and_their_link_leads_nowhere(app, wsgi, outside, person, stranger):
    own = browser_of(wsgi, outside, person)
    own.get("/users", status=200)
    stranger.get("/set-password/link", status=200)
    erase(app, person)
    assert own.get("/users", status=303).location.startswith("http://localhost/signin")
    stranger.get("/set-password/link", status=404)


def test_their_posts_are_kept_under_former_member(app, person, rows):
    [before] = rows(Post)
    erase(app, person)
    [post], [former] = rows(Post), rows(User)
    assert (post.id, post.title, post.body) == (before.id, before.title, before.body)
    assert (post.author_id, former.name, former.active, former.email) == (former.id, "Former member", False, None)
    app.get(f"/posts/{post.id}").mustcontain("Former member", no=NAME)


def test_former_member_is_made_once_and_used_again(app, outside, make_post, rows):
    people = [add_person(outside, f"Person {number}") for number in range(3)]
    for each in people:
        make_post(author=each)
        erase(app, each)
    [former] = rows(User)
    assert {post.author_id for post in rows(Post)} == {former.id}
    assert len(rows(Post)) == 3


def test_somebody_who_is_only_called_so_gets_no_posts(app, person, make_user, rows):
    namesake = make_user("Former member", email="former@example.com")
    erase(app, person)
    assert [post.author_id for post in rows(Post)] != [namesake.id]
    assert len(rows(User)) == 2


def test_their_posts_are_deleted_where_that_was_chosen_and_nobody_elses(app, person, make_post, rows):
    other = make_post("Another's")
    erase(app, person, "delete")
    assert [post.id for post in rows(Post)] == [other.id]
    assert [user.name for user in rows(User)] == ["Ada Lovelace"]


def test_no_former_member_is_made_where_there_are_no_posts(app, outside, rows):
    erase(app, add_person(outside))
    assert rows(User) == []


def test_what_was_kept_stays_when_former_member_is_erased_and_it_is_to_be_kept(app, person, rows):
    erase(app, person)
    [former], [post] = rows(User), rows(Post)
    erase(app, former)
    assert [kept.id for kept in rows(Post)] == [post.id]


def test_an_unknown_choice_erases_nobody(app, person, rows):
    form = app.get(f"/users/{person.id}/erase").forms["record"]
    form["posts"].force_value("burn")
    form.submit(status=422).mustcontain("Please choose one of the list.")
    assert [user.name for user in rows(User)] == [NAME]


# Who may, and when they are asked for their password again


def test_an_editor_may_not(wsgi, outside, person, app):
    editor = browser_of(wsgi, outside, add_person(outside, role="editor"))
    form = app.get(f"/users/{person.id}/erase").forms["record"]
    fields = {**dict(form.submit_fields()), "csrf_token": editor.get("/users").forms[0]["csrf_token"].value}
    before = everything_stored(outside)
    editor.get(f"/users/{person.id}/erase", status=403)
    editor.post(f"/users/{person.id}/erase", fields, status=403)
    editor.get(f"/users/{person.id}").mustcontain("Delete", no="Erase for good")
    assert everything_stored(outside) == before


def administrator_of(wsgi, outside, age):
    """Return the browser of an administrator who has entered their password `age` ago."""
    return browser_of(wsgi, outside, add_person(outside, "Admin", "admin"), confirmed_at=utcnow() - age)


def test_the_password_is_not_asked_for_within_a_quarter_of_an_hour(wsgi, outside, person):
    form = administrator_of(wsgi, outside, ALMOST).get(f"/users/{person.id}/erase").forms["record"]
    assert "your_password" not in form.fields
    form.submit(status=303)


def test_after_a_quarter_of_an_hour_the_password_is_asked_for_again(wsgi, outside, person, rows):
    app = administrator_of(wsgi, outside, NOT_NOW)
    form = app.get(f"/users/{person.id}/erase").forms["record"]
    for password in ("", "a wrong password", PASSWORD.upper()):
        form["your_password"] = password
        form = form.submit(status=422).forms["record"]
        assert form["your_password"].value == ""
    assert rows(User)[0].name == NAME
    form["your_password"] = PASSWORD
    form.submit(status=303)
    assert NAME not in [user.name for user in rows(User)]


def test_the_field_for_the_password_cannot_be_left_out(wsgi, outside, person, rows):
    app = administrator_of(wsgi, outside, NOT_NOW)
    page = app.get(f"/users/{person.id}/erase")
    app.post(f"/users/{person.id}/erase", {"csrf_token": page.forms["record"]["csrf_token"].value}, status=422)
    assert rows(User)[0].name == NAME


def test_once_entered_it_is_not_asked_for_on_the_next_page(wsgi, outside, person):
    app, other = administrator_of(wsgi, outside, NOT_NOW), add_person(outside)
    form = app.get(f"/users/{other.id}/erase").forms["record"]
    form["your_password"] = PASSWORD
    form.submit(status=303)
    assert "your_password" not in app.get(f"/users/{person.id}/erase").forms["record"].fields


def test_wrong_passwords_are_counted_as_where_one_signs_in(wsgi, outside, person, rows):
    app = administrator_of(wsgi, outside, NOT_NOW)
    before = len(rows(FailedSignIn))
    form = app.get(f"/users/{person.id}/erase").forms["record"]
    for _try in range(5):
        form["your_password"] = "a wrong password"
        form = form.submit(status=422).forms["record"]
    form["your_password"] = PASSWORD
    form.submit(status=422)
    assert len(rows(FailedSignIn)) == before + 5
    assert rows(User)[0].name == NAME
