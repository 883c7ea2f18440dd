"""Signing in and out: who can sign in, what the answers reveal, and where they redirect."""

import unicodedata
from urllib.parse import quote, urlencode, urlsplit

import pytest

from myproject.models import SignIn, User
from myproject.signin.passwords import MAX_LENGTH, Hasher
from tests.signed_in import COSTS, HASHER, PASSWORD, PASSWORD_HASH

from .conftest import is_signed_in, sign_in

ELSEWHERE = [
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "http://evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    " //evil.example",
    "/\t/evil.example",
    "/users\r\nSet-Cookie: a=b",
    "/users\n",
    "/\x00",
    "evil.example",
    "",
    "/사람",
    "//evil.example/" + "a" * 100_000,
]


@pytest.mark.usefixtures("ada")
def test_a_person_signs_in_and_sees_the_users(visitor, rows):
    browser = visitor()
    page = sign_in(browser).follow().follow()
    assert (page.request.path, page.html.h1.text) == ("/users", "Users")
    assert page.html.select_one(".who a").text == "Ada Lovelace"
    assert [row.address for row in rows(SignIn)] == ["192.0.2.1"]


@pytest.mark.usefixtures("ada")
def test_the_email_is_compared_without_case(visitor, subtests):
    for email in "ADA@EXAMPLE.COM", "Ada@Example.com", "  ada@example.com\t":
        with subtests.test(email):
            assert is_signed_in(sign_in(visitor(), email).test_app)


def test_an_email_stored_in_capitals_is_found(make_person, visitor):
    make_person(email="ADA@Example.COM")
    assert is_signed_in(sign_in(visitor(), "ada@example.com").test_app)


def test_every_refusal_has_the_same_answer_and_cost(make_person, visitor, rows, hashes, subtests):
    make_person()
    make_person(email="gone@example.com", active=False)
    make_person(email="none@example.com", password=None)
    wrong = sign_in(visitor(), password="a wrong password").html.main.text
    for email, password in [
        ("ada@example.com", "a wrong password"),
        ("nobody@example.com", PASSWORD),
        ("gone@example.com", PASSWORD),
        ("gone@example.com", "a wrong password"),
        ("none@example.com", PASSWORD),
        ("no address", PASSWORD),
        ("ａda@example.com", PASSWORD),
        ("%", PASSWORD),
    ]:
        with subtests.test(email, password=password):
            hashes.clear()
            page = sign_in(visitor(), email, password)
            assert (page.status_int, page.html.main.text) == (422, wrong)
            assert hashes == ["verify_secret"]
    assert "Wrong email or password. Try again." in wrong
    assert rows(SignIn) == []


@pytest.mark.usefixtures("ada")
def test_a_refused_form_shows_the_email_and_not_the_password(visitor):
    page = sign_in(visitor(), "Ada@example.com", "a wrong password")
    assert page.forms["record"]["email"].value == "Ada@example.com"
    page.mustcontain(no="a wrong password")
    form = page.forms["record"]
    form["password"] = PASSWORD
    assert is_signed_in(form.submit(status=303).test_app)


@pytest.mark.usefixtures("ada")
def test_any_password_costs_one_hash(visitor, hashes, subtests):
    for what, password in {
        "NUL": "\x00",
        "NUL at the end": PASSWORD + "\x00",
        "a space more": PASSWORD + " ",
        "another case": PASSWORD.upper(),
        "too long": "a" * (MAX_LENGTH + 1),
        "accents": "\u0301\u0323" * 20_000,
        "emoji": "😀" * 1000,
    }.items():
        with subtests.test(what):
            hashes.clear()
            assert sign_in(visitor(what), password=password).status_int == 422
            assert hashes == ["verify_secret"]


