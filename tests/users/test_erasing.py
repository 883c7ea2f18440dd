"""Erasing a person: the page lists what is deleted, and afterwards no table names them."""

import datetime

import pytest
import sqlalchemy

from myproject.db.base import utcnow
from myproject.models import Change, FailedSignIn, PasswordLink, Post, SignIn, User
from myproject.signin.models import digest
from tests.people import add_person, browser_of, everything_stored
from tests.signed_in import PASSWORD

NAME, EMAIL, ADDRESS, BROWSER = "Zaphod Beeblebrox", "zaphod@example.com", "203.0.113.77", "Betelgeuse/5"
CONFIRMED_15_MINUTES_AGO = datetime.timedelta(minutes=15)
CONFIRMED_14_MINUTES_AGO = datetime.timedelta(minutes=14)


@pytest.fixture
def person(outside, wsgi):
    """A user with a sign-in, a password link, a post and a failed sign-in."""
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
        connection.execute(sqlalchemy.insert(PasswordLink).values(user_id=user.id, maker_id=0, token=digest("link")))
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


def test_the_page_lists_what_is_deleted(app, person, make_post):
    make_post("Second", author=person)
    page = app.get(f"/users/{person.id}").click("Erase permanently")
    assert page.html.h1.text == f"Erase {NAME} permanently?"
    assert [item.text for item in page.html.select("main li")] == [
        "All fields of the record: Name, Email, Age, Role, Active",
        "The password, the password link and all sessions",
        "Saved views, including those shared with everyone",
        "Second",
        "Hello",
    ]
    page.mustcontain("It cannot be undone.", "This user has written 2 posts. Choose below what happens to them.")


def test_only_who_has_posts_is_asked_what_happens_to_them(app, person, outside):
    assert "posts" in app.get(f"/users/{person.id}/erase").forms["record"].fields
    page = app.get(f"/users/{add_person(outside).id}/erase")
    assert "posts" not in page.forms["record"].fields
    page.mustcontain(no="Choose below")


def test_the_password_is_asked_for_after_the_choice(wsgi, outside, person):
    ago = utcnow() - CONFIRMED_15_MINUTES_AGO
    app = browser_of(wsgi, outside, add_person(outside, role="admin"), confirmed_at=ago)
    fields = app.get(f"/users/{person.id}/erase").html.select("#record .field label")
    assert [label.text for label in fields] == ["Posts", "Confirm your password"]


def test_the_pages_that_delete_and_erase_tell_themselves_apart(app, person):
    page = app.get(f"/users/{person.id}/delete")
    page.mustcontain("It can be undone in the history, but the password is lost.")
    page = page.click("Erase permanently")
    page.mustcontain("Erasing is for a person who asks for their data to be deleted. It cannot be undone.")
    assert page.click("Delete").html.h1.text == f"Delete {NAME}?"


def test_an_editor_has_no_link_to_a_page_that_is_closed_to_them(wsgi, outside, person):
    page = browser_of(wsgi, outside, add_person(outside, role="editor")).get(f"/users/{person.id}/delete")
    page.mustcontain("an administrator can erase the user permanently", no=f"/users/{person.id}/erase")


def test_only_the_button_erases(app, person, outside):
    before = everything_stored(outside)
    app.get(f"/users/{person.id}/erase")
    app.head(f"/users/{person.id}/erase")
    app.get(f"/users/{person.id}/erase?posts=delete")
    assert everything_stored(outside) == before


def test_the_searched_texts_are_stored_before(person, outside):
    # On SQLite the search index reads its text from the table of users.
    assert set(where(outside, NAME)) - {"users_trigrams"} == {"users", "history_changes"}
    assert set(where(outside, EMAIL)) - {"users_trigrams"} == {"users", "history_changes"}
    assert where(outside, ADDRESS) == ["security_events", "sign_ins"]
    assert where(outside, BROWSER) == ["sign_ins"]


@pytest.mark.parametrize("posts", ["keep", "delete"])
def test_no_table_names_an_erased_person(app, person, outside, posts):
    erase(app, person, posts).follow()
    assert {text: where(outside, text) for text in (NAME, EMAIL, ADDRESS, BROWSER, "Zaphod")} == {
        text: [] for text in (NAME, EMAIL, ADDRESS, BROWSER, "Zaphod")
    }


def test_no_change_has_what_an_erased_person_wrote_in_a_post_that_was_given_to_somebody(
    app, person, outside, rows, make_user
):
    [post], other = rows(Post), make_user("Ada Lovelace")
    with outside.begin() as connection:
        given = sqlalchemy.update(Post).where(Post.id == post.id)
        connection.execute(given.values(author_id=other.id, body="By Ada"))
    with outside.begin() as connection:
        connection.execute(sqlalchemy.insert(Post).values(title="Kept", body="Kept", author_id=person.id))
    kept = rows(Post)[-1]
    erase(app, person)
    assert where(outside, "World") == []
    sides = [side or {} for change in rows(Change) for side in (change.before, change.after)]
    assert person.id not in [side.get("author_id") for side in sides]
    assert [side["body"] for side in sides if side.get("author_id") == other.id] == ["By Ada"]
    app.get(f"/posts/{kept.id}/history").mustcontain("permanently erased later", no="changed the title")


