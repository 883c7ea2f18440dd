"""What a person typed is still there after their sign-in has ended, and for nobody else."""

from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import delete, update
from webtest import TestApp

from myproject.models import Post, SignIn, User
from myproject.web.carried import MAX_CARRIED_BYTES
from myproject.web.limits import MAX_BODY_BYTES
from tests.people import everything_stored, select_for
from tests.signed_in import PASSWORD
from tests.users.imports.importing import checked_import

from .conftest import sign_in

TEXT = '가나다 <b>&amp; "quoted"</b>\nsecond line' * 80
OTHER_SITE = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}


@pytest.fixture
def end_all(outside):
    """Call `end_all()`: end every sign-in, as when they expire."""

    def end():
        with outside.begin() as connection:
            connection.execute(delete(SignIn))

    return end


@pytest.fixture
def refused(enter, ada, end_all):
    """The sign-in page that answers Ada's new post, which she sent after her sign-in had ended."""
    form = enter(ada).get("/posts/new").forms["record"]
    form["title"], form["body"] = "Hello", TEXT
    end_all()
    return form.submit(status=403)


def enter_password(page, email="ada@example.com", password=PASSWORD, status=200):
    """Fill in the sign-in page and send it; return the answer."""
    form = page.forms["record"]
    form["email"], form["password"] = email, password
    return form.submit(status=status)


def test_a_text_sent_after_the_sign_in_ended_is_there_again(refused, rows):
    page = enter_password(refused).forms["record"].submit(status=422)
    assert page.request.path == "/posts/new"
    assert "you have signed in again" in page.html.find(role="alert").text
    form = page.forms["record"]
    assert (form["title"].value, form["body"].value) == ("Hello", TEXT)
    assert rows(Post) == []
    form.submit(status=303)
    assert [(post.title, post.body) for post in rows(Post)] == [("Hello", TEXT)]


def test_a_wrong_password_keeps_the_text(refused):
    page = enter_password(refused, password="a wrong password", status=422)
    page = enter_password(page).forms["record"].submit(status=422)
    assert page.forms["record"]["body"].value == TEXT


def test_the_page_between_has_the_menu_and_the_name_of_the_person(refused):
    page = enter_password(refused)
    assert page.html.h1.text == "You are signed in again"
    assert page.html.select_one("header .who bdi").text == "Ada Lovelace"
    assert "Users" in page.html.header.text


def test_another_person_gets_the_plain_page(refused, make_person):
    make_person("Eve", email="eve@example.com")
    page = enter_password(refused, "eve@example.com", status=303).follow()
    assert page.request.path == "/posts/new"
    assert "Somebody else was signed in before." in page.html.find(role="status").text
    assert page.forms["record"]["body"].value == ""
    page.mustcontain(no="second line")


def test_another_person_cannot_send_the_entries_back(refused, make_person, enter):
    carried = refused.forms["record"]["typed"].value
    eve = enter(make_person("Eve", email="eve@example.com"))
    token = eve.get("/posts/new").forms["record"]["csrf_token"].value
    answer = eve.post("/posts/new", {"csrf_token": token, "restored": carried}, status=400)
    answer.mustcontain(no="second line")


def test_no_text_is_taken_that_this_site_has_not_carried(refused, enter, ada, subtests):
    carried, browser = refused.forms["record"]["typed"].value, enter(ada)
    token = browser.get("/posts/new").forms["record"]["csrf_token"].value
    changed = carried.replace("Hello", "Goodbye")
    for text in "", ".", "{}", '.{"person": 1, "fields": {}}', changed, carried[1:], "[" * 10_000, "é.é", "\0":
        with subtests.test(text[:20]):
            browser.post("/posts/new", {"csrf_token": token, "restored": text}, status=400)
            form = TestApp(browser.app).get("/signin").forms["record"]
            form["typed"].force_value(text)
            assert enter_password(form.response, status=303).location == "http://localhost/"


def test_a_form_of_another_site_is_not_carried(enter, ada, end_all):
    browser = enter(ada)
    fields = dict(browser.get("/posts/new").forms["record"].submit_fields())
    end_all()
    browser.post("/posts/new", {**fields, "title": "Buy"}, headers=OTHER_SITE, status=303)
    forged = {"csrf_token": f"x.{ada.id}.{'0' * 64}", "title": "Buy"}
    browser.post("/posts/new", forged, status=303)


def test_another_site_cannot_fill_in_a_form(enter, ada, subtests):
    browser = enter(ada)
    for token in "", "x", f"x.{ada.id}", f"x.{ada.id}.{'0' * 64}", f"x.{ada.id}.{'é' * 64}", f".{ada.id}.":
        with subtests.test(token):
            page = browser.post("/posts/new", {"csrf_token": token, "title": "Buy"}, status=400)
            page.mustcontain(no="Buy")


