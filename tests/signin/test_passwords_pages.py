"""The pages by which passwords are set and changed, and the acts before which one is asked for again."""

import pytest
import sqlalchemy

from myproject.models import SignIn, User
from myproject.signin.models import FailedSignIn, PasswordLink
from tests.signed_in import HASHER, PASSWORD

from .conftest import is_signed_in, sign_in

NEW_PASSWORD = "nine green bottles hanging"
UNKNOWN = "This link was used already, or is older than a day. Ask for a new one."


def change_own(browser, user, present=PASSWORD, new=NEW_PASSWORD):
    """Fill in the page on which one changes one's password; return the answer, whatever it is."""
    form = browser.get(f"/users/{user.id}/password").forms["record"]
    form["your_password"], form["password"] = present, new
    return form.submit(expect_errors=True)


@pytest.fixture
def make_link(admin):
    """Call `make_link(user)`: have the administrator make a link for the user; return its address."""

    def make(user):
        page = admin.get(f"/users/{user.id}").click("Link to set a password")
        return page.forms["record"].submit(status=200).html.select_one(".secret code").text

    return make


@pytest.fixture
def links(outside):
    """Call `links()`: the stored links, read through the second connection."""

    def read():
        with outside.connect() as connection:
            return connection.execute(sqlalchemy.select(PasswordLink.user_id, PasswordLink.token)).all()

    return read


@pytest.fixture
def unconfirmed(admin, age):
    """The administrator's browser, 15 minutes after they had entered their password last."""
    age(SignIn.confirmed_at, minutes=15, seconds=1)
    return admin


# One's own


def test_a_person_changes_their_password(enter, ada, rows):
    page = change_own(enter(ada), ada).follow()
    assert page.html.find(role="status").text == "Your password was changed. Other browsers were signed out."
    assert HASHER.verify(NEW_PASSWORD, rows(User)[0].password_hash)


def test_from_then_on_the_new_password_counts(enter, ada, visitor):
    change_own(enter(ada), ada)
    assert sign_in(visitor(), password=PASSWORD).status_int == 422
    assert sign_in(visitor(), password=NEW_PASSWORD).status_int == 303


def test_the_page_is_found_from_ones_own(enter, ada):
    page = enter(ada).get(f"/users/{ada.id}").click("Change your password")
    assert page.html.h1.text == "Change your password"
    assert [field["type"] for field in page.html.select("#record .field input")] == ["password", "password"]


def test_a_wrong_present_password_changes_nothing_and_is_counted(enter, ada, rows):
    page = change_own(enter(ada), ada, present="a wrong password")
    assert page.status_int == 422
    assert "This is not your password" in page.html.find(id="your_password-error").text
    page.mustcontain(no=[NEW_PASSWORD, "a wrong password"])
    assert rows(User)[0].password_hash == ada.password_hash
    assert len(rows(FailedSignIn)) == 1


def test_wrong_present_passwords_and_wrong_sign_ins_count_together(enter, ada, visitor, rows):
    browser = enter(ada)
    for _ in range(5):
        change_own(browser, ada, present="a wrong password")
    assert change_own(browser, ada).status_int == 422
    assert sign_in(visitor()).status_int == 429
    assert rows(User)[0].password_hash == ada.password_hash


def test_a_password_that_is_refused_is_a_message(enter, ada, rows, subtests):
    browser = enter(ada)
    for new in "", "short", "password1234", "ada lovelace", "a" * 1025, "nine green bottles\x00":
        with subtests.test(new[:20]):
            page = change_own(browser, ada, new=new)
            assert page.status_int == 422
            assert page.html.find(id="password-error").text
    assert rows(User)[0].password_hash == ada.password_hash


@pytest.mark.parametrize("role", ["member", "editor", "admin"])
def test_nobody_changes_anothers_password_on_this_page(enter, ada, make_person, role, rows):
    browser = enter(make_person("Bob", email="bob@example.com", role=role))
    browser.get(f"/users/{ada.id}/password", status=403)
    token = browser.get("/signout").forms["record"]["csrf_token"].value
    sent = {"csrf_token": token, "your_password": PASSWORD, "password": NEW_PASSWORD}
    browser.post(f"/users/{ada.id}/password", sent, status=403)
    assert rows(User)[0].password_hash == ada.password_hash


# Links


