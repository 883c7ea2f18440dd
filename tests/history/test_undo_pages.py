"""The page that asks before an undo, and the link to it in the message after each action."""

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from myproject.models import Entry, Post, SecurityEvent, User
from tests.people import add_person, browser_of, token_of
from tests.signed_in import PASSWORD


@pytest.fixture
def edit(app):
    """Call `edit(user, name=…)`: change a user by the form, and return the page that follows."""

    def run(user, browser=app, **values):
        form = browser.get(f"/users/{user.id}/edit").forms["record"]
        for name, value in values.items():
            form[name] = value
        return form.submit(status=303).follow()

    return run


def undo(page, **values):
    """Follow the link in the message of a page, confirm, and return the page that follows."""
    form = page.goto(undo_path(page)).forms["record"]
    for name, value in values.items():
        form[name] = value
    return form.submit(status=303).follow()


def undo_path(page):
    """Return where the link in the message of a page leads."""
    return page.html.select_one(".alert-success a")["href"]


def delete_user(app, user):
    return app.get(f"/users/{user.id}/delete").forms["record"].submit(status=303).follow()


def test_an_edit_is_undone_from_its_message_and_redone(edit, make_user, rows):
    user = make_user(name="Ada", age=36)
    page = edit(user, name="Bob", age="")
    page = undo(page)
    assert [(row.name, row.age) for row in rows(User)] == [("Ada", 36)]
    page.mustcontain("Undone. 1 record was put back.")
    undo(page)
    assert [(row.name, row.age) for row in rows(User)] == [("Bob", None)]


def test_an_undo_is_a_security_event(edit, make_user, outside):
    undo(edit(make_user(name="Ada"), age="36"))
    with Session(outside) as session:
        events = session.scalars(select(SecurityEvent).where(SecurityEvent.kind == "undone")).all()
        assert [(event.actor_id, event.load_facts().keys()) for event in events] == [(0, {"entry"})]


def test_the_page_shows_what_each_field_becomes(edit, make_user):
    page = edit(make_user(name="Ada", age=36), name="Bob", age="37").click("Undo", href=r"/undo$")
    page.mustcontain("Will be put back", "<del>", "Bob", "Ada", "37", "36")


def test_a_deleted_user_is_restored_from_the_message(app, make_user, make_post, make_view, rows):
    user = make_user(name="Ada", email="ada@example.com")
    make_post(author=user)
    make_view(user)
    page = delete_user(app, user).click("Undo", href=r"/undo$")
    page.mustcontain("<bdi>Ada</bdi>: will be restored", "Passwords are not brought back")
    page.forms["record"].submit(status=303)
    assert [(row.id, row.name, row.email) for row in rows(User)] == [(user.id, "Ada", "ada@example.com")]
    assert len(rows(Post)) == 1


def test_a_message_of_a_request_that_changed_no_record_has_no_link(edit, make_user):
    page = edit(make_user(name="Ada"))
    page.mustcontain("The changes to Ada were saved.", no="/undo")


def test_an_error_page_shows_a_message_without_its_link(edit, make_user, app):
    """It is made without the database: the message stands on it, if it is for the path of the form."""
    user = make_user(name="Ada")
    form = app.get(f"/users/{user.id}/edit").forms["record"]
    form["name"] = "Bob"
    page = form.submit(status=303).location
    app.post(page, {"csrf_token": token_of(app)}, status=405).mustcontain("The changes to Bob were saved.", no="/undo")


def test_the_message_of_another_person_s_change_has_no_link(edit, make_user, wsgi, outside):
    page = edit(make_user(name="Ada"), name="Bob")
    assert page.click("Undo", href=r"/undo$").status_int == 200
    assert "/undo" not in browser_of(wsgi, outside, add_person(outside)).get("/users")


def test_what_was_changed_since_is_said_with_who_did_it(edit, make_user, wsgi, outside):
    user, other = make_user(name="Ada"), add_person(outside, "Eve", role="editor")
    page = edit(user, age="36")
    edit(user, browser_of(wsgi, outside, other), age="37")
    page = page.click("Undo", href=r"/undo$")
    page.mustcontain("Changed since", "last changed by", "Eve")
    assert page.forms["record"]["changed"].value == "leave"


def test_what_was_changed_since_is_put_back_on_request(edit, make_user, rows):
    user = make_user(name="Ada")
    page = edit(user, age="36")
    edit(user, age="37")
    undo(page, changed="too")
    assert rows(User)[0].age is None