@pytest.mark.usefixtures("ada")
def test_malformed_bodies_are_refused_before_any_hash(visitor, hashes, subtests):
    browser = visitor()
    token = browser.get("/signin").forms["record"]["csrf_token"].value
    for what, sent, status in [
        ("1 MB", "a" * 10**6, 413),
        ("a surrogate", "%ED%A0%80", 400),
        ("half a character", "%ED%A0", 400),
    ]:
        with subtests.test(what):
            body = f"csrf_token={token}&email=ada@example.com&password={sent}&next="
            page = browser.post("/signin", body, status=status)
            assert page.html.h1
    assert hashes == []


@pytest.mark.usefixtures("ada")
def test_an_email_that_no_column_can_store_gets_a_message(visitor, hashes, subtests):
    for what, email, said in [
        ("nothing", "", "Fill in this field."),
        ("spaces", "   ", "Fill in this field."),
        ("NUL", "ada\x00@example.com", "Remove the invisible control characters"),
        ("too long", "a" * 321, "Enter at most 320 characters"),
    ]:
        with subtests.test(what):
            page = sign_in(visitor(), email)
            assert page.status_int == 422
            assert said in page.html.find(id="email-error").text
    assert hashes == []


def test_a_sign_in_with_empty_fields_marks_both(visitor, hashes):
    page = visitor().get("/signin").forms["record"].submit(status=422)
    assert [field["name"] for field in page.html.select("[aria-invalid]")] == ["email", "password"]
    assert {message.text for message in page.html.select(".invalid-feedback")} == {"Fill in this field."}
    assert hashes == []


@pytest.mark.parametrize("field", ["email", "password", "next", "form_token"])
@pytest.mark.usefixtures("ada")
def test_a_missing_field_is_no_server_error(visitor, field):
    form = visitor().get("/signin").forms["record"]
    form["email"], form["password"] = "ada@example.com", PASSWORD
    sent = [(name, value) for name, value in form.submit_fields() if name != field]
    answer = form.response.test_app.post("/signin", sent, expect_errors=True)
    assert answer.status_int == (422 if field in ("email", "password") else 303)