def test_by_a_link_a_person_sets_their_first_password(make_person, make_link, visitor):
    person, browser = make_person(password=None), visitor()
    form = browser.get(make_link(person)).forms["record"]
    form["password"] = NEW_PASSWORD
    page = form.submit(status=303).follow()
    assert page.html.find(role="status").text == "Your password is set. Sign in with it."
    assert not is_signed_in(browser)
    assert sign_in(browser, password=NEW_PASSWORD).status_int == 303


def test_the_page_of_a_link_says_whose_it_is(ada, make_link, visitor):
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


def test_a_link_is_good_for_a_day(ada, make_link, visitor, age):
    link = make_link(ada)
    age(PasswordLink.created_at, hours=23, minutes=59)
    form = visitor().get(link).forms["record"]
    age(PasswordLink.created_at, hours=24)
    visitor().get(link, status=404).mustcontain(UNKNOWN)
    form["password"] = NEW_PASSWORD
    form.submit(status=404)


def test_a_new_link_ends_the_one_before(ada, make_link, visitor):
    old, new = make_link(ada), make_link(ada)
    assert old != new
    visitor().get(old, status=404)
    visitor().get(new, status=200)


def test_a_password_that_is_refused_leaves_the_link_good(ada, make_link, visitor, rows):
    form = visitor().get(make_link(ada)).forms["record"]
    form["password"] = "Ada Lovelace"
    again = form.submit(status=422).forms["record"]
    assert rows(User)[0].password_hash == ada.password_hash
    again["password"] = NEW_PASSWORD
    again.submit(status=303)


def test_a_link_is_shown_once_and_kept_as_a_digest(ada, make_link, admin, links):
    token = make_link(ada).rpartition("/")[2]
    admin.get(f"/users/{ada.id}/password-link").mustcontain(no=token)
    assert len(token) == 43
    assert [(link.user_id, len(link.token), token in link.token) for link in links()] == [(ada.id, 64, False)]


@pytest.mark.parametrize("change", [{"role": "editor"}, {"active": False}])
def test_a_change_of_what_somebody_may_do_ends_their_link(ada, make_link, admin, visitor, change):
    link = make_link(ada)
    form = admin.get(f"/users/{ada.id}/edit").forms["record"]
    for name, value in change.items():
        form[name] = value
    form.submit(status=303)
    visitor().get(link, status=404)


def test_ones_own_new_password_ends_ones_link(ada, make_link, enter, visitor):
    link = make_link(ada)
    change_own(enter(ada), ada)
    visitor().get(link, status=404)


def test_a_double_click_on_the_page_of_a_link_sets_one_password(ada, make_link, visitor, rows):
    form = visitor().get(make_link(ada)).forms["record"]
    form["password"] = NEW_PASSWORD
    form.submit(status=303)
    assert form.submit(status=303).location == "http://localhost/signin"
    assert rows(User)[0].version == ada.version + 1


def test_an_unknown_link_is_a_page_that_says_so(stranger, subtests):
    for token in "a", "a" * 43, "%00", "%EA%B0%80", "..%2F", "a" * 5000:
        with subtests.test(token[:10]):
            page = stranger.get(f"/set-password/{token}", expect_errors=True)
            assert page.status_int in (400, 404)
            assert page.html.h1


def test_who_is_inactive_does_not_get_in_by_a_link(make_person, make_link, visitor):
    person, browser = make_person(active=False), visitor()
    form = browser.get(make_link(person)).forms["record"]
    form["password"] = NEW_PASSWORD
    form.submit(status=303)
    assert sign_in(browser, password=NEW_PASSWORD).status_int == 422


def test_for_somebody_without_an_email_there_is_an_explanation(admin, make_user):
    page = admin.get(f"/users/{make_user('Bob').id}/password-link")
    page.mustcontain("They sign in by their email address, and there is none in their record yet.")
    assert "record" not in page.forms
    assert page.click("Add the address").html.h1.text == "Edit Bob"


@pytest.mark.parametrize("role", ["member", "editor"])
def test_only_an_administrator_makes_a_link(enter, ada, make_person, role, links):
    browser = enter(make_person("Bob", email="bob@example.com", role=role))
    browser.get(f"/users/{ada.id}").mustcontain(no="Link to set a password")
    browser.get(f"/users/{ada.id}/password-link", status=403)
    token = browser.get("/signout").forms["record"]["csrf_token"].value
    browser.post(f"/users/{ada.id}/password-link", {"csrf_token": token}, status=403)
    assert links() == []


def test_not_even_for_themselves_does_a_member_make_one(enter, ada):
    enter(ada).get(f"/users/{ada.id}/password-link", status=403)


