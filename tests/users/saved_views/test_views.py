"""Saved views: saved by name for oneself or for everybody, opened, renamed, deleted, invisible to other users."""

import pytest
import sqlalchemy

from myproject.models import SavedView
from myproject.users.saved_views import views
from myproject.users.saved_views.models import NAME_LENGTH, QUERY_LENGTH
from tests.people import add_person, browser_of, token_of
from tests.users.test_views import TEXTS

PLACE = "/users/views"


@pytest.fixture
def ada(outside):
    """A member."""
    return add_person(outside, "Ada Lovelace")


@pytest.fixture
def bob(outside):
    """Another member."""
    return add_person(outside, "Bob Brown")


@pytest.fixture
def editor(outside):
    """An editor."""
    return add_person(outside, "Edith", "editor")


@pytest.fixture
def of(wsgi, outside):
    """Call `of(user)`: a browser in which they are signed in."""
    return lambda user: browser_of(wsgi, outside, user)


def save(browser, name, query="role=admin", status=303, **fields):
    """Save a view of the list through the form; return the answer."""
    form = browser.get(f"{PLACE}/new?{query}").forms["record"]
    for field, value in {"name": name, **fields}.items():
        form[field] = value
    return form.submit(status=status)


def change(browser, view, status=303, **fields):
    """Change a saved view through its form; return the answer."""
    form = browser.get(f"{PLACE}/{view.id}/edit").forms["record"]
    for field, value in fields.items():
        form[field] = value
    return form.submit(status=status)


def forge(browser, path, **fields):
    """Send a form with fields that no page offers; return the answer."""
    return browser.post(path, {"csrf_token": token_of(browser), **fields}, status="*")


def listed(browser):
    """Return the texts of the cells in the list of saved views."""
    lines = browser.get(PLACE).html.select("tbody tr")
    return [[" ".join(cell.text.split()) for cell in line.select("th, td")] for line in lines]


def names(browser):
    """Return the names of the people on a page of the list."""
    return [link.text for link in browser.html.select("#users tbody th a")]


def message(page, field="name"):
    """Return the message beside a field, or `None`."""
    beside = page.html.find(id=f"{field}-error")
    return beside and beside.text


# Saving and opening


def test_an_opened_view_shows_the_same_users(app, make_user):
    for name, age in ("Kim Ahn", 30), ("Kim Bae", 40), ("Lee", 35), ("Kim Cho", 20):
        make_user(name, age=age)
    before = app.get("/users?q=kim&age_from=25&sort=-age")
    form = before.click("Save this view").forms["record"]
    form["name"] = "Kims"
    after = form.submit(status=303).follow().follow()
    opened = app.get(PLACE).click("^<bdi>Kims")
    assert names(before) == names(after) == names(opened) == ["Kim Bae", "Kim Ahn"]


def test_the_plain_list_links_to_the_saved_views_only(app):
    page = app.get("/users")
    page.mustcontain(no="Save this view")
    assert page.click("Saved views").request.path == PLACE


def test_the_list_describes_each_saved_view(of, ada):
    browser = of(ada)
    save(browser, "Young", "q=-kim&age_to=30&sort=-joined")
    save(browser, "Everybody by age", "sort=age")
    assert [line[:3] for line in listed(browser)] == [
        ["Everybody by age", "All users, sorted by Age", "You"],
        ["Young", "not “kim”, Age: up to 30, sorted by Joined, descending", "You"],
    ]


def test_an_empty_page_explains_how_to_save(app):
    app.get(PLACE).mustcontain("No saved views yet.", "Save this view")


def test_the_query_is_saved_normalised(app, rows):
    save(app, "Kims", "colour=red&sort=name&q=+%EA%B9%80+&cursor=1&csrf_token=x&role=")
    assert [view.query for view in rows(SavedView)] == ["q=%EA%B9%80&sort=name"]


def test_a_forged_query_is_saved_normalised(app, rows):
    forge(app, f"{PLACE}/new", name="Kims", query="//evil.example?x&q=kim&next=//evil.example&sort=age")
    assert [view.query for view in rows(SavedView)] == ["q=kim&sort=age"]