@pytest.mark.parametrize("text", ["x" * MAX_CARRIED_BYTES, "x" * (MAX_BODY_BYTES + 1), '"' * 100_000])
def test_a_text_too_long_for_the_sign_in_page_is_not_lost_without_a_word(text, enter, ada, end_all):
    browser = enter(ada)
    fields = dict(browser.get("/posts/new").forms["record"].submit_fields())
    end_all()
    browser.post("/posts/new", {**fields, "body": "x" * (MAX_CARRIED_BYTES - 1000)}, status=403)
    browser.post("/posts/new", {**fields, "body": text}, status=413).mustcontain("your text is still there")


def test_a_text_is_still_there_if_the_next_sign_in_ends_at_once(refused, end_all):
    page = enter_password(refused)
    end_all()
    page = enter_password(page.forms["record"].submit(status=403)).forms["record"].submit(status=422)
    assert page.forms["record"]["body"].value == TEXT


@pytest.mark.parametrize("loss", ["deleted", "closed"])
def test_a_text_for_a_record_that_was_lost_meanwhile_is_shown_to_copy(
    loss, enter, ada, make_post, make_user, end_all, outside
):
    form = enter(ada).get(f"/posts/{make_post(author=ada).id}/edit").forms["record"]
    form["body"] = TEXT
    end_all()
    page = enter_password(form.submit(status=403))
    with outside.begin() as connection:
        connection.execute(delete(Post) if loss == "deleted" else update(Post).values(author_id=make_user().id))
    page = page.forms["record"].submit(status=404 if loss == "deleted" else 403)
    assert [text.text.strip() for text in page.html.select("dd")] == [TEXT]


@pytest.mark.parametrize("path", ["/posts/99/edit", "/posts/{post}/edit"])
def test_a_text_for_a_lost_record_is_not_shown_to_another_person(path, refused, make_person, make_post, enter):
    carried = refused.forms["record"]["typed"].value
    eve = enter(make_person("Eve", email="eve@example.com"))
    token = eve.get("/posts/new").forms["record"]["csrf_token"].value
    fields = {"csrf_token": token, "restored": carried}
    answer = eve.post(path.format(post=make_post().id), fields, status=404 if "99" in path else 403)
    answer.mustcontain(no="second line")


@pytest.mark.parametrize("change", ["same", "other"])
def test_a_form_whose_answer_was_lost_is_not_applied_again(change, enter, ada, end_all, rows):
    form = enter(ada).get("/posts/new").forms["record"]
    form["title"], form["body"] = "Hello", TEXT
    form.submit(status=303)
    end_all()
    form["title"] = "Hello" if change == "same" else "Good morning"
    again = enter_password(form.submit(status=403)).forms["record"].submit(status=422).forms["record"]
    again.submit(status=303 if change == "same" else 409)
    assert [post.title for post in rows(Post)] == ["Hello"]


def test_the_longest_change_of_the_longest_post_is_carried(enter, ada, make_post, end_all, rows):
    post = make_post("😀" * 200, "😀" * 20_000, author=ada)
    form = enter(ada).get(f"/posts/{post.id}/edit").forms["record"]
    form["body"] = "😁" * 20_000
    end_all()
    page = enter_password(form.submit(status=403)).forms["record"].submit(status=422)
    page.forms["record"].submit(status=303)
    assert [post.body for post in rows(Post)] == ["😁" * 20_000]


def test_the_longest_post_is_carried(enter, ada, end_all, rows):
    form = enter(ada).get("/posts/new").forms["record"]
    form["title"], form["body"] = "Hello", "😀" * 20_000
    end_all()
    page = enter_password(form.submit(status=403)).forms["record"].submit(status=422)
    page.forms["record"].submit(status=303)
    assert [post.body for post in rows(Post)] == ["😀" * 20_000]


# Signed out and in again in another tab


@pytest.fixture
def sign_in_again(enter):
    """Call `sign_in_again(browser)`: sign out and in again, as in another tab of the browser."""

    def run(browser, email="ada@example.com"):
        browser.get("/signout").forms["record"].submit(status=303)
        assert sign_in(browser, email).status_int == 303

    return run