# Risky acts


def test_within_15_minutes_no_password_is_asked_for_again(admin, age, ada):
    age(SignIn.confirmed_at, minutes=14, seconds=50)
    for page in f"/users/{ada.id}/erase", f"/users/{ada.id}/password-link":
        assert "your_password" not in admin.get(page).forms["record"].fields


@pytest.mark.parametrize("act", ["erase", "password-link"])
@pytest.mark.parametrize("typed", ["", "a wrong password", NEW_PASSWORD])
def test_after_15_minutes_a_wrong_password_does_nothing(unconfirmed, ada, act, typed, rows, links):
    form = unconfirmed.get(f"/users/{ada.id}/{act}").forms["record"]
    form["your_password"] = typed
    page = form.submit(status=422)
    assert "This is not your password" in page.html.find(id="your_password-error").text
    assert [user.name for user in rows(User)] == ["Grace Hopper", "Ada Lovelace"]
    assert links() == []


@pytest.mark.parametrize("act", ["erase", "password-link"])
def test_who_leaves_the_password_out_of_the_form_does_nothing(unconfirmed, ada, act, rows, links):
    token = unconfirmed.get("/signout").forms["record"]["csrf_token"].value
    unconfirmed.post(f"/users/{ada.id}/{act}", {"csrf_token": token, "posts": "delete"}, status=422)
    assert [user.name for user in rows(User)] == ["Grace Hopper", "Ada Lovelace"]
    assert links() == []


def test_the_right_password_erases_and_confirms_for_the_next_15_minutes(unconfirmed, ada, make_person, rows):
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
    form.submit(status=200).mustcontain("Give this link to them")
    assert [link.user_id for link in links()] == [ada.id]


def test_a_role_changes_only_after_the_password(unconfirmed, ada, rows):
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


def test_a_new_administrator_is_added_only_after_the_password(unconfirmed, rows):
    form = unconfirmed.get("/users/new").forms["record"]
    form["name"], form["role"] = "Bob", "admin"
    again = form.submit(status=422).forms["record"]
    assert [user.name for user in rows(User)] == ["Grace Hopper"]
    again["your_password"] = PASSWORD
    again.submit(status=303)
    assert rows(User)[1].role == "admin"


def test_the_password_of_the_other_is_not_ones_own(unconfirmed, make_person, rows):
    other = make_person("Bob", email="bob@example.com", password=NEW_PASSWORD)
    form = unconfirmed.get(f"/users/{other.id}/edit").forms["record"]
    form["role"] = "admin"
    again = form.submit(status=422).forms["record"]
    again["your_password"] = NEW_PASSWORD
    again.submit(status=422)
    assert rows(User)[1].role == "member"


def test_what_is_not_risky_asks_for_no_password(unconfirmed, ada, rows):
    form = unconfirmed.get(f"/users/{ada.id}/edit").forms["record"]
    form["age"] = "37"
    form.submit(status=303)
    assert rows(User)[1].age == 37


def test_a_password_not_typed_yet_is_no_wrong_one(unconfirmed, ada, rows):
    form = unconfirmed.get(f"/users/{ada.id}/edit").forms["record"]
    form["role"] = "editor"
    form.submit(status=422).mustcontain("Asked for because how somebody signs in, or what they may do, is to change.")
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


def test_another_email_needs_the_password_again(unconfirmed, ada, rows):
    form = unconfirmed.get(f"/users/{ada.id}/edit").forms["record"]
    form["email"] = "other@example.com"
    form = form.submit(status=422).forms["record"]
    assert ada.email in [user.email for user in rows(User)]
    form["your_password"] = PASSWORD
    form.submit(status=303)
    assert "other@example.com" in [user.email for user in rows(User)]


def test_the_email_of_who_has_no_password_is_no_risk(unconfirmed, make_user):
    form = unconfirmed.get(f"/users/{make_user().id}/edit").forms["record"]
    form["email"] = "other@example.com"
    form.submit(status=303)


def test_to_sign_somebody_out_needs_the_password_again(unconfirmed, enter, ada, rows):
    enter(ada)
    form = unconfirmed.get(f"/users/{ada.id}/sign-ins").forms["record"]
    form = form.submit("end", value="others", status=422).forms["record"]
    assert ada.id in [row.user_id for row in rows(SignIn)]
    form["your_password"] = PASSWORD
    form.submit("end", value="others", status=303)
    assert ada.id not in [row.user_id for row in rows(SignIn)]