def test_a_change_while_the_page_is_open_asks_again(edit, make_user, rows, outside):
    user = make_user(name="Ada")
    form = edit(user, age="36").click("Undo", href=r"/undo$").forms["record"]
    with outside.begin() as connection:
        connection.execute(update(User).where(User.id == user.id).values(age=99))
    page = form.submit(status=409)
    page.mustcontain("Something has changed since you opened the page. Nothing was put back.")
    assert rows(User)[0].age == 99
    page.forms["record"]["changed"] = "too"
    page.forms["record"].submit(status=303)
    assert rows(User)[0].age is None


def test_an_undo_sent_twice_is_done_once(edit, make_user, entries):
    form = edit(make_user(name="Ada"), age="36").click("Undo", href=r"/undo$").forms["record"]
    form.submit(status=303)
    before = len(entries())
    form.submit(status=303).follow().mustcontain("This was already done.")
    assert len(entries()) == before


def test_a_second_undo_of_the_same_entry_has_nothing_to_do(edit, make_user, app, rows):
    page = edit(make_user(name="Ada"), age="36")
    undo(page)
    again = page.click("Undo", href=r"/undo$")
    again.mustcontain("Nothing to put back", "There is nothing that can be put back now.")
    assert "record" not in again.forms
    app.post(again.request.path, {"csrf_token": token_of(app)}, status=422)
    assert rows(User)[0].age is None


def test_a_role_is_put_back_only_with_the_password(edit, make_user, wsgi, outside, rows):
    admin = add_person(outside, "Boss", role="admin")
    browser = browser_of(wsgi, outside, admin)
    user = make_user(name="Ada")
    page = edit(user, browser, role="editor")
    with outside.begin() as connection:
        connection.exec_driver_sql("UPDATE sign_ins SET confirmed_at = '2020-01-01 00:00:00'")
    form = page.click("Undo", href=r"/undo$").forms["record"]
    form.submit(status=422).mustcontain("Confirm your password", "Fill in this field.")
    assert [row.role for row in rows(User) if row.id == user.id] == ["editor"]
    form["your_password"] = PASSWORD
    form.submit(status=303)
    assert [row.role for row in rows(User) if row.id == user.id] == ["member"]


def test_the_last_administrator_stays_with_a_message(app, make_user, wsgi, outside, rows):
    """Undoing what made somebody an administrator is refused while there is no other one."""
    boss = add_person(outside, "Boss")
    form = app.get(f"/users/{boss.id}/edit").forms["record"]
    form["role"] = "admin"
    page = form.submit(status=303).follow()
    with outside.begin() as connection:
        connection.execute(update(User).where(User.id == 0).values(active=False))
    browser = browser_of(wsgi, outside, boss)
    page = browser.get(page.html.find("a", string="Undo")["href"])
    page.forms["record"].submit(status=409).mustcontain("This is the last administrator who can sign in.")
    assert rows(User)[0].role == "admin"


def test_an_email_taken_meanwhile_is_said_with_a_way_on(app, make_user):
    user = make_user(name="Ada", email="ada@example.com")
    page = delete_user(app, user)
    make_user(name="Eve", email="ada@example.com")
    page = page.click("Undo", href=r"/undo$")
    page.mustcontain("Email taken meanwhile")
    page.click("Find the user").mustcontain("Eve")


def test_a_missing_author_is_said_with_a_way_on(app, make_user, make_post):
    user = make_user(name="Ada")
    post = make_post(author=user, title="Hello")
    page = app.get(f"/posts/{post.id}/delete").forms["record"].submit(status=303).follow()
    delete_user(app, user)
    page = page.click("Undo", href=r"/undo$")
    page.mustcontain("Author or owner missing", f"/users/{user.id}/history")


def test_a_change_of_a_deleted_record_leads_to_its_restoring(app, edit, make_user, rows):
    user = make_user(name="Ada")
    page = edit(user, age="36")
    delete_user(app, user)
    page.click("Undo", href=r"/undo$").click("Restore").forms["record"].submit(status=303)
    assert [row.name for row in rows(User)] == ["Ada"]


def test_an_erased_person_is_not_brought_back(app, make_user, edit, rows):
    user = make_user(name="Ada")
    page = edit(user, age="36")
    app.get(f"/users/{user.id}/erase").forms["record"].submit(status=303)
    page.click("Undo", href=r"/undo$").mustcontain("Permanently erased", no="Ada")
    assert rows(User) == []


