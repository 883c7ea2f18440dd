"""The page of security events: in words, by person, kind and day, page by page."""

import datetime
from urllib.parse import urlencode

import pytest
from sqlalchemy import update

from myproject.history.events.kinds import KINDS
from myproject.models import User
from tests.people import add_person, browser_of

PAGE = "/history/events"


def lines(page):
    """Return the texts of the rows: what happened, by whom, from where."""
    rows = [row.find_all(["th", "td"])[:3] for row in page.html.select("tbody tr")]
    return [tuple(" ".join(cell.get_text(" ").split()) for cell in row) for row in rows]


def events(page):
    """Return what happened, in the order of the page."""
    return [line[0] for line in lines(page)]


def test_events_are_shown_in_words_the_newest_first(app, make_user, make_event):
    ada, grace = make_user("Ada Lovelace"), make_user("Grace Hopper")
    make_event("signed in", user_id=ada.id, address="192.0.2.1", hours=2)
    make_event("password link made", user_id=ada.id, actor_id=grace.id, address="192.0.2.2", hours=1)
    make_event("sign-in failed", address="192.0.2.3")
    page = app.get(PAGE)
    assert lines(page) == [
        ("Failed sign-in with an unknown email", "–", "192.0.2.3"),
        ("A password link was created for Ada Lovelace", "Grace Hopper", "192.0.2.2"),
        ("Ada Lovelace signed in", "–", "192.0.2.1"),
    ]
    assert page.click("Grace Hopper").html.h1.text == "Grace Hopper"
    page.mustcontain("Events are kept for 400 days.")


def test_every_kind_has_words_in_both_languages(app, make_user, make_event):
    for kind in KINDS:
        make_event(kind, user_id=make_user(f"Person of {kind}").id)
        make_event(kind)
    for language in "en", "ko":
        app.extra_environ["HTTP_ACCEPT_LANGUAGE"] = language
        page, named = app.get(PAGE), []
        while True:
            named += events(page)
            if not page.html.select("a[rel=next]"):
                break
            page = app.get(page.html.select_one("a[rel=next]")["href"])
        assert len(named) == 2 * len(KINDS)
        assert [line for line in named if "%" in line or "$" in line] == []
        # The setup form names nobody.
        assert sum("Person of" in line for line in named) == len(KINDS) - 1


def test_a_change_of_an_account_says_what_has_changed(app, make_user, make_event):
    facts = '{"role": "admin", "role_before": "member", "active": false, "active_before": true, "email_changed": true}'
    make_event("account changed", user_id=make_user("Ada Lovelace").id, facts=facts)
    [told] = events(app.get(PAGE))
    assert told == (
        "The account of Ada Lovelace was changed Role: Member → Administrator Active: Yes → No The email was changed."
    )


def test_a_new_account_has_no_value_before(app, make_user, make_event):
    facts = '{"role": "member", "role_before": null, "active": true, "active_before": true, "email_changed": false}'
    make_event("account changed", user_id=make_user("Ada Lovelace").id, facts=facts)
    assert events(app.get(PAGE)) == ["The account of Ada Lovelace was changed Role: Member"]


def test_the_number_of_others_is_told(app, make_event):
    make_event("sign-in failed", number=1234)
    assert events(app.get(PAGE)) == ["Failed sign-in: at least 1,234 more in this minute"]


def test_a_deleted_person_is_named_by_number(app, make_event):
    make_event("refused", user_id=77, actor_id=77, facts='{"page": "GET /users/new"}')
    page = app.get(PAGE)
    assert events(page) == ["User 77 had no permission for a page GET /users/new"]
    assert page.html.select('a[href="/users/77"]') == []
    assert events(app.get(f"{PAGE}?user=77")) == events(page)


def test_names_are_escaped(app, make_user, make_event):
    make_event("signed in", user_id=make_user("<b>%(user)s</b> & ${user}").id)
    assert events(app.get(PAGE)) == ["<b>%(user)s</b> & ${user} signed in"]


@pytest.mark.parametrize("facts", ["", "[]", "{", '{"role": ["x"], "page": {"a": 1}}', '{"role": "boss", "why": 7}'])
def test_odd_rows_of_other_programs_are_shown(app, make_event, facts):
    make_event("100% odd <kind>", user_id=77, facts=facts)
    make_event("account changed", user_id=77, facts=facts)
    assert "100% odd <kind>: User 77" in events(app.get(PAGE))[1]


# Which events


@pytest.fixture
def ada(make_user, make_event):
    """A user with events about her and by her, among events of others."""
    ada, other = make_user("Ada Lovelace"), make_user("Grace Hopper")
    make_event("signed in", user_id=ada.id, happened_at=datetime.datetime(2026, 3, 1, 23, 30, tzinfo=datetime.UTC))
    make_event("erased", user_id=99, actor_id=ada.id, days=2)
    make_event("signed in", user_id=other.id, days=1)
    return ada


