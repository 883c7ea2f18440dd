"""Pages of users say when they signed in last, to those who may know."""

import datetime

import pytest
from sqlalchemy import text

from tests.people import add_person, browser_of
from tests.users.listing.test_display import display_form, headings

MARCH = datetime.datetime(2026, 3, 1, 12, 30, tzinfo=datetime.UTC)
APRIL = datetime.datetime(2026, 4, 2, 8, 15, tzinfo=datetime.UTC)


def facts(page):
    """Return the texts of a user's page by their labels."""
    return {label.text: label.find_next_sibling("dd").text for label in page.html.select("dl.facts dt")}


def cells(page):
    """Return the last column of the list by the name of the user."""
    return {row.th.a.text: row.select("td")[-1].text for row in page.html.select("#users tbody tr")}


def with_column(app):
    """Return the list with the column."""
    form = display_form(app.get("/users?sort=added"))
    form["last_sign_in"] = True
    return form.submit(status=303).follow()


def test_the_page_of_a_person_shows_the_newest_sign_in(app, make_user, make_event):
    ada, other = make_user("Ada Lovelace"), make_user("Grace Hopper")
    for moment in APRIL, MARCH:
        make_event("signed in", user_id=ada.id, happened_at=moment)
    make_event("password set", user_id=ada.id)
    make_event("signed in", user_id=other.id)
    assert facts(app.get(f"/users/{ada.id}"))["Last sign-in"] == "Apr 2, 2026 08:15 UTC"


def test_without_an_event_none_is_recorded(app, make_user):
    assert facts(app.get(f"/users/{make_user().id}"))["Last sign-in"] == "None recorded"


def test_signing_in_changes_it(app, enter, ada):
    enter(ada)
    assert facts(app.get(f"/users/{ada.id}"))["Last sign-in"] != "None recorded"


@pytest.mark.parametrize(("role", "is_shown"), [("member", False), ("editor", False), ("admin", True)])
def test_administrators_and_the_person_see_it(wsgi, outside, make_user, role, is_shown):
    person, other = add_person(outside, role=role), make_user()
    browser = browser_of(wsgi, outside, person)
    assert ("Last sign-in" in facts(browser.get(f"/users/{other.id}"))) == is_shown
    assert "Last sign-in" in facts(browser.get(f"/users/{person.id}"))


def test_the_list_has_a_column_for_it_that_is_chosen(app, make_user, make_event):
    ada = make_user("Ada Lovelace")
    make_user("Grace Hopper")
    make_event("signed in", user_id=ada.id, happened_at=APRIL)
    app.get("/users").mustcontain(no="Last sign-in")
    page = with_column(app)
    assert cells(page)["Ada Lovelace"] == "Apr 2, 2026"
    assert cells(page)["Grace Hopper"] == "–"


def test_the_list_cannot_be_sorted_by_it(app):
    heading = with_column(app).html.select("#users thead th")[-1]
    assert (heading.text.strip(), heading.a) == ("Last sign-in", None)
    app.get("/users?sort=last_sign_in", status=400)


@pytest.mark.parametrize("role", ["member", "editor"])
def test_others_get_no_column_also_in_the_browser_of_an_administrator(wsgi, app, outside, role):
    with_column(app)
    browser = browser_of(wsgi, outside, add_person(outside, role=role))
    browser.set_cookie("display", app.cookies["display"])
    page = browser.get("/users")
    page.mustcontain(no="Last sign-in")
    assert "last_sign_in" not in display_form(page).fields
    assert headings(page)[0] == "Name"


def test_the_column_costs_one_statement(app, recorded, make_user):
    for _ in range(10):
        make_user()
    with recorded() as without:
        app.get("/users")
    with_column(app)
    with recorded() as record:
        app.get("/users")
    assert record.statement_count == without.statement_count + 1


def test_an_index_finds_it(app, recorded, outside, make_user):
    user = make_user()
    with recorded() as record:
        app.get(f"/users/{user.id}")
    [sql] = [sql for sql in record.sql if "max(" in sql]
    assert "GROUP BY" not in sql
    query = """SELECT (SELECT max(happened_at) FROM security_events WHERE user_id = users.id AND kind = 'signed in')
               FROM users WHERE id IN (1, 2, 3)"""
    with outside.connect() as connection:
        if outside.dialect.name == "postgresql":
            # A table of a few rows is read as a whole otherwise.
            connection.execute(text("SET enable_seqscan = off"))
        explain = "EXPLAIN QUERY PLAN" if outside.dialect.name == "sqlite" else "EXPLAIN"
        plan = str(connection.execute(text(f"{explain} {query}")).all())
    assert "ix_security_events_user_id_kind_happened_at" in plan
