"""The page of a user's sign-ins: the list, ending one or all others, and what ends them automatically."""

import datetime

import pytest

from myproject.db.base import utcnow
from myproject.models import SignIn, User
from myproject.signin.models import BROWSER_LENGTH
from tests.signed_in import PASSWORD

from .conftest import is_signed_in, sign_in

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1"
NEW_PASSWORD = "nine green bottles hanging"


def sign_ins(browser, user):
    """Return the page that lists a user's sign-ins."""
    return browser.get(f"/users/{user.id}/sign-ins")


def end(page, which):
    """Press the button that ends `which`, an id or "others"; return the answer."""
    return page.forms["record"].submit("end", value=str(which), expect_errors=True)


def save(browser, user, **values):
    """Change a user's record on its page."""
    form = browser.get(f"/users/{user.id}/edit").forms["record"]
    for name, value in values.items():
        form[name] = value
    return form.submit(status=303)


def test_a_person_sees_where_they_are_signed_in(enter, ada):
    enter(ada, address="2001:db8::1", HTTP_USER_AGENT=SAFARI)
    browser = enter(ada, address="192.0.2.7", HTTP_USER_AGENT=FIREFOX)
    here, there = sign_ins(browser, ada).html.select("tbody tr")
    assert [cell.text.strip() for cell in here.select("th, td")][:2] == ["Firefox, Linux", "192.0.2.7"]
    assert [cell.text.strip() for cell in there.select("th, td")][:2] == ["Safari, iPhone", "2001:db8::1"]
    assert here.select_one(".badge").text == "This browser"
    assert there.button.text == "Sign out"


def test_the_list_shows_when_a_sign_in_began_and_was_last_seen(enter, ada, outside):
    browser = enter(ada)
    moments = {"created_at": utcnow() - datetime.timedelta(days=3), "seen_at": utcnow() - datetime.timedelta(minutes=1)}
    with outside.begin() as connection:
        connection.execute(SignIn.__table__.update().values(moments))
    shown = [cell.text for cell in sign_ins(browser, ada).html.select("tbody td")]
    assert [text[-9:] for text in shown[1:3]] == [f"{moment:%H:%M} UTC" for moment in moments.values()]


def test_the_browser_seen_last_is_listed_first(enter, ada, outside):
    for address in "192.0.2.1", "192.0.2.2", "192.0.2.3":
        browser = enter(ada, address=address)
    earlier = utcnow() - datetime.timedelta(minutes=1)
    with outside.begin() as connection:
        connection.execute(SignIn.__table__.update().where(SignIn.address == "192.0.2.2").values(seen_at=earlier))
    cells = sign_ins(browser, ada).html.select('td[data-label="IP address"]')
    assert [cell.text for cell in cells] == ["192.0.2.3", "192.0.2.1", "192.0.2.2"]


def test_a_user_agent_is_stored_printable_and_escaped(enter, ada, rows, subtests):
    for said in "", "<script>alert(1)</script> Firefox", "a" * 5000, "\x01\x7f\xe9\xa0", "%s ${x} {{ y }}":
        with subtests.test(said[:20]):
            browser = enter(ada, HTTP_USER_AGENT=said)
            page = sign_ins(browser, ada)
            assert "<script>alert" not in page.text
            assert len(rows(SignIn)[-1].browser) <= BROWSER_LENGTH
            assert rows(SignIn)[-1].browser.isprintable()


def test_one_sign_in_is_ended(enter, ada, rows):
    lost, kept, browser = enter(ada), enter(ada), enter(ada)
    page = end(sign_ins(browser, ada), rows(SignIn)[0].id).follow()
    assert page.html.find(role="status").text == "Signed out."
    assert not is_signed_in(lost)
    assert (is_signed_in(kept), is_signed_in(browser)) == (True, True)


def test_all_other_sign_ins_are_ended(enter, ada, make_person):
    others, browser = [enter(ada), enter(ada)], enter(ada)
    bobs = enter(make_person("Bob", email="bob@example.com"))
    end(sign_ins(browser, ada), "others").follow()
    assert [is_signed_in(other) for other in others] == [False, False]
    assert (is_signed_in(browser), is_signed_in(bobs)) == (True, True)


def test_the_only_sign_in_has_no_button(enter, ada):
    assert sign_ins(enter(ada), ada).html.main.find_all("button") == []


def test_no_form_ends_the_sign_in_of_another_person(enter, ada, make_person, rows, subtests):
    bob = make_person("Bob", email="bob@example.com")
    browser, bobs = enter(ada), enter(bob)
    page, number = sign_ins(browser, ada), rows(SignIn)[-1].id
    token = page.forms["record"]["csrf_token"].value
    for which in number, "", "all", "0", "-1", "9" * 20, "1 OR 1=1", "others", "\x00", "é":
        with subtests.test(str(which)):
            sent = {"csrf_token": token, "end": str(which)}
            answer = browser.post(f"/users/{ada.id}/sign-ins", sent, expect_errors=True)
            assert answer.status_int in (303, 400, 404)
            assert is_signed_in(bobs)
    assert is_signed_in(browser)
    assert len(rows(SignIn)) == 2