def test_the_page_of_a_person_links_their_events(app, ada):
    page = app.get(f"/users/{ada.id}").click("Security events")
    assert events(page) == ["User 99 was erased permanently", "Ada Lovelace signed in"]
    assert len(lines(app.get(page.html.select_one(".chip-on")["href"]))) == 3


@pytest.mark.usefixtures("ada")
def test_events_of_a_kind_are_chosen_by_the_form(app):
    form = app.get(PAGE).forms[2]
    form["kind"] = "signed in"
    page = form.submit()
    assert events(page) == ["Grace Hopper signed in", "Ada Lovelace signed in"]
    assert page.forms[2]["kind"].value == "signed in"


@pytest.mark.parametrize(("zone", "day"), [("UTC", "2026-03-01"), ("Asia/Seoul", "2026-03-02")])
def test_days_are_those_of_the_persons_time_zone(app, ada, outside, zone, day):
    with outside.begin() as connection:
        connection.execute(update(User.__table__).where(User.id == 0).values(time_zone=zone))
    for text in "2026-03-01", "2026-03-02":
        page = app.get(f"{PAGE}?day={text}")
        assert events(page) == (["Ada Lovelace signed in"] if text == day else [])


@pytest.mark.usefixtures("ada")
def test_a_month_is_a_filter_too(app):
    assert events(app.get(f"{PAGE}?day=2026-03")) == ["Ada Lovelace signed in"]


def test_filters_are_combined_and_removed_one_by_one(app, ada):
    page = app.get(f"{PAGE}?user={ada.id}&kind=erased&day=2026-03-01")
    assert events(page) == []
    page.mustcontain("No events found.")
    page = page.click("Mar 1, 2026")
    assert events(page) == ["User 99 was erased permanently"]
    assert len(events(app.get(f"{PAGE}?kind=erased&user={ada.id}").click("User erased"))) == 2


def test_pages_go_on_with_the_filter(app, make_event):
    for number in range(60):
        make_event("signed in" if number % 2 else "refused", user_id=77, minutes=number)
    page = app.get(f"{PAGE}?kind=refused&user=77")
    assert len(events(page)) == 25
    page = page.click("Next")
    assert set(events(page)) == {"User 77 had no permission for a page"}
    assert len(events(page)) == 5
    assert len(events(page.click("Previous"))) == 25


def test_events_of_one_moment_are_on_one_page_each(app, make_event):
    moment = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
    for number in range(1, 31):
        make_event("signed in", user_id=1000 + number, happened_at=moment)
    page = app.get(PAGE)
    assert len({*events(page), *events(page.click("Next"))}) == 30


# Bad input


@pytest.mark.parametrize(
    "query",
    [
        {"user": "0"},
        {"user": "-1"},
        {"user": "abc"},
        {"user": "9" * 30},
        {"user": "1\0"},
        {"kind": "nothing"},
        {"kind": "signed in\0"},
        {"kind": "x" * 500},
        {"cursor": "x"},
        {"cursor": "W10"},
        {"cursor": "9" * 30},
    ],
)
def test_nonsense_is_refused(app, query):
    app.get(f"{PAGE}?{urlencode(query)}", status=400)


@pytest.mark.parametrize("day", ["yesterday", "2026-13-01", "0000-01-01", "2026-02-30", "9" * 30, "\0", "<b>"])
def test_a_mistyped_day_is_told_and_ignored(app, make_event, day):
    make_event("signed in", user_id=77)
    page = app.get(f"{PAGE}?{urlencode({'day': day})}", status=200)
    assert "is not a date and was ignored" in page.html.find(role="note").text
    assert events(page) == ["User 77 signed in"]


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_ends_of_the_calendar_are_days(app, day):
    assert events(app.get(f"{PAGE}?day={day}", status=200)) == []


def test_empty_filters_are_none(app, make_event):
    make_event("signed in", user_id=77)
    assert events(app.get(f"{PAGE}?user=&kind=&day=", status=200)) == ["User 77 signed in"]


# Who may look


@pytest.mark.parametrize("role", ["member", "editor"])
def test_only_administrators_find_the_page(wsgi, outside, role):
    person = add_person(outside, role=role)
    browser = browser_of(wsgi, outside, person)
    browser.get(PAGE, status=403)
    browser.get(f"/users/{person.id}").mustcontain(no="Security events")


def test_looking_causes_no_event(app, stored):
    app.get(PAGE)
    assert stored() == []


def test_a_page_takes_few_statements(app, recorded, make_user, make_event):
    for _ in range(25):
        make_event("signed in", user_id=make_user().id, actor_id=make_user().id)
    with recorded() as record:
        app.get(PAGE)
    # Who is signed in, the events, the names.
    assert record.summary == "3 statements, read-only"
