"""Two people edit the same record: changes of different fields are merged, and for the others the second decides."""

import time

import pytest
from pyramid_retry import RetryableException
from sqlalchemy import delete, insert, text, update

from myproject.models import Post, SavedView, User
from myproject.posts import views as posts_views
from myproject.users import views
from tests import signed_in
from tests.people import add_person, browser_of

MERGED = "The changes of both of you are in the fields below"
CONFLICT = "choose which value to keep"
KOREAN = {"HTTP_ACCEPT_LANGUAGE": "ko"}
PATHS = {User: "/users", Post: "/posts", SavedView: "/users/views"}


@pytest.fixture
def other(wsgi):
    """Another browser, in English."""
    return signed_in.browser(wsgi)


def edit(browser, record, **options):
    """Return the edit form of a record in `browser`."""
    return browser.get(f"{PATHS[type(record)]}/{record.id}/edit", **options).forms["record"]


def save(browser, record, **values):
    """Edit a record and submit the form."""
    form = edit(browser, record)
    fill_in(form, **values)
    form.submit(status=303)


def fill_in(form, **values):
    for name, value in values.items():
        form[name] = value


def change_outside(engine, record, **values):
    """Change a record as another program does."""
    table = type(record).__table__
    with engine.begin() as connection:
        connection.execute(update(table).where(table.c.id == record.id).values(values))


def meanwhile(page, field):
    """Return what the page says about the changes of a field, or `None`."""
    note = page.html.find(id=f"{field}-change")
    return note and " ".join(note.text.split())


def choices(page, field):
    """Return the texts of the choice between two values, an empty list without one."""
    return [
        " ".join(label.text.split())
        for label in page.html.select(f"label[for={field}-entered], label[for={field}-saved]")
    ]


def alert(page):
    """Return the text above the fields."""
    return page.html.find(role="alert").text


def lost(page):
    """Return what the error page says that the person has changed, by the labels of the fields."""
    facts = page.html.select_one("main dl")
    return {name.text: text.text.strip() for name, text in zip(facts("dt"), facts("dd"), strict=True)}


# Merging


def test_a_change_of_somebody_else_is_kept(app, other, make_user, rows):
    """One deactivates a user while the other one enters the age."""
    form = edit(app, user := make_user("John Doe", age=30))
    save(other, user, active=False)
    form["age"] = "31"
    page = form.submit(status=409)
    assert MERGED in alert(page)
    assert [(user.age, user.active) for user in rows(User)] == [(30, False)]
    page.forms["record"].submit(status=303)
    assert [(user.age, user.active) for user in rows(User)] == [(31, False)]


def test_the_page_says_field_by_field_who_changed_it(app, other, make_user):
    form = edit(app, user := make_user("John Doe", email="john@example.com", age=30))
    save(other, user, age="", role="editor", active=False)
    fill_in(form, name="Jack Doe", age="31")
    page = form.submit(status=409)
    assert {field: meanwhile(page, field) for field in ("name", "email", "age", "role", "active")} == {
        "name": "Only you changed this. It was: John Doe",
        "email": None,
        "age": "You and somebody else changed this. It was: 30",
        "role": "Only somebody else changed this. It was: Member",
        "active": "Only somebody else changed this. It was: Yes",
    }
    fields = page.forms["record"]
    assert (fields["name"].value, fields["age"].value, fields["role"].value, fields["active"].checked) == (
        "Jack Doe", "31", "editor", False
    )  # fmt: skip


def test_a_field_that_both_changed_has_a_choice(app, other, make_user, rows):
    form = edit(app, user := make_user("John Doe", age=30))
    save(other, user, name="Johnny Doe")
    form["name"] = "Jack Doe"
    page = form.submit(status=409)
    assert CONFLICT in alert(page)
    assert page.forms["record"]["name"].value == "Jack Doe"
    assert choices(page, "name") == ["Keep the entry above", "Use what was saved meanwhile: Johnny Doe"]
    assert choices(page, "age") == []
    assert [user.name for user in rows(User)] == ["Johnny Doe"]


