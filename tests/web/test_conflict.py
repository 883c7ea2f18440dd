"""Two people edit the same record: the second sees what the first saved, and decides."""

import time

import pytest
from pyramid_retry import RetryableException
from sqlalchemy import update

from myproject.models import Post, User
from myproject.posts import views as posts_views
from myproject.users import views
from tests import signed_in

WARNING = "Somebody else changed this while you were editing."
KOREAN = {"HTTP_ACCEPT_LANGUAGE": "ko"}


@pytest.fixture
def other(wsgi):
    """Another browser, in English."""
    return signed_in.browser(wsgi)


def edit(browser, record, **options):
    """Return the edit form of a record in `browser`."""
    return browser.get(f"/{record.__tablename__}/{record.id}/edit", **options).forms["record"]


def save(browser, record, **values):
    """Edit a record and submit the form."""
    form = edit(browser, record)
    for name, value in values.items():
        form[name] = value
    form.submit(status=303)


def meanwhile(page, field):
    """Return the text about the value saved meanwhile in a field, or `None`."""
    note = page.html.find(id=f"{field}-saved")
    return note and " ".join(note.text.split())


def test_the_second_of_two_editors_sees_both_values(app, other, make_user, rows):
    form = edit(app, user := make_user("John Doe", age=30))
    save(other, user, name="Johnny Doe")
    form["name"] = "Jack Doe"
    page = form.submit(status=409)
    assert page.forms["record"]["name"].value == "Jack Doe"
    assert meanwhile(page, "name") == "Saved value: Johnny Doe"
    assert [user.name for user in rows(User)] == ["Johnny Doe"]


def test_the_page_explains_the_conflict(app, other, make_user):
    form = edit(app, user := make_user("John Doe"))
    save(other, user, name="Johnny Doe")
    assert WARNING in form.submit(status=409).html.find(role="alert").text


def test_the_page_explains_the_conflict_in_korean(wsgi, other, make_user):
    korean = signed_in.browser(wsgi, **KOREAN)
    form = edit(korean, user := make_user("김철수", role="member"))
    save(other, user, name="김영희", role="editor", active=False)
    form["name"] = "김민수"
    page = form.submit(status=409)
    page.mustcontain("수정하는 동안 다른 사람이 내용을 변경했습니다.", no=["Saved", WARNING])
    assert meanwhile(page, "name") == "저장된 값: 김영희"
    assert "Editor" not in meanwhile(page, "role")


def test_a_form_sent_again_overwrites_the_seen_change(app, other, make_user, rows):
    form = edit(app, user := make_user("John Doe"))
    save(other, user, name="Johnny Doe", age="31")
    form["name"] = "Jack Doe"
    form.submit(status=409).forms["record"].submit(status=303)
    assert [(user.name, user.age) for user in rows(User)] == [("Jack Doe", None)]


def test_a_form_sent_again_after_another_change_is_a_conflict_again(app, other, make_user, rows):
    form = edit(app, user := make_user("John Doe"))
    save(other, user, name="Johnny Doe")
    page = form.submit(status=409)
    save(other, user, name="Jonathan Doe")
    page = page.forms["record"].submit(status=409)
    assert meanwhile(page, "name") == "Saved value: Jonathan Doe"
    assert [user.name for user in rows(User)] == ["Jonathan Doe"]


def test_only_different_values_are_shown(app, other, make_user):
    form = edit(app, user := make_user("John Doe", email="john@example.com", age=30))
    save(other, user, age="", role="editor", active=False)
    page = form.submit(status=409)
    shown = {field: meanwhile(page, field) for field in ["name", "email", "age", "role", "active"]}
    prefix = "Saved value: "
    assert shown == {
        "name": None, "email": None, "age": prefix + "–", "role": prefix + "Editor", "active": prefix + "No"
    }  # fmt: skip


def test_the_saved_value_describes_its_field(app, other, make_user):
    form = edit(app, user := make_user("John Doe"))
    save(other, user, name="Johnny Doe")
    assert "name-saved" in form.submit(status=409).html.find(id="name")["aria-describedby"].split()


def test_the_saved_value_is_escaped(app, other, make_user):
    form = edit(app, user := make_user("John Doe"))
    save(other, user, name="<b>Johnny</b> & ${name}")
    assert meanwhile(form.submit(status=409), "name") == "Saved value: <b>Johnny</b> & ${name}"


def test_an_invalid_outdated_form_gets_both_messages_in_turn(app, other, make_user, rows):
    form = edit(app, user := make_user("John Doe", age=30))
    save(other, user, age="31")
    form["age"] = "thirty"
    page = form.submit(status=409)
    assert (page.forms["record"]["age"].value, meanwhile(page, "age")) == ("thirty", "Saved value: 31")
    assert page.forms["record"].submit(status=422).forms["record"]["age"].value == "thirty"
    assert [user.age for user in rows(User)] == [31]