@pytest.mark.parametrize("query", ["sort=colour", "role=king", "q=a&active=perhaps"])
def test_an_invalid_query_cannot_be_saved(app, rows, query):
    app.get(f"{PLACE}/new?{query}", status=400)
    assert forge(app, f"{PLACE}/new", name="Kings", query=query).status_int == 400
    assert rows(SavedView) == []


def test_a_search_that_is_too_long_is_refused_with_a_message(app, rows):
    query = "q=" + "%EA%B0%80" * 300
    for page in app.get(f"{PLACE}/new?{query}"), forge(app, f"{PLACE}/new", name="Long", query=query):
        assert page.html.find(role="note").text == "This search is too long to save. Shorten it and try again."
        assert page.click("Back").request.query_string == query
    assert rows(SavedView) == []


def test_the_longest_search_is_saved(app, rows):
    save(app, "Long", "q=" + "a" * (QUERY_LENGTH - 2))
    assert len(rows(SavedView)[0].query) == QUERY_LENGTH
    app.get(PLACE).mustcontain("This search is too long. Only the first 400 characters were used.")


def test_a_form_sent_twice_saves_once(app, rows):
    form = app.get(f"{PLACE}/new?q=kim").forms["record"]
    form["name"] = "Kims"
    first, second = form.submit(status=303), form.submit(status=303)
    assert (second.location, len(rows(SavedView))) == (first.location, 1)
    second.follow().follow().mustcontain("This was already done.")


def test_the_number_of_views_of_a_user_is_limited(of, ada, bob, rows, monkeypatch):
    monkeypatch.setattr(views, "MOST_VIEWS_OF_A_USER", 2)
    browser = of(ada)
    save(browser, "One")
    save(browser, "Two")
    assert (
        message(save(browser, "Three", status=422))
        == "You already have 2 saved views, the most allowed. Delete one first."
    )
    save(of(bob), "Three")
    assert [view.name for view in rows(SavedView)] == ["One", "Two", "Three"]


def test_the_list_of_saved_views_has_pages(app, ada, make_view):
    for number in range(30):
        make_view(ada, f"View {number:02}", for_all=True)
    first = app.get(PLACE)
    second = first.click("Next")
    assert [len(page.html.select("tbody tr")) for page in (first, second)] == [25, 5]
    app.get(f"{PLACE}?cursor=x", status=400)


# Names


@pytest.mark.parametrize("name", ["", "  ", "\u200b", "a" * (NAME_LENGTH + 1), "a\x01b", "a\0b"])
def test_an_invalid_name_is_refused_and_the_form_kept(app, rows, name):
    page = save(app, name, "q=kim", status=422)
    assert message(page)
    assert (page.forms["record"]["name"].value, page.forms["record"]["query"].value) == (name.strip("\u200b "), "q=kim")
    assert rows(SavedView) == []


@pytest.mark.parametrize("name", TEXTS.values(), ids=TEXTS.keys())
def test_any_name_is_shown_exactly(app, rows, name):
    page = save(app, name).follow().follow()
    assert f"“{name}” was saved." in page.html.find(role="status").text
    [view] = rows(SavedView)
    for path in PLACE, f"{PLACE}/{view.id}/edit", f"{PLACE}/{view.id}/delete":
        page = app.get(path)
        page.mustcontain(no="<script>alert")
        assert name in page.html.main.text


def test_a_search_for_markup_is_escaped(app):
    save(app, "Markup", "q=%3Cscript%3Ealert(1)%3C/script%3E")
    page = app.get(PLACE)
    page.mustcontain(no="<script>alert")
    assert "“<script>alert(1)</script>”" in page.html.main.text


@pytest.mark.parametrize("name", ["Admins", "ADMINS", " admins ", "Ádmins", "ａｄｍｉｎｓ"])
def test_a_taken_name_is_refused_on_the_field(of, ada, rows, name):
    browser = of(ada)
    save(browser, "Admins")
    page = save(browser, name, "q=kim", status=422)
    assert message(page).startswith("You already have a saved view with this name. Choose another name.")
    assert len(rows(SavedView)) == 1


def test_a_view_is_replaced_on_request(of, ada, rows):
    browser = of(ada)
    save(browser, "Admins")
    form = save(browser, "admins", "q=kim", status=422).forms["record"]
    form["replace"] = True
    assert form.submit(status=303).follow().follow().request.query_string == "q=kim"
    assert [(view.name, view.query) for view in rows(SavedView)] == [("admins", "q=kim")]