def test_the_message_does_not_name_an_erased_person(app, person):
    page = erase(app, person).follow()
    assert page.html.find(role="status").text == "The user was erased permanently."
    page.mustcontain(no=[NAME, EMAIL])


def test_the_log_names_an_erased_person_by_id_only(app, person, caplog):
    caplog.set_level("INFO")
    caplog.clear()
    erase(app, person)
    assert '"event": "erased", "by": 0' in caplog.text
    assert f'"user": {person.id}' in caplog.text
    assert [text for text in (NAME, EMAIL, ADDRESS) if text in caplog.text] == []


def test_erasing_deletes_sign_ins_and_links_of_this_user_only(app, person, outside, rows):
    other = add_person(outside)
    with outside.begin() as connection:
        connection.execute(
            sqlalchemy.insert(PasswordLink).values(user_id=other.id, maker_id=0, token=digest("another link"))
        )
        values = {"token": digest("other"), "user_id": other.id, "address": "", "browser": ""}
        connection.execute(sqlalchemy.insert(SignIn).values(values))
    erase(app, person)
    assert [sign_in.user_id for sign_in in rows(SignIn)] == [other.id]
    with outside.connect() as connection:
        assert connection.scalars(sqlalchemy.select(PasswordLink.user_id)).all() == [other.id]


def test_an_erased_user_is_signed_out_and_their_link_is_invalid(app, wsgi, outside, person, stranger):
    own = browser_of(wsgi, outside, person)
    own.get("/users", status=200)
    stranger.get("/set-password/link", status=200)
    erase(app, person)
    assert own.get("/users", status=303).location.startswith("http://localhost/signin")
    stranger.get("/set-password/link", status=404)


def test_posts_are_kept_under_former_member(app, person, rows):
    [before] = rows(Post)
    page = app.get(f"/users/{person.id}/erase")
    assert page.html.find("option", value="keep").text == "Keep them under the name “Former member”"
    erase(app, person)
    [post], [former] = rows(Post), rows(User)
    assert (post.id, post.title, post.body) == (before.id, before.title, before.body)
    assert (post.author_id, former.name, former.active, former.email) == (former.id, "Former member", False, None)
    app.get(f"/posts/{post.id}").mustcontain("Former member", no=NAME)


def test_former_member_is_created_once(app, outside, make_post, rows):
    people = [add_person(outside, f"Person {number}") for number in range(3)]
    for each in people:
        make_post(author=each)
        erase(app, each)
    [former] = rows(User)
    assert {post.author_id for post in rows(Post)} == {former.id}
    assert len(rows(Post)) == 3


@pytest.fixture
def former(app, person, rows):
    """The user Former member, with one post."""
    erase(app, person)
    return rows(User)[0]


@pytest.mark.parametrize(
    "path", ["/users", "/users/{user}", "/users/{user}/delete", "/posts", "/posts/{post}", "/posts/{post}/edit"]
)
def test_former_member_is_shown_in_the_language_of_the_page(app, former, rows, path):
    [post] = rows(Post)
    app.extra_environ["HTTP_ACCEPT_LANGUAGE"] = "ko"
    app.get(path.format(user=former.id, post=post.id)).mustcontain("이전 구성원", no="Former member")


def test_a_person_with_that_name_keeps_it(app, make_user):
    user = make_user("Former member")
    app.extra_environ["HTTP_ACCEPT_LANGUAGE"] = "ko"
    app.get(f"/users/{user.id}").mustcontain("Former member", no="실제 사용자가 아닙니다")


@pytest.mark.parametrize("page", ["", "/delete", "/erase"])
def test_pages_say_that_former_member_is_no_person(app, former, page):
    note = app.get(f"/users/{former.id}{page}").html.find(role="note").text
    assert note == "This is not a person. Posts of erased users are kept under this name."


def test_a_user_named_former_member_gets_no_posts(app, person, make_user, rows):
    namesake = make_user("Former member", email="former@example.com")
    erase(app, person)
    assert [post.author_id for post in rows(Post)] != [namesake.id]
    assert len(rows(User)) == 2


NAMESAKES = {
    "active": {},
    "with a password": {"active": False, "password_hash": "x"},
    "with an email": {"active": False, "email": "former@example.com"},
    "with another name": {"name": "Former Member", "active": False},
}


@pytest.mark.parametrize("namesake", NAMESAKES)
def test_posts_go_to_no_namesake_of_former_member(namesake, app, person, make_user, rows):
    other = make_user(**{"name": "Former member", **NAMESAKES[namesake]})
    erase(app, person)
    [post] = rows(Post)
    [former] = [user for user in rows(User) if user.id == post.author_id]
    assert former.id != other.id
    assert (former.name, former.active, former.email, former.password_hash) == ("Former member", False, None, None)