@pytest.mark.parametrize(("kept", "typed"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_unicode_forms_of_a_korean_password_are_equal(make_person, visitor, kept, typed):
    password = "비밀스러운 문장 하나 더하기 둘"
    make_person(password=unicodedata.normalize(kept, password))
    assert is_signed_in(sign_in(visitor(), password=unicodedata.normalize(typed, password)).test_app)


def test_the_password_of_another_user_does_not_work(make_person, visitor):
    make_person()
    make_person(email="eve@example.com", password="another long password of mine")
    browser = visitor()
    assert sign_in(browser, "ada@example.com", "another long password of mine").status_int == 422
    assert not is_signed_in(browser)


# Redirects


def test_the_sign_in_returns_to_the_requested_page(visitor, ada):
    asked = f"/users/{ada.id}?cursor=%EA%B0%80&a=b"
    page = visitor().get(asked, status=303).follow()
    form = page.forms["record"]
    form["email"], form["password"] = ada.email, PASSWORD
    back = form.submit(status=303)
    assert back.location == f"http://localhost{asked}"
    assert back.follow().html.h1.text == "Ada Lovelace"


def test_a_stranger_does_not_learn_which_pages_exist(stranger, ada, subtests):
    for path in "/", "/users", f"/users/{ada.id}", "/users/999999", "/users/new", "/posts", "/overview":
        with subtests.test(path):
            assert stranger.get(path, status=303).location == f"http://localhost/signin?{urlencode({'next': path})}"


def test_a_form_sent_by_a_stranger_writes_nothing(stranger, ada, rows):
    token = stranger.get("/signin").forms["record"]["csrf_token"].value
    answer = stranger.post(f"/users/{ada.id}/delete", {"csrf_token": token}, status=303)
    assert answer.location == f"http://localhost/signin?next=%2Fusers%2F{ada.id}%2Fdelete"
    assert [user.id for user in rows(User)] == [ada.id]


@pytest.mark.usefixtures("ada")
def test_next_never_leads_to_another_site(visitor, subtests):
    for number, path in enumerate(ELSEWHERE):
        with subtests.test(path[:40]):
            browser = visitor()
            form = browser.get("/signin").forms["record"]
            form["email"], form["password"], form["next"] = "ada@example.com", PASSWORD, path
            assert form.submit(status=303).location == "http://localhost/", number
            assert browser.get(f"/signin?next={quote(path[:1000])}").location == "http://localhost/"


@pytest.mark.usefixtures("ada")
def test_next_in_the_query_string_is_checked_too(visitor, subtests):
    for path in [path for path in ELSEWHERE if path and len(path) < 1000]:
        with subtests.test(path):
            answer = sign_in(visitor(), page=f"/signin?next={quote(path)}")
            assert (answer.status_int, answer.location) == (303, "http://localhost/")


@pytest.mark.usefixtures("ada")
def test_next_with_dots_stays_on_this_host(visitor, subtests):
    for path in "/..//evil.example", "/.//evil.example", "/%2F%2Fevil.example", "/@evil.example", "/users?a=//b":
        with subtests.test(path):
            answer = sign_in(visitor(), page=f"/signin?next={quote(path)}")
            assert answer.status_int == 303
            assert urlsplit(answer.location).netloc == "localhost"


@pytest.mark.usefixtures("ada")
def test_next_may_be_long(visitor):
    path = "/users?cursor=" + "a" * 5000
    answer = sign_in(visitor(), page=f"/signin?next={quote(path)}")
    assert (answer.status_int, answer.location) == (303, f"http://localhost{path}")


@pytest.mark.usefixtures("ada")
def test_next_is_kept_after_a_wrong_password(visitor):
    form = sign_in(visitor(), password="a wrong password", page="/signin?next=/posts").forms["record"]
    form["password"] = PASSWORD
    assert form.submit(status=303).location == "http://localhost/posts"


def test_the_sign_in_redirects_people_who_are_signed_in(enter, ada):
    browser = enter(ada)
    assert browser.get("/signin", status=303).location == "http://localhost/"
    assert browser.get("/signin?next=/posts", status=303).location == "http://localhost/posts"


@pytest.mark.usefixtures("ada")
def test_a_double_click_signs_in(visitor):
    browser = visitor()
    form = browser.get("/signin").forms["record"]
    form["email"], form["password"] = "ada@example.com", PASSWORD
    before = browser.cookies["session"]
    form.submit(status=303)
    # The second click was sent with the cookie from before the answer to the first.
    browser.cookiejar.clear()
    browser.set_cookie("session", before)
    form.submit(status=303)
    assert is_signed_in(browser)


# Rehashing


@pytest.fixture
def costlier(settings):
    """Let a hash cost three times as much as the hashes of the tests."""
    settings["argon2.time_cost"] = "3"


@pytest.mark.usefixtures("costlier")
def test_a_hash_of_weaker_parameters_is_replaced_at_sign_in(make_person, enter, rows):
    person = make_person()
    enter(person)
    after = rows(User)[0]
    assert "t=3" in after.password_hash
    assert "t=1" in person.password_hash
    assert HASHER.verify(PASSWORD, after.password_hash)


@pytest.mark.usefixtures("costlier")
def test_a_rehash_does_not_change_the_version(make_person, enter, rows):
    person = make_person()
    enter(person)
    after = rows(User)[0]
    assert after.password_hash != person.password_hash
    assert (after.version, after.updated_at) == (person.version, person.updated_at)


def test_a_rehash_signs_nobody_out(make_person, enter, change, rows):
    person = make_person()
    first = enter(person)
    change(person, password_hash=Hasher(**{**COSTS, "memory_cost": 64}).hash(PASSWORD))
    second = enter(person)
    assert "m=128" in rows(User)[0].password_hash
    assert (is_signed_in(first), is_signed_in(second)) == (True, True)


def test_a_hash_with_current_parameters_is_kept(enter, ada, rows):
    enter(ada)
    assert rows(User)[0].password_hash == ada.password_hash


@pytest.mark.usefixtures("costlier")
def test_a_wrong_password_replaces_no_hash(make_person, visitor, rows):
    person = make_person()
    sign_in(visitor(), password="a wrong password")
    assert rows(User)[0].password_hash == person.password_hash


# Signing out


def test_a_person_signs_out(enter, ada, rows):
    browser = enter(ada)
    page = browser.get("/signout").forms["record"].submit(status=303).follow()
    assert page.request.path == "/signin"
    assert page.html.find(role="status").text == "You have signed out."
    assert not is_signed_in(browser)
    assert rows(SignIn) == []


def test_the_button_at_the_top_of_every_page_signs_out(enter, ada, rows):
    browser = enter(ada)
    form = next(form for form in browser.get("/users").forms.values() if form.action == "/signout")
    form.submit(status=303)
    assert not is_signed_in(browser)
    assert rows(SignIn) == []


def test_opening_the_sign_out_page_signs_nobody_out(enter, ada):
    browser = enter(ada)
    assert browser.get("/signout").html.h1.text == "Sign out?"
    assert is_signed_in(browser)


def test_signing_out_leaves_the_other_browsers_signed_in(enter, ada):
    here, there = enter(ada), enter(ada)
    here.get("/signout").forms["record"].submit(status=303)
    assert is_signed_in(there)


def test_signing_out_twice_is_no_error(enter, ada):
    form = enter(ada).get("/signout").forms["record"]
    form.submit(status=303)
    again = form.response.test_app.get("/signin").forms["record"]["csrf_token"].value
    form.response.test_app.post("/signout", {"csrf_token": again}, status=303)
    assert form.response.test_app.get("/signout", status=303).location == "http://localhost/signin"


# Costs


def test_the_identity_costs_one_query_a_page(enter, ada, statements, subtests):
    browser = enter(ada)
    for path in "/", "/users", f"/users/{ada.id}", f"/users/{ada.id}/edit", "/posts", "/overview", "/signout":
        with subtests.test(path):
            assert len(statements(lambda path=path: browser.get(path), "sign_ins")) == 1


def test_the_identity_costs_one_query_a_form(enter, ada, statements):
    form = enter(ada).get(f"/users/{ada.id}/edit").forms["record"]
    form["age"] = "37"
    assert len(statements(lambda: form.submit(status=303), "sign_ins")) == 1


def test_static_files_and_unknown_urls_query_nothing(enter, ada, statements):
    browser = enter(ada)
    links = browser.get("/users").html.select("link[href]")
    assert len(links) == 3
    assert statements(lambda: [browser.get(link["href"], status=200) for link in links]) == []
    assert statements(lambda: browser.get("/nothing", status=404), "sign_ins") == []


def test_signing_out_does_not_wait_for_the_browser_to_empty_its_cache(enter, ada):
    answer = enter(ada).get("/signout").forms["record"].submit(status=303)
    assert "Clear-Site-Data" not in answer.headers


def test_a_browser_asks_before_it_shows_a_stored_page_again(enter, ada):
    assert enter(ada).get("/users").headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("unseen", ["\u200b", "\u202c", "\u200e", "\u200d", "\ufe0f", "\u3164", "\u2800"])
def test_an_email_with_what_cannot_be_seen_signs_in(stranger, make_user, unseen):
    make_user(email="john@example.com", password_hash=PASSWORD_HASH)
    form = stranger.get("/signin").forms["record"]
    form["email"], form["password"] = f"{unseen}john@example.com{unseen}", PASSWORD
    form.submit(status=303)


def test_an_invisible_character_in_a_wrong_password_is_named(visitor):
    page = sign_in(visitor(), password=f"{PASSWORD}\u200b")
    assert "contains an invisible character" in page.html.select_one("#password-error").text