@pytest.mark.parametrize(("choice", "name"), [("entered", "Jack Doe"), ("saved", "Johnny Doe"), (None, "Jack Doe")])
def test_the_chosen_value_is_saved(app, other, make_user, rows, choice, name):
    form = edit(app, user := make_user("John Doe"))
    save(other, user, name="Johnny Doe", age="40")
    form["name"] = "Jack Doe"
    form = form.submit(status=409).forms["record"]
    if choice:
        form["choice_name"] = choice
    form.submit(status=303)
    assert [(user.name, user.age) for user in rows(User)] == [(name, 40)]


def test_the_field_of_a_choice_can_still_be_edited(app, other, make_user, rows):
    form = edit(app, user := make_user("John Doe"))
    save(other, user, name="Johnny Doe")
    form["name"] = "Jack Doe"
    form = form.submit(status=409).forms["record"]
    form["name"] = "Jack Johnny Doe"
    form.submit(status=303)
    assert [user.name for user in rows(User)] == ["Jack Johnny Doe"]


def test_an_entry_edited_beside_the_choice_of_the_saved_value_is_asked_about(app, other, make_user, rows):
    form = edit(app, user := make_user("John Doe"))
    save(other, user, name="Johnny Doe")
    form["name"] = "Jack Doe"
    form = form.submit(status=409).forms["record"]
    fill_in(form, name="Jim Doe", choice_name="saved")
    page = form.submit(status=409)
    assert (page.forms["record"]["name"].value, choices(page, "name")[1][-10:]) == ("Jim Doe", "Johnny Doe")
    assert meanwhile(page, "name") == "You edited your entry and also chose the saved value. Choose one."
    page.forms["record"].submit(status=303)
    assert [user.name for user in rows(User)] == ["Jim Doe"]


def test_the_change_of_a_third_person_is_noticed_again(app, other, make_user, rows):
    form = edit(app, user := make_user("John Doe", age=30))
    save(other, user, age="40")
    form["name"] = "Jack Doe"
    page = form.submit(status=409)
    save(other, user, age="41", role="editor")
    page = page.forms["record"].submit(status=409)
    assert meanwhile(page, "age") == "Only somebody else changed this. It was: 40"
    page.forms["record"].submit(status=303)
    assert [(user.name, user.age, user.role) for user in rows(User)] == [("Jack Doe", 41, "editor")]


@pytest.mark.parametrize("choice", ["entered", "saved"])
def test_a_choice_is_asked_again_if_the_value_changed_again(app, other, make_user, rows, choice):
    form = edit(app, user := make_user("John Doe"))
    save(other, user, name="Johnny Doe")
    form["name"] = "Jack Doe"
    form = form.submit(status=409).forms["record"]
    save(other, user, name="Jonathan Doe")
    form["choice_name"] = choice
    page = form.submit(status=409)
    assert meanwhile(page, "name").endswith("It was: Johnny Doe")
    assert [user.name for user in rows(User)] == ["Jonathan Doe"]


def test_the_same_change_by_both_is_no_conflict(app, other, make_user, rows):
    form = edit(app, user := make_user("John Doe", age=30))
    save(other, user, age="31", active=False)
    fill_in(form, age="31", active=False)
    form.submit(status=303)
    assert [(user.age, user.active) for user in rows(User)] == [(31, False)]


def test_a_change_beside_the_form_is_no_conflict(app, make_user, rows, outside):
    form = edit(app, user := make_user("John Doe"))
    change_outside(outside, user, password_hash="x", version=7)
    form["age"] = "31"
    form.submit(status=303)
    assert [(user.age, user.password_hash) for user in rows(User)] == [(31, "x")]