def test_a_taken_email_is_reported_after_the_conflict(app, other, make_user):
    form = edit(app, user := make_user("John Doe"))
    save(other, user, age="31")
    make_user("Jane Doe", email="doe@example.com")
    form["email"] = "doe@example.com"
    form.submit(status=409).forms["record"].submit(status=422).mustcontain(
        "Another user already has this address. Enter a different one."
    )


@pytest.mark.parametrize("version", ["", "0", "2", "-1", "1.0", "one", "１", "9" * 30, "1 ", "\x00"])
def test_any_other_version_is_a_conflict(version, app, make_user, rows):
    form = edit(app, make_user("John Doe"))
    form["name"], form["version"] = "Jack Doe", version
    form.submit(status=409).forms["record"].submit(status=303)
    assert [user.name for user in rows(User)] == ["Jack Doe"]


def test_a_form_without_a_version_is_no_conflict(app, make_user, rows):
    user = make_user("John Doe")
    token = edit(app, user)["csrf_token"].value
    app.post(f"/users/{user.id}/edit", {"name": "Jack Doe", "role": "member", "csrf_token": token}, status=303)
    assert [user.name for user in rows(User)] == ["Jack Doe"]


def test_a_person_cannot_set_the_version(app, make_user, rows):
    form = edit(app, make_user("John Doe"))
    form["name"] = "Jack Doe"
    form.submit(status=303)
    assert [user.version for user in rows(User)] == [2]


def test_an_unchanged_form_causes_no_conflict(app, other, make_user):
    form = edit(app, user := make_user("John Doe"))
    save(other, user)
    form.submit(status=303)


@pytest.mark.parametrize("path", ["/users", "/posts"])
def test_a_deleted_record_is_not_found(path, app, other, make_post):
    post = make_post()
    record = post if path == "/posts" else User(id=post.author_id)
    form = edit(app, record)
    other.get(f"{path}/{record.id}/delete").forms["record"].submit(status=303)
    form.submit(status=404).mustcontain("Page not found")


def test_two_people_edit_a_post(app, other, make_post, make_user, rows):
    form, jane = edit(app, post := make_post("Hello", "World")), make_user("Jane Doe")
    save(other, post, body="One\nTwo", author_id=str(jane.id))
    form["body"] = "Three"
    page = form.submit(status=409)
    assert (meanwhile(page, "body"), meanwhile(page, "author_id"), meanwhile(page, "title")) == (
        "Saved value: One Two", "Saved value: Jane Doe", None
    )  # fmt: skip
    assert [post.body for post in rows(Post)] == ["One\nTwo"]
    page.forms["record"].submit(status=303)
    assert [(post.body, post.author_id) for post in rows(Post)] == [("Three", post.author_id)]


def test_a_saved_author_beyond_the_list_is_named(app, other, make_post, make_user, monkeypatch):
    form, zoe = edit(app, post := make_post()), make_user("Zoë")
    save(other, post, author_id=str(zoe.id))
    monkeypatch.setattr(posts_views, "MOST_AUTHORS_OFFERED", 1)
    assert meanwhile(form.submit(status=409), "author_id") == "Saved value: Zoë"


def test_a_retry_does_not_save_an_outdated_form(app, make_user, rows, monkeypatch, outside):
    """The first attempt loses a race; the second must not overwrite the change that won it."""
    form, save, attempts = edit(app, make_user("John Doe")), views.save, []

    def lose(form, user):
        attempts.append(save(form, user))
        raise RetryableException

    monkeypatch.setattr(views, "save", lose)
    monkeypatch.setattr(time, "sleep", lambda seconds: save_outside(outside))
    form["name"] = "Jack Doe"
    page = form.submit(status=409)
    assert (len(attempts), meanwhile(page, "name")) == (1, "Saved value: Johnny Doe")
    assert [user.name for user in rows(User)] == ["Johnny Doe"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_attempt_after_a_real_race_does_not_save_an_outdated_form(app, make_user, rows, monkeypatch, outside):
    form, save, attempts = edit(app, make_user("John Doe")), views.save, []

    def be_overtaken(form, user):
        attempts.append(user)
        save_outside(outside)
        return save(form, user)

    monkeypatch.setattr(views, "save", be_overtaken)
    form["name"] = "Jack Doe"
    assert meanwhile(form.submit(status=409), "name") == "Saved value: Johnny Doe"
    assert (len(attempts), [user.name for user in rows(User)]) == (1, ["Johnny Doe"])


def test_without_a_version_the_last_change_would_win(app, other, make_user, rows, monkeypatch):
    """The control: with `version_id_col` alone."""
    monkeypatch.setattr(views.UserForm, "is_outdated", lambda form, record: False)
    form = edit(app, user := make_user("John Doe"))
    save(other, user, name="Johnny Doe")
    form.submit(status=303)
    assert [user.name for user in rows(User)] == ["John Doe"]


def save_outside(engine):
    with engine.begin() as connection:
        connection.execute(update(User.__table__).values(name="Johnny Doe", version=2))
