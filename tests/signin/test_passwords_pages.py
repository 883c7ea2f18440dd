"""The pages on which passwords are set and changed, and the acts that ask for the password again."""

from types import SimpleNamespace

import pytest
import sqlalchemy

from myproject.models import SignIn, User
from myproject.signin.models import FailedSignIn, PasswordLink
from tests.signed_in import HASHER, PASSWORD

from .conftest import is_signed_in, sign_in

NEW_PASSWORD = "nine green bottles hanging"
UNKNOWN = "It has expired, was already used, or was replaced by a newer one."


def change_own(browser, user, present=PASSWORD, new=NEW_PASSWORD):
    """Fill in and send the page for the own password; return the answer."""
    form = browser.get(f"/users/{user.id}/password").forms["record"]
    form["your_password"], form["password"] = present, new
    return form.submit(expect_errors=True)


@pytest.fixture
def make_link(admin):
    """Call `make_link(user)`: let the administrator make a link for the user; return its URL."""

    def make(user):
        page = admin.get(f"/users/{user.id}").click("Create password link")
        return page.forms["record"].submit(status=200).html.select_one(".secret code").text

    return make


@pytest.fixture
def made(ada, make_link, rows):
    """A link, its user and its maker."""
    link = make_link(ada)
    [maker] = [user for user in rows(User) if user.name == "Grace Hopper"]
    return SimpleNamespace(link=link, user=ada, maker=maker)


@pytest.fixture
def links(outside):
    """Call `links()`: return the stored links, read over the second connection."""

    def read():
        with outside.connect() as connection:
            return connection.execute(sqlalchemy.select(PasswordLink.user_id, PasswordLink.token)).all()

    return read


@pytest.fixture
def unconfirmed(admin, age):
    """The administrator's browser, more than 15 minutes after they last entered their password."""
    age(SignIn.confirmed_at, minutes=15, seconds=1)
    return admin


# The own password


def test_a_person_changes_their_password(enter, ada, rows):
    page = change_own(enter(ada), ada).follow()
    assert page.html.find(role="status").text == "Your password was changed. You were signed out of all other browsers."
    assert HASHER.verify(NEW_PASSWORD, rows(User)[0].password_hash)


def test_only_the_new_password_works_after_a_change(enter, ada, visitor):
    change_own(enter(ada), ada)
    assert sign_in(visitor(), password=PASSWORD).status_int == 422
    assert sign_in(visitor(), password=NEW_PASSWORD).status_int == 303


def test_the_user_page_links_to_the_password_page(enter, ada):
    page = enter(ada).get(f"/users/{ada.id}").click("Change your password")
    assert page.html.h1.text == "Change your password"
    assert [field["type"] for field in page.html.select("#record .field input")] == ["password", "password"]


def test_a_wrong_present_password_changes_nothing_and_is_counted(enter, ada, rows):
    page = change_own(enter(ada), ada, present="a wrong password")
    assert page.status_int == 422
    assert "Wrong password" in page.html.find(id="your_password-error").text
    page.mustcontain(no=[NEW_PASSWORD, "a wrong password"])
    assert rows(User)[0].password_hash == ada.password_hash
    assert len(rows(FailedSignIn)) == 1


def test_wrong_present_passwords_and_failed_sign_ins_are_counted_together(enter, ada, visitor, rows):
    browser = enter(ada)
    for _ in range(5):
        change_own(browser, ada, present="a wrong password")
    assert change_own(browser, ada).status_int == 422
    assert sign_in(visitor()).status_int == 429
    assert rows(User)[0].password_hash == ada.password_hash


def test_a_refused_password_gets_a_message(enter, ada, rows, subtests):
    browser = enter(ada)
    for new in "", "short", "password1234", "ada lovelace", "a" * 1025, "nine green bottles\x00":
        with subtests.test(new[:20]):
            page = change_own(browser, ada, new=new)
            assert page.status_int == 422
            assert page.html.find(id="password-error").text
    assert rows(User)[0].password_hash == ada.password_hash