def test_one_record_is_restored_alone(app, make_user, outside, entries, rows):
    people = [make_user(name=name) for name in ("Ada", "Bob")]
    with outside.begin() as connection:
        connection.execute(delete(User).where(User.id > 0))
    entry = entries()[-1]
    page = app.get(f"/history/{entry.id}/undo?record=users-{people[1].id}")
    page.mustcontain("<bdi>Bob</bdi>: will be restored", no="Ada")
    page.forms["record"].submit(status=303).follow().mustcontain("Bob")
    assert [row.name for row in rows(User)] == ["Bob"]


@pytest.mark.parametrize(
    "path",
    [
        "/history/0/undo", "/history/999999/undo", f"/history/{'9' * 30}/undo", "/history/abc/undo", "/history/-1/undo",
        "/history/{}/undo?record=users-99999", "/history/{}/undo?record=nothing-1", "/history/{}/undo?record=users",
        "/history/{}/undo?record=users-" + "9" * 30, "/history/{}/undo?record=sign_ins-1",
    ],
)  # fmt: skip
def test_an_entry_or_record_that_is_not_there_is_404(app, make_user, entries, path):
    make_user()
    app.get(path.format(entries()[0].id), status=404)


def test_an_entry_that_was_pruned_meanwhile_is_404(app, edit, make_user, outside):
    form = edit(make_user(name="Ada"), age="36").click("Undo", href=r"/undo$").forms["record"]
    with outside.begin() as connection:
        connection.execute(delete(Entry))
    form.submit(status=404)


def test_a_member_undoes_their_own_edit_and_nobody_else_s(wsgi, outside, edit, rows, make_user, entries):
    member, other = add_person(outside, "Ada"), add_person(outside, "Bob")
    browser = browser_of(wsgi, outside, member)
    page = edit(member, browser, age="36")
    edit(other, age="37")
    browser.get(f"/history/{entries()[-1].id}/undo", status=403)
    undo(page)
    assert [row.age for row in rows(User)] == [None, 37]


def test_a_record_that_a_person_may_not_change_stays(wsgi, outside, make_user, entries, rows):
    editor = add_person(outside, "Eve", role="editor")
    boss, ada = add_person(outside, "Boss", role="admin"), make_user(name="Ada")
    with outside.begin() as connection:
        connection.execute(update(User).where(User.id.in_([boss.id, ada.id])).values(age=7))
    page = browser_of(wsgi, outside, editor).get(f"/history/{entries()[-1].id}/undo")
    page.mustcontain("Not permitted", "Will be put back")
    page.forms["record"].submit(status=303)
    assert {row.name: row.age for row in rows(User)} == {"Eve": None, "Boss": 7, "Ada": None}


def test_a_member_does_not_learn_which_other_records_an_entry_has_changed(wsgi, outside, make_user, entries):
    me, ada = add_person(outside, "Me"), make_user(name="Ada")
    with outside.begin() as connection:
        connection.execute(update(User).where(User.id.in_([me.id, ada.id])).values(age=7))
    path = f"/history/{entries()[-1].id}/undo?record=users-"
    browser = browser_of(wsgi, outside, me)
    browser.get(f"{path}{me.id}", status=200)
    browser.get(f"{path}{ada.id}", status=404)


def test_accounts_that_an_undo_changes_are_security_events(app, edit, make_user, rows):
    user = make_user(name="Ada", email="ada@example.com")
    undo(edit(user, name="Eve", role="editor"))
    undo(edit(user, name="Bob"))
    page = delete_user(app, user)
    undo(undo(page))
    found = [event for event in rows(SecurityEvent) if event.kind != "undone"]
    events = [(event.kind, event.user_id, event.load_facts()) for event in found]
    active = {"active": True, "active_before": True, "email_changed": False}
    restored = {"role": "member", "role_before": None, "active": True, "active_before": None, "email_changed": True}
    assert events == [
        ("account changed", user.id, {"role": "editor", "role_before": "member", **active}),
        ("account changed", user.id, {"role": "member", "role_before": "editor", **active}),
        ("user deleted", user.id, {}),
        ("account changed", user.id, restored),
        ("user deleted", user.id, {}),
    ]


def test_strangers_are_asked_to_sign_in(stranger, make_user, entries):
    make_user()
    stranger.get(f"/history/{entries()[0].id}/undo", status=303)