def test_a_form_from_before_another_sign_in_is_shown_as_typed(enter, ada, sign_in_again, rows):
    form = enter(ada).get("/posts/new").forms["record"]
    form["title"], form["body"] = "Hello", TEXT
    sign_in_again(form.response.test_app)
    page = form.submit(status=422)
    assert (page.forms["record"]["title"].value, page.forms["record"]["body"].value) == ("Hello", TEXT)
    assert rows(Post) == []
    page.forms["record"].submit(status=303)
    assert [post.title for post in rows(Post)] == ["Hello"]


def test_a_form_from_before_another_person_signed_in_is_refused(enter, ada, make_person, sign_in_again, rows):
    make_person("Eve", email="eve@example.com")
    form = enter(ada).get("/posts/new").forms["record"]
    form["title"], form["body"] = "Hello", TEXT
    sign_in_again(form.response.test_app, "eve@example.com")
    form.submit(status=400).mustcontain(no="second line")
    assert rows(Post) == []


def test_a_change_that_was_overtaken_is_compared_all_the_same(enter, ada, sign_in_again, change, rows):
    form = enter(ada).get(f"/users/{ada.id}/edit").forms["record"]
    form["age"] = "36"
    sign_in_again(form.response.test_app)
    page = form.submit(status=422)
    assert page.forms["record"]["version"].value == form["version"].value
    assert (page.forms["record"]["age"].value, rows(User)[0].age) == ("36", None)


def test_a_sign_in_page_that_was_overtaken_keeps_the_text(refused, ada, rows):
    browser = refused.test_app
    assert sign_in(browser).status_int == 303
    page = enter_password(refused, status=422)
    page = page.forms["record"].submit(status=422)
    assert page.forms["record"]["body"].value == TEXT


def test_a_button_from_before_another_sign_in_does_nothing(enter, ada, sign_in_again):
    browser = enter(ada)
    page = browser.get("/users?panel=display")
    sign_in_again(browser)
    display = page.forms["panel"]
    answer = display.submit(status=303)
    assert answer.location == "http://localhost/users"
    answer.follow().mustcontain("Nothing was changed, because you have signed in again meanwhile.")
    [sign_out] = [form for form in page.forms.values() if form.action == "/signout"]
    sign_out.submit(status=422)
    browser.get("/users", status=200)


# Every route that takes a form

STRANGERS = {"signin", "signout", "setup", "set_password"}
# Nothing is typed into these, except a password. They are opened again as they were.
BUTTONS = {
    *("users.delete", "posts.delete", "users.views.delete", "users.bulk.apply"),
    *("users.password", "users.password_link", "users.import.show"),
}
ON_PAGE_OF_IMPORT = {"users.import.check", "users.import.cancel"}
WITHOUT_A_PAGE = {"language", "users.display", "users.bulk"}
# Without a form while nobody is signed in: it has a button for each sign-in. Ticks are repeated fields, which no other
# page carries, and files neither. The other forms of an import are on its page.
WITHOUT_A_FORM = {"users.sign_ins", "users.bulk.show", "users.import.list", *ON_PAGE_OF_IMPORT}


@pytest.fixture
def paths(wsgi, grace, make_person, make_post, make_view, outside):
    """The path of each route that takes a form, by its name, with the id of a row that Grace may change."""
    introspector = wsgi.registry.introspector
    of = {kind: [item["introspectable"] for item in introspector.get_category(kind)] for kind in ("routes", "views")}
    posting = {view["route_name"] for view in of["views"] if "POST" in (view["request_methods"] or ())}
    person = make_person("Bob", email="bob@example.com")
    ids = {"/posts": make_post(author=person).id, "/users/views": make_view(person, for_all=True).id}
    ids["/users/bulk"] = select_for(outside, grace, person).id
    key = checked_import(wsgi, grace.id).key
    paths = {}
    for route in of["routes"]:
        pattern = "/" + route["pattern"].lstrip("/")
        owner = grace if route["name"] in ("users.password", "users.time_zone") else person
        row = next((ids[start] for start in ids if pattern.startswith(start)), owner.id)
        paths[route["name"]] = pattern.replace("{id}", str(row)).replace("{key}", key)
    paths["users.bulk.apply"] += "?action=delete"
    return {name: paths[name] for name in posting}


@pytest.fixture
def grace(make_person):
    """An administrator."""
    return make_person("Grace Hopper", email="grace@example.com", role="admin")


def fill_in(form):
    """Write into each field that a person can see; return their values, and those of hidden ones, as texts."""
    for name, fields in form.fields.items():
        kind = fields[0].attrs.get("type", fields[0].tag)
        if kind in ("text", "password", "textarea"):
            form[name] = f"typed into {name}"
        elif kind == "checkbox":
            form[name] = not form[name].checked
        elif kind == "select":
            form[name] = form[name].options[-1][0]
    return {name: text for name, text in form.submit_fields() if "token" not in name and "password" not in name}