def test_the_length_of_a_password_is_said_once(enter, ada):
    browser = enter(ada)
    for new in "short", "password1234":
        assert change_own(browser, ada, new=new).text.count("t least 12 characters") == 1


@pytest.mark.parametrize("role", ["member", "editor", "admin"])
def test_nobody_changes_another_users_password(enter, ada, make_person, role, rows):
    browser = enter(make_person("Bob", email="bob@example.com", role=role))
    browser.get(f"/users/{ada.id}/password", status=403)
    token = browser.get("/signout").forms["record"]["csrf_token"].value
    sent = {"csrf_token": token, "your_password": PASSWORD, "password": NEW_PASSWORD}
    browser.post(f"/users/{ada.id}/password", sent, status=403)
    assert rows(User)[0].password_hash == ada.password_hash


# Links


def test_a_person_sets_their_first_password_with_a_link(make_person, make_link, visitor):
    person, browser = make_person(password=None), visitor()
    form = browser.get(make_link(person)).forms["record"]
    form["password"] = NEW_PASSWORD
    page = form.submit(status=303).follow()
    assert page.html.find(role="status").text == "Your password was set. You can sign in now."
    assert not is_signed_in(browser)
    assert sign_in(browser, password=NEW_PASSWORD).status_int == 303


def test_the_page_of_a_link_names_its_user(ada, make_link, visitor):
    page = visitor().get(make_link(ada))
    assert page.html.h1.text == "Set your password"
    page.mustcontain("Ada Lovelace", "ada@example.com")


def test_a_link_works_once(ada, make_link, visitor, rows, links):
    link = make_link(ada)
    first, second = (visitor().get(link).forms["record"] for _ in range(2))
    first["password"], second["password"] = NEW_PASSWORD, "a password of somebody else"
    first.submit(status=303)
    second.submit(status=404).mustcontain(UNKNOWN)
    visitor().get(link, status=404).mustcontain(UNKNOWN)
    assert HASHER.verify(NEW_PASSWORD, rows(User)[0].password_hash)
    assert links() == []


def test_a_link_is_valid_for_a_day(ada, make_link, visitor, age):
    link = make_link(ada)
    age(PasswordLink.created_at, hours=23, minutes=59)
    form = visitor().get(link).forms["record"]
    age(PasswordLink.created_at, hours=24)
    visitor().get(link, status=404).mustcontain(UNKNOWN)
    form["password"] = NEW_PASSWORD
    form.submit(status=404)


def test_a_new_link_replaces_the_earlier_one(ada, make_link, visitor):
    old, new = make_link(ada), make_link(ada)
    assert old != new
    visitor().get(old, status=404)
    visitor().get(new, status=200)


def test_a_refused_password_leaves_the_link_valid(ada, make_link, visitor, rows):
    form = visitor().get(make_link(ada)).forms["record"]
    form["password"] = "Ada Lovelace"
    again = form.submit(status=422).forms["record"]
    assert rows(User)[0].password_hash == ada.password_hash
    again["password"] = NEW_PASSWORD
    again.submit(status=303)


def test_a_link_is_shown_once_and_stored_as_a_digest(ada, make_link, admin, links):
    token = make_link(ada).rpartition("/")[2]
    admin.get(f"/users/{ada.id}/password-link").mustcontain(no=token)
    assert len(token) == 43
    assert [(link.user_id, len(link.token), token in link.token) for link in links()] == [(ada.id, 64, False)]


@pytest.mark.parametrize("change", [{"role": "editor"}, {"active": False}])
def test_a_change_of_role_or_activity_makes_the_link_invalid(ada, make_link, admin, visitor, change):
    link = make_link(ada)
    form = admin.get(f"/users/{ada.id}/edit").forms["record"]
    for name, value in change.items():
        form[name] = value
    form.submit(status=303)
    visitor().get(link, status=404)


def test_a_change_of_the_own_password_makes_the_link_invalid(ada, make_link, enter, visitor):
    link = make_link(ada)
    change_own(enter(ada), ada)
    visitor().get(link, status=404)