@pytest.mark.parametrize("role", ["member", "editor"])
def test_members_and_editors_neither_see_nor_end_others_sign_ins(enter, ada, make_person, role):
    theirs = enter(ada)
    browser = enter(make_person("Bob", email="bob@example.com", role=role))
    browser.get(f"/users/{ada.id}/sign-ins", status=403)
    token = browser.get("/signout").forms["record"]["csrf_token"].value
    browser.post(f"/users/{ada.id}/sign-ins", {"csrf_token": token, "end": "others"}, status=403)
    browser.get(f"/users/{ada.id}").mustcontain(no="Sessions")
    assert is_signed_in(theirs)


def test_an_administrator_sees_and_ends_sign_ins(admin, enter, ada):
    browsers = [enter(ada), enter(ada)]
    page = admin.get(f"/users/{ada.id}").click("Sessions")
    assert page.html.h1.text == "Sessions of Ada Lovelace"
    assert len(page.html.select("tbody tr")) == 2
    end(page, "others").follow().mustcontain("Not signed in anywhere.")
    assert [is_signed_in(browser) for browser in browsers] == [False, False]
    assert is_signed_in(admin)


def test_expired_sign_ins_are_not_listed(enter, ada, age):
    enter(ada)
    age(SignIn.seen_at, hours=13)
    assert len(sign_ins(enter(ada), ada).html.select("tbody tr")) == 1


def test_a_person_can_sign_in_again_after_a_sign_in_was_ended(enter, ada):
    lost, browser = enter(ada), enter(ada)
    end(sign_ins(browser, ada), "others")
    assert not is_signed_in(lost)
    sign_in(lost)
    assert is_signed_in(lost)


# What ends sign-ins


def test_a_new_password_ends_the_persons_other_sign_ins(enter, ada):
    other, browser = enter(ada), enter(ada)
    form = browser.get(f"/users/{ada.id}/password").forms["record"]
    form["your_password"], form["password"] = PASSWORD, NEW_PASSWORD
    form.submit(status=303)
    assert (is_signed_in(other), is_signed_in(browser)) == (False, True)


@pytest.mark.parametrize("values", [{"role": "editor"}, {"active": False}])
def test_a_change_of_role_or_activity_ends_all_sign_ins(admin, enter, ada, values, rows):
    browsers = [enter(ada), enter(ada)]
    save(admin, ada, **values)
    assert [is_signed_in(browser) for browser in browsers] == [False, False]
    assert [row.user_id for row in rows(SignIn) if row.user_id == ada.id] == []
    assert is_signed_in(admin)


def test_reactivation_does_not_revive_old_cookies(admin, enter, ada):
    browser = enter(ada)
    save(admin, ada, active=False)
    save(admin, ada, active=True)
    assert not is_signed_in(browser)
    sign_in(browser)
    assert is_signed_in(browser)


@pytest.mark.parametrize("values", [{"name": "Ada King"}, {"email": "king@example.com"}, {"age": "37"}])
def test_other_changes_end_no_sign_in(admin, enter, ada, values):
    browser = enter(ada)
    save(admin, ada, **values)
    assert is_signed_in(browser)


def test_a_refused_change_ends_no_sign_in(admin, enter, ada, rows):
    browser = enter(ada)
    form = admin.get(f"/users/{ada.id}/edit").forms["record"]
    form["role"], form["name"] = "editor", ""
    form.submit(status=422)
    assert is_signed_in(browser)
    assert next(user.role for user in rows(User) if user.id == ada.id) == "member"


def test_a_change_of_the_own_role_keeps_this_browser_signed_in(enter, make_person):
    make_person("Bob", email="bob@example.com", role="admin")
    grace = make_person("Grace Hopper", email="grace@example.com", role="admin")
    other, browser = enter(grace), enter(grace)
    save(browser, grace, role="editor")
    assert (is_signed_in(other), is_signed_in(browser)) == (False, True)
    browser.get(f"/users/{grace.id}/erase", status=403)


def test_a_password_set_with_a_link_ends_all_sign_ins(admin, enter, ada, visitor):
    browser = enter(ada)
    made = admin.get(f"/users/{ada.id}/password-link").forms["record"].submit(status=200)
    assert is_signed_in(browser)
    form = visitor().get(made.html.select_one(".secret code").text).forms["record"]
    form["password"] = NEW_PASSWORD
    form.submit(status=303)
    assert not is_signed_in(browser)


@pytest.mark.parametrize("way", ["erase", "delete"])
def test_a_deleted_user_is_signed_in_nowhere(admin, enter, ada, rows, way):
    browser = enter(ada)
    admin.get(f"/users/{ada.id}/{way}").forms["record"].submit(status=303)
    assert not is_signed_in(browser)
    assert [row.user_id for row in rows(SignIn) if row.user_id == ada.id] == []