def test_replacing_is_offered_only_for_a_taken_name(app):
    assert "replace" not in app.get(f"{PLACE}/new?q=kim").forms["record"].fields
    assert "replace" not in save(app, "", "q=kim", status=422).forms["record"].fields


@pytest.mark.parametrize("for_all", [True, False])
def test_a_replacement_sets_for_whom_the_view_is(of, editor, rows, for_all):
    browser = of(editor)
    save(browser, "Admins", for_all=True)
    page = save(browser, "Admins", "q=kim", status=422, for_all=for_all)
    assert page.html.find(id="replace-hint").text == "The existing view is shared with everyone."
    form = page.forms["record"]
    form["replace"] = True
    form.submit(status=303)
    assert [(view.query, view.for_all) for view in rows(SavedView)] == [("q=kim", for_all)]


def test_only_the_view_that_was_offered_is_replaced(of, ada, rows):
    browser = of(ada)
    save(browser, "Admins")
    save(browser, "Bosses", "q=boss")
    form = save(browser, "Admins", "q=kim", status=422).forms["record"]
    form["replace"], form["name"] = True, "Bosses"
    form = form.submit(status=422).forms["record"]
    assert not form["replace"].checked
    assert [view.query for view in rows(SavedView)] == ["role=admin", "q=boss"]
    form["replace"] = True
    form.submit(status=303)
    assert [view.query for view in rows(SavedView)] == ["role=admin", "q=kim"]


def test_a_view_changed_since_the_offer_is_not_replaced(of, ada, make_view, rows):
    browser, view = of(ada), make_view(ada, "Admins")
    form = save(browser, "Admins", "q=kim", status=422).forms["record"]
    change(of(ada), view, name="ADMINS")
    form["replace"] = True
    form.submit(status=422)
    assert [(view.name, view.query) for view in rows(SavedView)] == [("ADMINS", "role=admin")]


def test_the_order_of_adding_is_saved_and_described(app, ada):
    for sort, words in {"added": "Oldest first", "-added": "Newest first"}.items():
        save(app, words, f"sort={sort}")
        assert f"All users, {words}" in [line[1] for line in listed(app)]


def test_replacing_a_missing_view_saves_it(of, ada, rows):
    fields = {"name": "Admins", "query": "q=kim", "replace": "y"}
    assert forge(of(ada), f"{PLACE}/new", **fields).status_int == 303
    assert [(view.name, view.query) for view in rows(SavedView)] == [("Admins", "q=kim")]


def test_a_view_of_another_user_is_not_replaced(of, ada, editor, rows):
    save(of(editor), "Admins", for_all=True)
    fields = {"name": "Admins", "query": "q=kim", "replace": "y"}
    assert forge(of(ada), f"{PLACE}/new", **fields).status_int == 303
    assert [(view.user_id, view.query) for view in rows(SavedView)] == [(editor.id, "role=admin"), (ada.id, "q=kim")]


def test_a_user_at_the_limit_can_still_replace(of, ada, rows, monkeypatch):
    monkeypatch.setattr(views, "MOST_VIEWS_OF_A_USER", 1)
    browser = of(ada)
    save(browser, "Admins")
    form = save(browser, "Admins", "q=kim", status=422).forms["record"]
    form["replace"] = True
    form.submit(status=303)
    assert [view.query for view in rows(SavedView)] == ["q=kim"]


def test_two_users_may_use_the_same_name(of, ada, bob, rows):
    save(of(ada), "Admins")
    save(of(bob), "Admins")
    assert [view.user_id for view in rows(SavedView)] == [ada.id, bob.id]


# Changing and deleting


def test_a_view_is_renamed(of, ada, make_view, rows):
    change(of(ada), make_view(ada), name="Bosses").follow().mustcontain("“Bosses” was saved.")
    assert [(view.name, view.query, view.for_all) for view in rows(SavedView)] == [("Bosses", "role=admin", False)]


