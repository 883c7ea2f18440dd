"""The time zone that a person chooses for their own pages."""

import datetime

import pytest
from sqlalchemy import update

from myproject.models import User
from tests.people import add_person, browser_of

# In Seoul, it was half past midnight on the next day.
MOMENT = datetime.datetime(2026, 1, 31, 15, 30, tzinfo=datetime.UTC)


@pytest.fixture
def settings(settings):
    """The settings of a site in Kathmandu."""
    return {**settings, "myproject.timezone": "Asia/Kathmandu"}


@pytest.fixture
def person(wsgi, outside):
    """Call `person(name)`: a browser in which a member of that name is signed in, `browser.user`."""

    def sign_in(name):
        browser = browser_of(wsgi, outside, user := add_person(outside, name, created_at=MOMENT, updated_at=MOMENT))
        browser.user = user
        return browser

    return sign_in


def choose(browser, zone):
    """Choose a time zone on the person's own page, and return the next page."""
    form = browser.get(f"/users/{browser.user.id}/time-zone").forms["record"]
    form["time_zone"] = zone
    return form.submit(status=303).follow()


def test_a_chosen_time_zone_is_that_of_all_browsers_of_the_person(person, wsgi, outside):
    ada = person("Ada")
    assert ada.get(f"/users/{ada.user.id}").html.time.text == "Jan 31, 2026 21:15 UTC+5:45"
    choose(ada, "Asia/Seoul").mustcontain("Your time zone was saved.", "Feb 1, 2026 00:30 UTC+9")
    telephone = browser_of(wsgi, outside, ada.user)
    telephone.get("/users?q=joined:2026-02-01").mustcontain(">Ada<")


def test_the_time_zone_of_the_site_can_be_chosen_again(person, rows):
    ada = person("Ada")
    choose(ada, "Asia/Seoul")
    choose(ada, "site").mustcontain("Jan 31, 2026 21:15 UTC+5:45")
    assert rows(User)[0].time_zone is None


def test_a_shared_view_means_the_days_of_whoever_looks(person, make_view):
    ada, grace = person("Ada"), person("Grace")
    view = make_view(ada.user, query="q=joined:2026-02", for_all=True)
    choose(ada, "Asia/Seoul")
    ada.get(f"/users/views/{view.id}").follow().mustcontain("2 users")
    grace.get(f"/users/views/{view.id}").follow().mustcontain("No users found.")


def test_the_record_counts_as_unchanged(person, rows):
    ada = person("Ada")
    choose(ada, "Asia/Seoul")
    (user,) = rows(User)
    assert (user.time_zone, user.version, user.updated_at) == ("Asia/Seoul", 1, MOMENT)


def test_a_time_zone_that_is_none_is_refused(person, rows):
    ada = person("Ada")
    form = ada.get(f"/users/{ada.user.id}/time-zone").forms["record"]
    form["time_zone"].force_value("localtime")
    form.submit(status=422).mustcontain("Choose an option from the list.")
    assert rows(User)[0].time_zone is None


@pytest.mark.parametrize("unknown", ["Mars/Olympus", "localtime", "../../etc/passwd", "Asia"])
def test_a_stored_time_zone_that_this_server_does_not_know_counts_as_none(person, outside, unknown):
    ada = person("Ada")
    with outside.begin() as connection:
        connection.execute(update(User).where(User.id == ada.user.id).values(time_zone=unknown))
    assert ada.get(f"/users/{ada.user.id}").html.time["title"] == "Asia/Kathmandu"
    page = ada.get(f"/users/{ada.user.id}/time-zone")
    assert page.forms["record"]["time_zone"].value == ""