def test_a_value_that_no_form_would_accept_stays_if_it_is_left_alone(app, other, make_user, rows):
    form = edit(app, make_user(" John\r\nDoe ", age=30))
    form["age"] = "31"
    # A browser sends the name without the line break that its field cannot hold; this one without the spaces.
    form.submit(status=303)
    assert [(user.name, user.age) for user in rows(User)] == [(" John\r\nDoe ", 31)]


def test_a_form_with_a_mistake_still_knows_what_it_showed(app, other, make_user, rows):
    form = edit(app, user := make_user("John Doe", age=30))
    form["age"] = "thirty"
    form = form.submit(status=422).forms["record"]
    save(other, user, active=False)
    form["age"] = "31"
    form.submit(status=409).forms["record"].submit(status=303)
    assert [(user.age, user.active) for user in rows(User)] == [(31, False)]


def test_an_invalid_outdated_form_gets_both_messages_in_turn(app, other, make_user, rows):
    form = edit(app, user := make_user("John Doe", age=30))
    save(other, user, age="31")
    form["age"] = "thirty"
    page = form.submit(status=409)
    assert (page.forms["record"]["age"].value, meanwhile(page, "age")) == (
        "thirty", "You and somebody else changed this. It was: 30"
    )  # fmt: skip
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


# Who writes beside the page


def write_by_core(connection):
    connection.execute(update(User.__table__).values(age=77))


def write_by_text(connection):
    connection.execute(text("UPDATE users SET age = 77"))


def write_by_replace(connection):
    connection.execute(insert(User.__table__).prefix_with("OR REPLACE").values(id=1, name="John Doe", age=77))


@pytest.mark.parametrize("write", [write_by_core, write_by_text, write_by_replace])
def test_a_write_of_another_program_is_kept(app, make_user, rows, outside, write):
    if write is write_by_replace and outside.dialect.name != "sqlite":
        return
    form = edit(app, make_user("John Doe", age=30))
    with outside.begin() as connection:
        write(connection)
    form["role"] = "editor"
    form.submit(status=409).forms["record"].submit(status=303)
    assert [(user.age, user.role) for user in rows(User)] == [(77, "editor")]


# The page


def test_the_page_explains_the_conflict_in_korean(wsgi, other, make_user):
    korean = signed_in.browser(wsgi, **KOREAN)
    form = edit(korean, user := make_user("김철수", role="member"))
    save(other, user, name="김영희", role="editor", active=False)
    form["name"] = "김민수"
    page = form.submit(status=409)
    page.mustcontain("수정하는 동안 다른 사람이 내용을 변경했습니다.", no=["somebody", CONFLICT])
    assert meanwhile(page, "name") == "나와 다른 사람이 모두 변경한 항목입니다. 이전 값: 김철수"
    assert meanwhile(page, "role") == "다른 사람이 변경한 항목입니다. 이전 값: 구성원"


def test_what_is_said_about_a_field_describes_it(app, other, make_user):
    form = edit(app, user := make_user("John Doe"))
    save(other, user, name="Johnny Doe")
    assert "name-change" in form.submit(status=409).html.find(id="name")["aria-describedby"].split()


def test_the_values_are_escaped(app, other, make_user):
    form = edit(app, user := make_user("<i>John</i> %(name)s"))
    save(other, user, name='<b>"Johnny"</b> & ${name}')
    form["name"] = "Jack"
    page = form.submit(status=409)
    assert meanwhile(page, "name").endswith("It was: <i>John</i> %(name)s")
    assert choices(page, "name")[1].endswith('<b>"Johnny"</b> & ${name}')
    assert page.forms["record"]["shown_name"].value == '<b>"Johnny"</b> & ${name}'