def test_the_button_pressed_twice_erases_once(app, person, make_user, rows):
    form = app.get(f"/users/{person.id}/erase").forms["record"]
    first = form.submit(status=303).location
    before = [user.id for user in rows(User)], [post.author_id for post in rows(Post)]
    assert form.submit(status=303).location == first
    assert ([user.id for user in rows(User)], [post.author_id for post in rows(Post)]) == before


def test_chosen_posts_are_deleted_and_no_others(app, person, make_post, rows):
    other = make_post("Another's")
    erase(app, person, "delete")
    assert [post.id for post in rows(Post)] == [other.id]
    assert [user.name for user in rows(User)] == ["Ada Lovelace"]


def test_former_member_is_not_created_without_posts(app, outside, rows):
    app.get(f"/users/{add_person(outside).id}/erase").forms["record"].submit(status=303)
    assert rows(User) == []


def test_kept_posts_survive_when_former_member_is_erased(app, person, rows):
    erase(app, person)
    [former], [post] = rows(User), rows(Post)
    erase(app, former)
    assert [kept.id for kept in rows(Post)] == [post.id]


def test_an_unknown_choice_erases_nobody(app, person, rows):
    form = app.get(f"/users/{person.id}/erase").forms["record"]
    form["posts"].force_value("burn")
    form.submit(status=422).mustcontain("Choose an option from the list.")
    assert [user.name for user in rows(User)] == [NAME]


# Permissions, and when the password is asked for


def test_an_editor_cannot_erase(wsgi, outside, person, app):
    editor = browser_of(wsgi, outside, add_person(outside, role="editor"))
    form = app.get(f"/users/{person.id}/erase").forms["record"]
    fields = {**dict(form.submit_fields()), "csrf_token": editor.get("/users").forms[0]["csrf_token"].value}
    # A refusal is a security event.
    before = everything_stored(outside, but_for={"security_events"})
    editor.get(f"/users/{person.id}/erase", status=403)
    editor.post(f"/users/{person.id}/erase", fields, status=403)
    editor.get(f"/users/{person.id}").mustcontain("Delete", no="Erase permanently")
    assert everything_stored(outside, but_for={"security_events"}) == before


def administrator_of(wsgi, outside, age):
    """Return the browser of an administrator who has entered their password `age` ago."""
    return browser_of(wsgi, outside, add_person(outside, "Admin", "admin"), confirmed_at=utcnow() - age)


def test_no_password_is_asked_for_within_15_minutes(wsgi, outside, person):
    form = administrator_of(wsgi, outside, CONFIRMED_14_MINUTES_AGO).get(f"/users/{person.id}/erase").forms["record"]
    assert "your_password" not in form.fields
    form.submit(status=303)


def test_the_password_is_asked_for_after_15_minutes(wsgi, outside, person, rows):
    app = administrator_of(wsgi, outside, CONFIRMED_15_MINUTES_AGO)
    form = app.get(f"/users/{person.id}/erase").forms["record"]
    for password in ("", "a wrong password", PASSWORD.upper()):
        form["your_password"] = password
        form = form.submit(status=422).forms["record"]
        assert form["your_password"].value == ""
    assert rows(User)[0].name == NAME
    form["your_password"] = PASSWORD
    form.submit(status=303)
    assert NAME not in [user.name for user in rows(User)]


def test_the_password_cannot_be_left_out(wsgi, outside, person, rows):
    app = administrator_of(wsgi, outside, CONFIRMED_15_MINUTES_AGO)
    page = app.get(f"/users/{person.id}/erase")
    app.post(f"/users/{person.id}/erase", {"csrf_token": page.forms["record"]["csrf_token"].value}, status=422)
    assert rows(User)[0].name == NAME


def test_an_entered_password_counts_on_the_next_page(wsgi, outside, person):
    app, other = administrator_of(wsgi, outside, CONFIRMED_15_MINUTES_AGO), add_person(outside)
    form = app.get(f"/users/{other.id}/erase").forms["record"]
    form["your_password"] = PASSWORD
    form.submit(status=303)
    assert "your_password" not in app.get(f"/users/{person.id}/erase").forms["record"].fields


def test_wrong_passwords_are_counted_as_failed_sign_ins(wsgi, outside, person, rows):
    app = administrator_of(wsgi, outside, CONFIRMED_15_MINUTES_AGO)
    before = len(rows(FailedSignIn))
    form = app.get(f"/users/{person.id}/erase").forms["record"]
    for _try in range(5):
        form["your_password"] = "a wrong password"
        form = form.submit(status=422).forms["record"]
    form["your_password"] = PASSWORD
    form.submit(status=422)
    assert len(rows(FailedSignIn)) == before + 5
    assert rows(User)[0].name == NAME
