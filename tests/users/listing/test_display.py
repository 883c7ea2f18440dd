"""Each browser keeps its own columns and page size."""

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


def test_five_columns_are_shown_by_default(app):
    assert headings(app.get("/users")) == ["Name", "Email", "Age", "Role", "Joined"]


def test_chosen_columns_stay(app):
    assert headings(chosen(app.get("/users"), "25", "active", "age")) == ["Name", "Age", "Active"]
    assert headings(app.get("/users?q=test")) == ["Name", "Age", "Active"]


def test_the_name_is_always_shown(app):
    page = chosen(app.get("/users"), "25")
    assert headings(page) == ["Name"]
    boxes = page.click("^Columns$").html.select("input[type=checkbox]")
    assert [box["name"] for box in boxes if box.has_attr("checked")] == ["keys"]


def test_a_page_has_as_many_people_as_chosen(app, make_user):
    for _ in range(60):
        make_user()
    page = chosen(app.get("/users"), "50", "email")
    assert len(page.html.select("#users tbody tr")) == 50
    assert display_form(page)["size"].value == "50"


def test_choosing_leads_back_to_the_same_list(app):
    page = chosen(app.get("/users?q=test&role=admin&sort=-age"), "25", "age")
    assert page.request.path_qs == "/users?q=test&role=admin&sort=-age"


def test_shortcuts_can_be_turned_off_and_on(app):
    page = app.get("/users")
    for on in False, True:
        form = display_form(page)
        form["keys"] = on
        page = form.submit(status=303).follow()
        assert bool(page.html.select("form[data-keys], [aria-keyshortcuts]")) == on
        assert display_form(page)["keys"].checked == on


def test_another_browser_has_its_own_columns(app, wsgi):
    chosen(app.get("/users"), "25")
    assert headings(signed_in.browser(wsgi).get("/users")) == ["Name", "Email", "Age", "Role", "Joined"]


@pytest.mark.parametrize("cookie", ["", "x", "25.", "26.email", "25.password_hash", "25.email..age", ".", "1e1.age"])
def test_an_invalid_cookie_is_ignored(app, cookie):
    app.set_cookie("display", cookie)
    assert headings(app.get("/users")) == ["Name", "Email", "Age", "Role", "Joined"]


@pytest.mark.parametrize(
    "fields", [{}, {"size": "26"}, {"size": ""}, {"size": "25", "page": "//evil.example"}, {"size": "25", "page": "x"}]
)
def test_an_invalid_choice_is_refused(app, fields):
    token = display_form(app.get("/users"))["csrf_token"].value
    app.post("/users/display", {"csrf_token": token, **fields}, status=400).mustcontain("<h1>", "Back to users")
    assert "display" not in app.cookies