def test_a_person_who_may_not_change_a_field_hears_nothing_of_it(wsgi, outside, rows):
    member = add_person(outside)
    browser = browser_of(wsgi, outside, member)
    form = edit(browser, member)
    assert [name for name in form.fields if name and name.startswith("shown")] == [
        "shown_name",
        "shown_email",
        "shown_age",
    ]
    change_outside(outside, member, role="editor")
    form["age"] = "31"
    # The form has no checkbox, which does not mean that it was unticked.
    form.submit(status=303)
    assert [(user.age, user.role, user.active) for user in rows(User)] == [(31, "editor", True)]


def test_a_password_is_asked_for_only_if_one_changed_the_role_oneself(wsgi, app, outside, make_user, rows):
    administrator = browser_of(wsgi, outside, add_person(outside, role="admin"))
    form = edit(administrator, user := make_user("John Doe"))
    save(app, user, role="editor")
    form["age"] = "31"
    page = form.submit(status=409)
    assert "your_password" not in page.forms["record"].fields
    page.forms["record"].submit(status=303)
    assert [(user.age, user.role) for user in rows(User)][1:] == [(31, "editor")]


# Forms of programs


def send(app, user, status, **fields):
    token = edit(app, user)["csrf_token"].value
    return app.post(f"/users/{user.id}/edit", {"csrf_token": token, "active": "y", **fields}, status=status)


@pytest.mark.parametrize("version", ["", "0", "2", "-1", "1.0", "one", "１", "9" * 30, "1 "])
def test_any_other_version_is_a_conflict_of_a_form_without_shown_values(version, app, make_user, rows):
    page = send(app, make_user("John Doe"), 409, name="Jack Doe", version=version)
    assert meanwhile(page, "name") == "The saved value is different."
    page.forms["record"].submit(status=303)
    assert [user.name for user in rows(User)] == ["Jack Doe"]


def test_the_version_that_was_read_is_no_conflict(app, make_user, rows):
    send(app, make_user("John Doe"), 303, name="Jack Doe", version="1")
    assert [user.name for user in rows(User)] == ["Jack Doe"]


def test_a_form_without_a_version_is_no_conflict(app, make_user, rows):
    send(app, make_user("John Doe"), 303, name="Jack Doe")
    assert [user.name for user in rows(User)] == ["Jack Doe"]


def test_a_person_cannot_set_the_version(app, make_user, rows):
    form = edit(app, make_user("John Doe"))
    form["name"], form["version"] = "Jack Doe", "100"
    form.submit(status=303)
    assert [user.version for user in rows(User)] == [2]


def test_an_unchanged_form_causes_no_conflict(app, other, make_user):
    form = edit(app, user := make_user("John Doe"))
    save(other, user)
    form.submit(status=303)


@pytest.mark.parametrize("path", ["/users", "/posts", "/users/views"])
def test_what_was_entered_for_a_deleted_record_is_kept_on_the_page(path, app, other, make_post, make_view, rows):
    post, view = make_post(), make_view(User(id=0))
    record = {"/users": User(id=post.author_id), "/posts": post, "/users/views": view}[path]
    form = edit(app, record)
    other.get(f"{path}/{record.id}/delete").forms["record"].submit(status=303)
    changed, label = ("title", "Title") if path == "/posts" else ("name", "Name")
    form[changed] = "</textarea><b>Typed with care"
    page = form.submit(status=404)
    assert page.html.h1.text == "This record was deleted by somebody else"
    assert lost(page) == {label: "</textarea><b>Typed with care"}


def test_what_was_emptied_unticked_and_chosen_is_kept_with_its_labels(app, other, make_user):
    form = edit(app, user := make_user("John Doe", email="john@example.com", age=30))
    other.get(f"/users/{user.id}/delete").forms["record"].submit(status=303)
    fill_in(form, email="", age="31", role="editor", active=False)
    assert lost(form.submit(status=404)) == {"Email": "–", "Age": "31", "Role": "Editor", "Active": "No"}