def test_a_view_cannot_be_renamed_to_a_taken_name(of, ada, make_view, rows):
    make_view(ada, "Admins")
    page = change(of(ada), make_view(ada, "Bosses"), name="admins", status=422)
    assert message(page) == "You already have a saved view with this name. Choose another name."
    assert [view.name for view in rows(SavedView)] == ["Admins", "Bosses"]


def test_an_outdated_form_shows_the_saved_name_first(of, ada, make_view, rows):
    browser, view = of(ada), make_view(ada)
    form = browser.get(f"{PLACE}/{view.id}/edit").forms["record"]
    change(of(ada), view, name="Bosses")
    form["name"] = "Chiefs"
    page = form.submit(status=409)
    assert "Bosses" in page.html.find("label", attrs={"for": "name-saved"}).text
    assert [row.name for row in rows(SavedView)] == ["Bosses"]
    page.forms["record"].submit(status=303)
    assert [row.name for row in rows(SavedView)] == ["Chiefs"]


def test_the_form_changes_neither_query_nor_owner(of, ada, make_view, rows):
    forge(of(ada), f"{PLACE}/{make_view(ada).id}/edit", name="Bosses", query="q=kim", user_id="0", version="1")
    assert [(view.name, view.query, view.user_id) for view in rows(SavedView)] == [("Bosses", "role=admin", ada.id)]


def test_a_view_is_deleted_after_a_confirmation(of, ada, make_view, rows):
    view, browser = make_view(ada), of(ada)
    page = browser.get(PLACE).click(href=f"/{view.id}/delete")
    page.mustcontain("Delete the saved view “<bdi>Admins</bdi>”?", "The users in it will be kept")
    assert len(rows(SavedView)) == 1
    form = page.forms["record"]
    form.submit(status=303).follow().mustcontain("“Admins” was deleted.")
    form.submit(status=303).follow().mustcontain("This was already done.")
    assert rows(SavedView) == []


# Permissions


def test_a_private_view_is_not_found_by_others(app, of, ada, bob, editor, make_view, rows):
    view = make_view(ada)
    for browser in app, of(bob), of(editor):
        assert listed(browser) == []
        for path in (f"{PLACE}/{view.id}/edit", f"{PLACE}/{view.id}/delete"):
            browser.get(path, status=404)
            assert forge(browser, path, name="Mine").status_int == 404
    assert [row.name for row in rows(SavedView)] == ["Admins"]


def test_a_private_view_is_answered_like_a_missing_one(of, ada, bob, make_view):
    view, browser = make_view(ada), of(bob)
    there, absent = (browser.get(f"{PLACE}/{number}/edit", status=404) for number in (view.id, view.id + 1))
    assert there.html.main == absent.html.main


def test_a_view_for_all_is_listed_with_its_owner(of, ada, bob, editor):
    save(of(editor), "Admins", for_all=True)
    for person in ada, bob:
        assert listed(of(person)) == [["Admins Shared", "Role: Administrator", "Edith", ""]]
    assert of(ada).get(PLACE).click("^<bdi>Admins").request.url.endswith("/users?role=admin")


def test_a_member_cannot_save_for_all(of, ada, rows):
    browser = of(ada)
    assert "for_all" not in browser.get(f"{PLACE}/new").forms["record"].fields
    forge(browser, f"{PLACE}/new", name="Admins", query="role=admin", for_all="y")
    [view] = rows(SavedView)
    forge(browser, f"{PLACE}/{view.id}/edit", name="Bosses", for_all="y", version="1")
    assert [(view.name, view.for_all) for view in rows(SavedView)] == [("Bosses", False)]


def test_an_editor_can_share_and_unshare_a_view(of, editor, make_view, rows):
    view, browser = make_view(editor), of(editor)
    for for_all in True, False:
        change(browser, view, for_all=for_all)
        assert [row.for_all for row in rows(SavedView)] == [for_all]


def test_an_editor_cannot_change_a_view_of_another_user(of, ada, editor, make_view, rows):
    view, browser = make_view(ada, for_all=True), of(editor)
    for path in (f"{PLACE}/{view.id}/edit", f"{PLACE}/{view.id}/delete"):
        browser.get(path, status=403)
        assert forge(browser, path, name="Mine").status_int == 403
    assert [row.name for row in rows(SavedView)] == ["Admins"]