CHANGES = {
    "name": {"name": "Bob Brown"},
    "email": {"email": "bob@example.com"},
    "role": {"role": "editor"},
    "activity": {"active": False},
    "password": {"password_hash": HASHER.hash(NEW_PASSWORD)},
}


@pytest.mark.parametrize("values", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("whose", ["user", "maker"])
def test_a_link_ends_when_any_program_changes_its_user_or_its_maker(made, visitor, change, links, values, whose):
    form = visitor().get(made.link).forms["record"]
    change(getattr(made, whose), **values)
    visitor().get(made.link, status=404).mustcontain(UNKNOWN)
    form["password"] = NEW_PASSWORD
    form.submit(status=404)
    assert links() == []


@pytest.mark.parametrize("whose", ["user", "maker"])
def test_a_link_does_not_come_back_with_the_earlier_values(made, visitor, change, whose):
    person = getattr(made, whose)
    change(person, role="editor")
    change(person, role=person.role)
    visitor().get(made.link, status=404)


def test_a_link_ends_with_the_record_of_its_maker(made, app, visitor, links):
    app.get(f"/users/{made.maker.id}/delete").forms["record"].submit(status=303)
    visitor().get(made.link, status=404).mustcontain(UNKNOWN)
    assert links() == []


def test_a_link_survives_other_changes(made, visitor, change):
    for person in made.user, made.maker:
        change(person, age=37)
    visitor().get(made.link, status=200)


def test_a_demoted_administrator_does_not_get_in_by_a_link_for_somebody_else(made, app, visitor, links):
    form = app.get(f"/users/{made.maker.id}/edit").forms["record"]
    form["role"] = "member"
    form.submit(status=303)
    visitor().get(made.link, status=404)
    assert links() == []


# An open link is shown, and ended


def test_a_persons_page_shows_an_open_link(made, admin, enter):
    for browser in admin, enter(made.user):
        note = browser.get(f"/users/{made.user.id}").html.find(role="note").text
        assert note.startswith("A password link created by Grace Hopper works until ")


def test_a_persons_page_shows_no_link_to_others_and_none_that_has_expired(made, admin, enter, make_person, age):
    editor = enter(make_person("Edith", email="edith@example.com", role="editor"))
    assert editor.get(f"/users/{made.user.id}").html.find(role="note") is None
    age(PasswordLink.created_at, hours=24)
    assert admin.get(f"/users/{made.user.id}").html.find(role="note") is None


def test_the_person_and_an_administrator_end_an_open_link(made, admin, enter, make_link, visitor, subtests):
    for who, browser in {"administrator": admin, "person": enter(made.user)}.items():
        with subtests.test(who):
            link = make_link(made.user)
            form = browser.get(f"/users/{made.user.id}").click("End the link").forms["record"]
            page = form.submit("end", value="link", status=303).follow()
            assert page.html.find(role="status").text == "The password link no longer works."
            visitor().get(link, status=404)


def test_a_link_of_a_person_who_is_not_signed_in_can_be_ended(made, admin, links):
    page = admin.get(f"/users/{made.user.id}/sign-ins")
    page.mustcontain("Not signed in anywhere.", no="Sign out everywhere")
    page.forms["record"].submit("end", value="link", status=303)
    assert links() == []


# After the password was set


def test_the_sign_in_form_waits_with_the_email(ada, make_link, visitor):
    browser = visitor()
    form = browser.get(make_link(ada)).forms["record"]
    form["password"] = NEW_PASSWORD
    answer = form.submit(status=303)
    assert answer.location == "http://localhost/signin"
    form = answer.follow().forms["record"]
    assert (form["email"].value, form["password"].value) == ("ada@example.com", "")
    form["password"] = NEW_PASSWORD
    form.submit(status=303)
    browser.get("/signout").forms["record"].submit(status=303)
    assert browser.get("/signin").forms["record"]["email"].value == ""


def test_a_link_opened_by_somebody_else_names_them_and_signs_them_out(ada, make_link, enter, make_person, rows):
    browser = enter(make_person("Bob", email="bob@example.com"))
    page = browser.get(make_link(ada))
    assert "You are signed in as Bob." in page.html.find(role="note").text
    form = page.forms["record"]
    form["password"] = NEW_PASSWORD
    page = form.submit(status=303).follow()
    assert page.forms["record"]["email"].value == "ada@example.com"
    assert not is_signed_in(browser)
    names = {user.id: user.name for user in rows(User)}
    assert [names[row.user_id] for row in rows(SignIn)] == ["Grace Hopper"]


def test_a_refused_password_signs_nobody_out(ada, make_link, enter, make_person):
    browser = enter(make_person("Bob", email="bob@example.com"))
    form = browser.get(make_link(ada)).forms["record"]
    form["password"] = "Ada Lovelace"
    assert form.submit(status=422).html.find(role="note")
    assert is_signed_in(browser)


def test_a_link_opened_by_its_own_user_warns_of_nothing(ada, make_link, enter):
    assert enter(ada).get(make_link(ada)).html.find(role="note") is None


def test_a_double_click_sets_one_password(ada, make_link, visitor, rows):
    form = visitor().get(make_link(ada)).forms["record"]
    form["password"] = NEW_PASSWORD
    form.submit(status=303)
    password_hash = rows(User)[0].password_hash
    assert form.submit(status=303).location == "http://localhost/signin"
    # A password that is set again has another hash.
    assert rows(User)[0].password_hash == password_hash


def test_an_unknown_link_gets_an_error_page(stranger, subtests):
    for token in "a", "a" * 43, "%00", "%EA%B0%80", "..%2F", "a" * 5000:
        with subtests.test(token[:10]):
            page = stranger.get(f"/set-password/{token}", expect_errors=True)
            assert page.status_int in (400, 404)
            assert page.html.h1


def test_a_link_that_does_not_work_leads_to_the_sign_in_page(stranger):
    page = stranger.get("/set-password/used", status=404)
    assert page.html.h1.text == "This link does not work"
    page.mustcontain(UNKNOWN, no="Back to users")
    assert page.click("Sign in", href="/signin").status_int in (200, 303)


def test_an_inactive_user_is_told_that_they_cannot_sign_in(make_person, make_link, visitor):
    person, browser = make_person(active=False), visitor()
    page = browser.get(make_link(person))
    assert "Your account is inactive." in page.html.find(role="note").text
    form = page.forms["record"]
    form["password"] = NEW_PASSWORD
    page = form.submit(status=303).follow()
    assert "you cannot sign in until" in page.html.find(role="status").text.lower()
    page.mustcontain(no="You can sign in now")
    assert sign_in(browser, password=NEW_PASSWORD).status_int == 422


def test_the_page_that_makes_a_link_says_that_the_user_is_inactive(admin, make_person):
    page = admin.get(f"/users/{make_person(active=False).id}/password-link")
    made = page.forms["record"].submit(status=200)
    for each in page, made:
        assert "This user is inactive and cannot sign in" in each.html.find(role="note").text


def test_a_link_sent_again_is_said_to_have_replaced_the_first(admin, ada, visitor):
    form = admin.get(f"/users/{ada.id}/password-link").forms["record"]
    first, second = form.submit(status=200), form.submit(status=200)
    first.mustcontain("Reloading this page creates a new link", no="The link that was created before")
    second.mustcontain("The link that was created before no longer works.")
    visitor().get(first.html.select_one(".secret code").text, status=404).mustcontain(UNKNOWN)


def test_an_open_link_is_named_before_a_new_one_replaces_it(made, admin):
    note = admin.get(f"/users/{made.user.id}/password-link").html.find(role="note").text
    assert note.strip().startswith("A password link created by Grace Hopper works until ")


def test_a_link_for_a_user_without_email_is_explained(admin, make_user):
    page = admin.get(f"/users/{make_user('Bob').id}/password-link")
    page.mustcontain("This user has no email address yet. They need one to sign in.")
    assert "record" not in page.forms
    assert page.click("Add email address").html.h1.text == "Edit Bob"


@pytest.mark.parametrize("role", ["member", "editor"])
def test_only_an_administrator_makes_a_link(enter, ada, make_person, role, links):
    browser = enter(make_person("Bob", email="bob@example.com", role=role))
    browser.get(f"/users/{ada.id}").mustcontain(no="Create password link")
    browser.get(f"/users/{ada.id}/password-link", status=403)
    token = browser.get("/signout").forms["record"]["csrf_token"].value
    browser.post(f"/users/{ada.id}/password-link", {"csrf_token": token}, status=403)
    assert links() == []


def test_a_member_cannot_make_a_link_for_themself(enter, ada):
    enter(ada).get(f"/users/{ada.id}/password-link", status=403)


# Risky acts


def test_the_password_is_not_asked_for_again_within_15_minutes(admin, age, ada):
    age(SignIn.confirmed_at, minutes=14, seconds=50)
    for page in f"/users/{ada.id}/erase", f"/users/{ada.id}/password-link":
        assert "your_password" not in admin.get(page).forms["record"].fields


@pytest.mark.parametrize("act", ["erase", "password-link"])
@pytest.mark.parametrize(
    ("typed", "said"),
    [("", "Fill in this field."), ("a wrong password", "Wrong password"), (NEW_PASSWORD, "Wrong password")],
)
def test_after_15_minutes_a_wrong_password_does_nothing(unconfirmed, ada, act, typed, said, rows, links):
    form = unconfirmed.get(f"/users/{ada.id}/{act}").forms["record"]
    form["your_password"] = typed
    page = form.submit(status=422)
    assert said in page.html.find(id="your_password-error").text
    assert f"Nothing was {'deleted' if act == 'erase' else 'saved'}." in page.html.find(role="alert").text
    assert [user.name for user in rows(User)] == ["Grace Hopper", "Ada Lovelace"]
    assert links() == []


@pytest.mark.parametrize("act", ["erase", "password-link"])
def test_a_form_without_the_password_does_nothing(unconfirmed, ada, act, rows, links):
    token = unconfirmed.get("/signout").forms["record"]["csrf_token"].value
    unconfirmed.post(f"/users/{ada.id}/{act}", {"csrf_token": token, "posts": "delete"}, status=422)
    assert [user.name for user in rows(User)] == ["Grace Hopper", "Ada Lovelace"]
    assert links() == []


def test_the_right_password_counts_for_the_next_15_minutes(unconfirmed, ada, make_person, rows):
    form = unconfirmed.get(f"/users/{ada.id}/erase").forms["record"]
    form["your_password"] = PASSWORD
    form.submit(status=303)
    assert [user.name for user in rows(User)] == ["Grace Hopper"]
    bob = make_person("Bob", email="bob@example.com")
    unconfirmed.get(f"/users/{bob.id}/erase").forms["record"].submit(status=303)
    assert [user.name for user in rows(User)] == ["Grace Hopper"]


def test_the_right_password_makes_the_link(unconfirmed, ada, links):
    form = unconfirmed.get(f"/users/{ada.id}/password-link").forms["record"]
    form["your_password"] = PASSWORD
    form.submit(status=200).mustcontain("Send this link to the user")
    assert [link.user_id for link in links()] == [ada.id]


def test_changing_a_role_needs_the_password(unconfirmed, ada, rows):
    form = unconfirmed.get(f"/users/{ada.id}/edit").forms["record"]
    form["role"] = "admin"
    again = form.submit(status=422).forms["record"]
    assert rows(User)[1].role == "member"
    again["your_password"] = "a wrong password"
    again = again.submit(status=422).forms["record"]
    assert rows(User)[1].role == "member"
    again["your_password"] = PASSWORD
    again.submit(status=303)
    assert rows(User)[1].role == "admin"


def test_a_password_that_is_asked_for_the_first_time_is_not_wrong(admin, ada, age):
    change, erase = (admin.get(f"/users/{ada.id}/{act}").forms["record"] for act in ("edit", "erase"))
    change["role"] = "admin"
    age(SignIn.confirmed_at, hours=1)
    for form, done in (change, "saved"), (erase, "deleted"):
        page = form.submit(status=422)
        assert page.html.find(id="your_password-error").text == "Enter your password to go on."
        assert page.html.select(".is-invalid, [aria-invalid], .alert-danger") == []
        assert f"Nothing has been {done} yet." in page.html.find(role="alert").text


def test_a_mistake_beside_a_password_that_is_asked_for_the_first_time_is_marked(unconfirmed, ada):
    form = unconfirmed.get(f"/users/{ada.id}/edit").forms["record"]
    form["role"], form["age"] = "admin", "old"
    page = form.submit(status=422)
    assert [field["name"] for field in page.html.select("[aria-invalid]")] == ["age"]
    assert "Check the marked fields." in page.html.find(role="alert").text


def test_adding_an_administrator_needs_the_password(unconfirmed, rows):
    form = unconfirmed.get("/users/new").forms["record"]
    form["name"], form["role"] = "Bob", "admin"
    again = form.submit(status=422).forms["record"]
    assert [user.name for user in rows(User)] == ["Grace Hopper"]
    again["your_password"] = PASSWORD
    again.submit(status=303)
    assert rows(User)[1].role == "admin"


def test_the_password_of_the_edited_user_does_not_confirm(unconfirmed, make_person, rows):
    other = make_person("Bob", email="bob@example.com", password=NEW_PASSWORD)
    form = unconfirmed.get(f"/users/{other.id}/edit").forms["record"]
    form["role"] = "admin"
    again = form.submit(status=422).forms["record"]
    again["your_password"] = NEW_PASSWORD
    again.submit(status=422)
    assert rows(User)[1].role == "member"


def test_other_changes_need_no_password(unconfirmed, ada, rows):
    form = unconfirmed.get(f"/users/{ada.id}/edit").forms["record"]
    form["age"] = "37"
    form.submit(status=303)
    assert rows(User)[1].age == 37


def test_a_missing_password_is_not_counted_as_wrong(unconfirmed, ada, rows):
    form = unconfirmed.get(f"/users/{ada.id}/edit").forms["record"]
    form["role"] = "editor"
    form.submit(status=422).mustcontain("Needed because you are changing a sign-in email or a role.")
    assert rows(FailedSignIn) == []


def test_wrong_passwords_before_risky_acts_are_counted(unconfirmed, ada, rows, links):
    form = unconfirmed.get(f"/users/{ada.id}/password-link").forms["record"]
    form["your_password"] = "a wrong password"
    for _ in range(5):
        form.submit(status=422)
    form["your_password"] = PASSWORD
    form.submit(status=422)
    assert len(rows(FailedSignIn)) == 5
    assert links() == []


def test_a_wrong_password_does_not_confirm(unconfirmed, ada, rows):
    before = rows(SignIn)[0].confirmed_at
    form = unconfirmed.get(f"/users/{ada.id}/password-link").forms["record"]
    form["your_password"] = "a wrong password"
    form.submit(status=422)
    assert rows(SignIn)[0].confirmed_at == before


def test_changing_the_email_needs_the_password(unconfirmed, ada, rows):
    form = unconfirmed.get(f"/users/{ada.id}/edit").forms["record"]
    form["email"] = "other@example.com"
    form = form.submit(status=422).forms["record"]
    assert ada.email in [user.email for user in rows(User)]
    form["your_password"] = PASSWORD
    form.submit(status=303)
    assert "other@example.com" in [user.email for user in rows(User)]


def test_changing_the_email_of_a_user_without_password_needs_none(unconfirmed, make_user):
    form = unconfirmed.get(f"/users/{make_user().id}/edit").forms["record"]
    form["email"] = "other@example.com"
    form.submit(status=303)


def test_ending_sign_ins_needs_the_password(unconfirmed, enter, ada, rows):
    enter(ada)
    form = unconfirmed.get(f"/users/{ada.id}/sign-ins").forms["record"]
    form = form.submit("end", value="others", status=422).forms["record"]
    assert ada.id in [row.user_id for row in rows(SignIn)]
    form["your_password"] = PASSWORD
    form.submit("end", value="others", status=303)
    assert ada.id not in [row.user_id for row in rows(SignIn)]