def test_what_was_entered_for_a_deleted_post_is_kept_with_its_labels(app, other, make_post, make_user):
    post, jane = make_post("Hello", "World"), make_user("Jane Doe")
    form = edit(app, post)
    other.get(f"/posts/{post.id}/delete").forms["record"].submit(status=303)
    fill_in(form, body="One\n\nTwo", author_id=str(jane.id))
    assert lost(form.submit(status=404)) == {"Text": "One\n\nTwo", "Author": "Jane Doe"}


def test_what_was_ticked_for_a_deleted_view_is_kept_with_its_label(app, other, make_view):
    form = edit(app, view := make_view(User(id=0)))
    other.get(f"/users/views/{view.id}/delete").forms["record"].submit(status=303)
    form["for_all"] = True
    assert lost(form.submit(status=404)) == {"Share with everyone": "Yes"}


def test_a_new_record_is_kept_if_the_person_may_no_longer_add_it(wsgi, outside):
    editor = add_person(outside, "Ed", "editor")
    form = browser_of(wsgi, outside, editor).get("/users/new").forms["record"]
    form["name"], form["age"] = "Jane Doe", "31"
    change_outside(outside, editor, role="member")
    assert lost(form.submit(status=403)) == {"Name": "Jane Doe", "Age": "31"}


def test_an_unchanged_form_of_a_deleted_record_is_not_found(app, other, make_user):
    form = edit(app, user := make_user())
    other.get(f"/users/{user.id}/delete").forms["record"].submit(status=303)
    form.submit(status=404).mustcontain("Page not found")


def test_what_was_entered_is_kept_if_the_record_was_closed_to_the_person(wsgi, outside, make_post, make_user, rows):
    """Somebody else has become the author of a member's post."""
    ada = add_person(outside, "Ada Lovelace")
    form = edit(browser_of(wsgi, outside, ada), post := make_post(author=ada))
    change_outside(outside, post, author_id=make_user().id)
    form["body"] = "Typed with care"
    page = form.submit(status=403)
    assert (page.html.h1.text, lost(page)) == ("You do not have permission", {"Text": "Typed with care"})
    assert [post.body for post in rows(Post)] == ["World"]


@pytest.mark.parametrize("loss", ["deleted", "closed"])
def test_what_was_entered_to_change_an_added_record_is_kept(loss, wsgi, outside, rows):
    """An editor goes back to the form by which they have added a user."""
    form = browser_of(wsgi, outside, add_person(outside, "Ed", "editor")).get("/users/new").forms["record"]
    form["name"] = "John Doe"
    form.submit(status=303)
    john = rows(User)[-1]
    form["name"] = "Typed with care"
    again = form.submit(status=409).forms["record"]
    again.action = f"/users/{john.id}/edit"
    with outside.begin() as connection:
        change = update(User).values(role="admin") if loss == "closed" else delete(User)
        connection.execute(change.where(User.id == john.id))
    page = again.submit(status=403 if loss == "closed" else 404)
    assert lost(page) == {"Name": "Typed with care"}


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_the_page_shows_nothing_of_another_site(app, headers, wsgi, outside, make_user):
    fields, user = {"shown_name": "John", "name": "Call this number"}, make_user()
    app.post("/users/99/edit", fields, headers=headers, status=404).mustcontain("Page not found", no="Call this")
    member = browser_of(wsgi, outside, add_person(outside))
    member.post(f"/users/{user.id}/edit", fields, headers=headers, status=403).mustcontain(no="Call this")


# Posts and saved views


def test_two_people_edit_a_post(app, other, make_post, make_user, rows):
    form, jane = edit(app, post := make_post("Hello", "World")), make_user("Jane Doe")
    save(other, post, body="One\nTwo", author_id=str(jane.id))
    form["body"] = "Three"
    page = form.submit(status=409)
    assert (meanwhile(page, "body"), meanwhile(page, "author_id"), meanwhile(page, "title")) == (
        "You and somebody else changed this. It was: World",
        "Only somebody else changed this. It was: Ada Lovelace",
        None,
    )
    assert choices(page, "body")[1] == "Use what was saved meanwhile: One Two"
    assert [post.body for post in rows(Post)] == ["One\nTwo"]
    page.forms["record"].submit(status=303)
    assert [(post.body, post.author_id) for post in rows(Post)] == [("Three", jane.id)]