def test_an_administrator_can_change_and_delete_a_view_for_all(app, editor, make_view, rows):
    view = make_view(editor, for_all=True)
    change(app, view, name="Bosses")
    assert [(row.name, row.user_id) for row in rows(SavedView)] == [("Bosses", editor.id)]
    app.get(f"{PLACE}/{view.id}/delete").forms["record"].submit(status=303)
    assert rows(SavedView) == []


def test_a_former_editor_no_longer_changes_their_view_for_all(of, ada, make_view, rows):
    view, browser = make_view(ada, for_all=True), of(ada)
    for path in (f"{PLACE}/{view.id}/edit", f"{PLACE}/{view.id}/delete"):
        browser.get(path, status=403)
        assert forge(browser, path, name="Mine", version="1").status_int == 403
    assert browser.get(PLACE).html.select(".actions-cell a") == []
    assert [(row.name, row.for_all) for row in rows(SavedView)] == [("Admins", True)]


def test_a_former_editor_does_not_replace_their_view_for_all(of, ada, make_view, rows):
    view, browser = make_view(ada, "Admins", for_all=True), of(ada)
    form = save(browser, "Admins", "q=kim", status=422).forms["record"]
    assert "replace" not in form.fields
    forged = {"name": "Admins", "query": "q=kim", "replace": "y", "offered": f"{view.id}.{view.version}"}
    assert forge(browser, f"{PLACE}/new", **forged).status_int == 422
    assert [(row.query, row.for_all) for row in rows(SavedView)] == [("role=admin", True)]


# Obsolete queries


@pytest.mark.parametrize(
    "query", ["sort=colour", "role=king", "colour=red", "%%%", "\x01 ü <b>", "=&=&;", "age_from=x&x=1"]
)
def test_an_obsolete_view_is_marked_and_can_be_deleted(of, ada, outside, rows, query):
    with outside.begin() as connection:
        insert = sqlalchemy.text("INSERT INTO saved_views (user_id, name, query) VALUES (:user_id, 'Old', :query)")
        connection.execute(insert, {"user_id": ada.id, "query": query})
    browser, [view] = of(ada), rows(SavedView)
    assert listed(browser)[0][:2] == ["Old", "This saved view no longer works."]
    assert browser.get(PLACE).html.select("tbody th a") == []
    change(browser, view, name="Older")
    browser.get(f"{PLACE}/{view.id}/delete").forms["record"].submit(status=303)
    assert rows(SavedView) == []


def test_a_partly_obsolete_view_is_shown_with_a_note(of, ada, make_view):
    make_view(ada, query="q=kim+role%3Aking")
    browser = of(ada)
    assert listed(browser)[0][1].startswith("“kim” Unknown role “king” was ignored. Use role:member")
    browser.get(PLACE).click("^<bdi>Admins").mustcontain("Unknown role “king”")


# Deleted owners


@pytest.mark.parametrize("way", ["erase", "delete"])
def test_views_are_deleted_with_their_owner(app, ada, bob, make_view, rows, way):
    make_view(ada)
    make_view(ada, "For all", for_all=True)
    kept = make_view(bob)
    app.get(f"/users/{ada.id}/{way}").forms["record"].submit(status=303)
    assert [view.id for view in rows(SavedView)] == [kept.id]


# Constraints of the table


@pytest.mark.parametrize(
    "values", [{"name": ""}, {"name": "a" * (NAME_LENGTH + 1)}, {"query": "a" * (QUERY_LENGTH + 1)}]
)
def test_the_table_refuses_what_the_form_refuses(ada, make_view, values):
    with pytest.raises((sqlalchemy.exc.IntegrityError, sqlalchemy.exc.DataError)):
        make_view(ada, **values)


def test_a_view_that_changed_since_the_page_was_opened_is_asked_about_again(app, ada, make_view, outside, rows):
    view = make_view(ada, for_all=True)
    form = app.get(f"{PLACE}/{view.id}/delete").forms["record"]
    with outside.begin() as connection:
        connection.execute(sqlalchemy.update(SavedView).values(query="role=editor"))
    page = form.submit(status=409)
    page.mustcontain("This has changed since you opened the page.", "Editor")
    assert len(rows(SavedView)) == 1
    page.forms["record"].submit(status=303)
    assert rows(SavedView) == []