def test_every_form_is_filled_in_again_after_signing_in(enter, grace, paths, end_all, outside, subtests):
    for name in sorted(paths.keys() - STRANGERS - BUTTONS - WITHOUT_A_PAGE - WITHOUT_A_FORM):
        with subtests.test(name):
            form = enter(grace).get(paths[name]).forms["record"]
            typed = fill_in(form)
            end_all()
            before, page = everything_stored(outside), form.submit(status=403)
            page.mustcontain(no="typed into password")
            page.mustcontain(no="typed into your_password")
            page = enter_password(page, "grace@example.com").forms["record"].submit(status=422)
            again = dict(page.forms["record"].submit_fields())
            assert (page.request.path, {name: again[name] for name in typed}) == (paths[name], typed)
            assert without_sign_ins(everything_stored(outside)) == without_sign_ins(before)


def test_a_page_that_asks_before_deleting_talks_of_no_entries(enter, grace, paths, end_all, sign_in_again, subtests):
    for name in "users.delete", "users.erase", "users.bulk.apply", "posts.delete", "users.views.delete":
        with subtests.test(name):
            browser = enter(grace)
            asked = browser.get(paths[name]).forms["record"]
            sign_in_again(browser, grace.email)
            pages = [asked.submit(status=422)]
            end_all()
            pages.append(pages[0].forms["record"].submit(status=403))
            pages.append(enter_password(pages[1], grace.email))
            for page in pages:
                said = page.html.main.text
                assert ("othing was deleted" in said, "entries" in said, "saved. " in said) == (True, False, False)
                assert "data-unsaved" not in page.html.find(id="record").attrs
            pages[2].forms["record"].submit(status=422).mustcontain("Confirm again.")


WRITTEN_BY_SIGNING_IN = {"sign_ins", "failed_sign_ins", "security_events"}


def without_sign_ins(tables):
    """Return the rows of all tables except those that signing in writes."""
    return {name: rows for name, rows in tables.items() if name not in WRITTEN_BY_SIGNING_IN}


def test_every_form_of_an_older_sign_in_is_shown_as_typed(enter, grace, paths, sign_in_again, outside, subtests):
    for name in sorted(paths.keys() - STRANGERS - WITHOUT_A_PAGE - WITHOUT_A_FORM):
        with subtests.test(name):
            form = enter(grace).get(paths[name]).forms["record"]
            typed = fill_in(form)
            sign_in_again(form.response.test_app, "grace@example.com")
            before, page = everything_stored(outside), form.submit(status=422)
            again = page.forms["record"]
            assert (
                "you have signed in again"
                in page.html.select_one(":is(h1, .page-head) ~ :is([role=alert], :has([role=alert]))").text
            )
            assert {name: text for name, text in again.submit_fields() if name in typed} == typed
            assert again["csrf_token"].value != form["csrf_token"].value
            assert everything_stored(outside) == before


def test_every_address_of_a_form_leads_to_a_page_after_signing_in(visitor, grace, paths, subtests):
    for name in sorted(paths.keys() - STRANGERS - WITHOUT_A_PAGE - ON_PAGE_OF_IMPORT):
        with subtests.test(name):
            asked = visitor().post(paths[name], {"csrf_token": "x"}, status=303)
            assert parse_qs(urlsplit(asked.location).query)["next"] == [paths[name]]
            sign_in(asked.test_app, grace.email, page=asked.location).follow(status=200)


def test_a_button_without_a_page_leads_back_to_the_page_that_it_is_on(enter, grace, paths, sign_in_again, subtests):
    for name in sorted(WITHOUT_A_PAGE):
        with subtests.test(name):
            browser = enter(grace)
            page = browser.get("/users?panel=display&role=admin")
            form = next(form for form in page.forms.values() if form.action == paths[name])
            browser.get("/signout").forms["record"].submit(status=303)
            asked = form.submit(status=303)
            if name != "users.bulk":  # The others need no permission: only the page that they are on asks.
                asked = asked.follow(status=303)
            back = sign_in(browser, grace.email, page=asked.location).location
            assert back == f"http://localhost{form['page'].value}"


def test_every_password_field_has_password_in_its_name(enter, grace, paths, age, subtests):
    browser = enter(grace)
    age(SignIn.confirmed_at, hours=1)
    for name in sorted(paths.keys() - WITHOUT_A_PAGE - STRANGERS):
        with subtests.test(name):
            fields = browser.get(paths[name], status="*").html.select("input[type=password]")
            assert [field["name"] for field in fields if "password" not in field["name"]] == []