@pytest.mark.parametrize("body", ["One\nTwo", "One\r\nTwo", "\nOne\n"])
def test_line_breaks_are_no_change(app, other, make_post, rows, body):
    form = edit(app, post := make_post("Hello", body))
    save(other, post, title="Bye")
    page = form.submit(status=409)
    assert meanwhile(page, "body") is None
    page.forms["record"].submit(status=303)
    assert [(post.title, post.body) for post in rows(Post)] == [("Bye", body)]


def test_the_longest_post_can_be_merged(app, other, make_post, rows):
    form = edit(app, post := make_post("😀" * 200, "😀" * 20_000))
    save(other, post, title="Bye")
    form["body"] = "😁" * 20_000
    form.submit(status=409).forms["record"].submit(status=303)
    assert [(post.title, post.body) for post in rows(Post)] == [("Bye", "😁" * 20_000)]


def test_authors_beyond_the_list_are_named(app, other, make_post, make_user, monkeypatch):
    form, zoe, zora = edit(app, post := make_post()), make_user("Zoë"), make_user("Zora")
    save(other, post, author_id=str(zoe.id))
    monkeypatch.setattr(posts_views, "MOST_AUTHORS_OFFERED", 1)
    form["author_id"].force_value(str(zora.id))
    page = form.submit(status=409)
    assert meanwhile(page, "author_id").endswith("It was: Ada Lovelace")
    assert choices(page, "author_id")[1].endswith("Zoë")


def test_two_people_edit_a_saved_view(app, other, make_view, make_user, outside, rows):
    form = edit(app, view := make_view(User(id=0), "Bosses"))
    save(other, view, for_all=True)
    form["name"] = "Admins"
    page = form.submit(status=409)
    assert meanwhile(page, "for_all") == "Only somebody else changed this. It was: No"
    page.forms["record"].submit(status=303)
    assert [(view.name, view.for_all) for view in rows(SavedView)] == [("Admins", True)]


# Retries


def test_a_retry_does_not_save_an_outdated_form(app, make_user, rows, monkeypatch, outside):
    """The first attempt loses a race; the second must not overwrite the change that won it."""
    form, save, attempts = edit(app, make_user("John Doe")), views.save, []

    def lose(form, user):
        attempts.append(save(form, user))
        if attempts[-1]:
            raise RetryableException
        return False

    monkeypatch.setattr(views, "save", lose)
    monkeypatch.setattr(time, "sleep", lambda seconds: save_outside(outside))
    form["name"] = "Jack Doe"
    page = form.submit(status=409)
    assert (attempts, choices(page, "name")[1]) == ([True, False], "Use what was saved meanwhile: Johnny Doe")
    assert [user.name for user in rows(User)] == ["Johnny Doe"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_attempt_after_a_real_race_does_not_save_an_outdated_form(app, make_user, rows, monkeypatch, outside):
    form, save, attempts = edit(app, make_user("John Doe")), views.save, []

    def be_overtaken(form, user):
        if not attempts:
            save_outside(outside)
        attempts.append(user)
        return save(form, user)

    monkeypatch.setattr(views, "save", be_overtaken)
    form["name"] = "Jack Doe"
    assert choices(form.submit(status=409), "name")[1] == "Use what was saved meanwhile: Johnny Doe"
    assert (len(attempts), [user.name for user in rows(User)]) == (2, ["Johnny Doe"])


def save_outside(engine):
    with engine.begin() as connection:
        connection.execute(update(User.__table__).values(name="Johnny Doe"))
