"""Each browser keeps its own columns and its own number of people on a page."""

import pytest

from tests import signed_in


def headings(page):
    """Return the headings of the columns of the list."""
    return [heading.a.contents[0].strip() for heading in page.html.select("#users thead th")]


def display_form(page):
    """Open the panel of the columns, and return its form."""
    page = page.click("^Columns$")
    return next(form for form in page.forms.values() if form.action == "/users/display")


def chosen(page, size, *columns):
    """Return the list after its form was sent with a size and the columns to show."""
    form = display_form(page)
    for name in ("email", "age", "role", "active", "joined"):
        form[name] = name in columns
    form["size"] = size
    return form.submit(status=303).follow()


def test_at_first_five_columns_are_shown(app):
    assert headings(app.get("/users")) == ["Name", "Email", "Age", "Role", "Joined"]


def test_the_columns_chosen_are_shown_from_then_on(app):
    assert headings(chosen(app.get("/users"), "25", "active", "age")) == ["Name", "Age", "Active"]
    assert headings(app.get("/users?q=test")) == ["Name", "Age", "Active"]


def test_the_name_is_always_shown(app):
    page = chosen(app.get("/users"), "25")
    assert headings(page) == ["Name"]
    boxes = page.click("^Columns$").html.select("input[type=checkbox]")
    assert [box["name"] for box in boxes if box.has_attr("checked")] == ["keys"]


def test_as_many_people_as_chosen_are_on_a_page(app, make_user):
    for _ in range(60):
        make_user()
    page = chosen(app.get("/users"), "50", "email")
    assert len(page.html.select("#users tbody tr")) == 50
    assert display_form(page)["size"].value == "50"


def test_a_choice_leads_back_to_the_list_that_it_was_made_on(app):
    page = chosen(app.get("/users?q=test&role=admin&sort=-age"), "25", "age")
    assert page.request.path_qs == "/users?q=test&role=admin&sort=-age"


def test_the_keys_can_be_turned_off_and_on_again(app):
    page = app.get("/users")
    for on in False, True:
        form = display_form(page)
        form["keys"] = on
        page = form.submit(status=303).follow()
        assert bool(page.html.select("form[data-keys], [aria-keyshortcuts]")) == on
        assert display_form(page)["keys"].checked == on


def test_another_browser_keeps_its_own(app, wsgi):
    chosen(app.get("/users"), "25")
    assert headings(signed_in.browser(wsgi).get("/users")) == ["Name", "Email", "Age", "Role", "Joined"]


@pytest.mark.parametrize("cookie", ["", "x", "25.", "26.email", "25.password_hash", "25.email..age", ".", "1e1.age"])
def test_a_cookie_that_is_not_ours_is_as_none(app, cookie):
    app.set_cookie("display", cookie)
    assert headings(app.get("/users")) == ["Name", "Email", "Age", "Role", "Joined"]


@pytest.mark.parametrize(
    "fields", [{}, {"size": "26"}, {"size": ""}, {"size": "25", "page": "//evil.example"}, {"size": "25", "page": "x"}]
)
def test_a_choice_that_no_form_offers_is_refused(app, fields):
    token = display_form(app.get("/users"))["csrf_token"].value
    app.post("/users/display", {"csrf_token": token, **fields}, status=400).mustcontain("<h1>", "To the users")
    assert "display" not in app.cookies
