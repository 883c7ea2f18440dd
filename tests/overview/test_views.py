"""The charts and tables of `/overview`."""

import datetime

import pytest
from sqlalchemy import delete, update

from myproject.models import SignIn, User
from tests.signed_in import without_administrator_check


@pytest.fixture
def make_user(make_user, outside):
    """Call `make_user(age=…)`: store a user and sign them in instead of the administrator, who is deleted."""

    def make(*args, **values):
        user = make_user(*args, **values)
        with outside.begin() as connection, without_administrator_check(connection):
            connection.execute(update(SignIn).values(user_id=user.id))
            connection.execute(delete(User).where(User.id == 0))
        return user

    return make


def test_users_are_counted_by_age_band(app, make_user):
    for age in [0, 9, 10, 19, 20, 89, 90, 150, None, None]:
        make_user(age=age)
    assert figures(app, "age") == [
        ("0–9", "2"),
        ("10–19", "2"),
        ("20–29", "1"),
        ("30–39", "0"),
        ("40–49", "0"),
        ("50–59", "0"),
        ("60–69", "0"),
        ("70–79", "0"),
        ("80–89", "1"),
        ("90 and older", "2"),
        ("Not given", "2"),
    ]


@pytest.mark.parametrize(
    ("ages", "bands"),
    [
        ([0], [("0–9", "1")]),
        ([None], [("Not given", "1")]),
        ([100], [("90 and older", "1")]),
        ([34, 39], [("30–39", "2")]),
        ([40, None, 60], [("40–49", "1"), ("50–59", "0"), ("60–69", "1"), ("Not given", "1")]),
    ],
)
def test_age_bands_range_from_the_youngest_to_the_oldest(app, make_user, ages, bands):
    for age in ages:
        make_user(age=age)
    assert figures(app, "age") == bands


def test_users_are_counted_by_role_the_most_frequent_first(app, make_user):
    for role in ["member", "admin", "member", "editor", "editor", "member"]:
        make_user(role=role)
    assert figures(app, "role") == [("Member", "3"), ("Editor", "2"), ("Administrator", "1")]


def test_users_are_counted_by_month_of_joining(app, make_user):
    for moment in ["2025-11-30T12:00", "2026-02-01T12:00", "2026-02-28T12:00"]:
        make_user(created_at=utc(moment))
    assert figures(app, "month") == [("Nov 2025", "1"), ("Dec 2025", "0"), ("Jan 2026", "0"), ("Feb 2026", "2")]


@pytest.mark.parametrize(
    ("moment", "month"),
    [
        ("2026-01-31T23:59:59.999999+00:00", "Jan 2026"),
        ("2026-02-01T00:00:00+00:00", "Feb 2026"),
        ("2026-02-01T08:59:59+09:00", "Jan 2026"),
        ("2026-02-01T09:00:00+09:00", "Feb 2026"),
        ("2026-01-31T19:00:00-05:00", "Feb 2026"),
        ("2024-02-29T23:59:59+00:00", "Feb 2024"),
        ("2025-12-31T23:59:59.999999+00:00", "Dec 2025"),
    ],
)
def test_months_are_utc(app, make_user, moment, month):
    make_user(created_at=datetime.datetime.fromisoformat(moment))
    assert figures(app, "month") == [(month, "1")]


def test_a_user_who_joined_just_now_is_counted_this_month(app, make_user):
    joined = make_user().created_at
    assert figures(app, "month") == [(f"{joined:%b %Y}", "1")]


def test_the_newest_two_years_are_shown(app, make_user):
    for year, month in [(2020, 1), (2024, 1), (2024, 2), (2026, 1)]:
        make_user(created_at=utc(f"{year}-{month:02}-15"))
    months = figures(app, "month")
    assert len(months) == 24
    assert (months[0], months[-1]) == (("Feb 2024", "1"), ("Jan 2026", "1"))


def test_each_table_counts_every_user_once(app, make_user):
    for number in range(40):
        make_user(
            age=number * 3 or None, role=["member", "editor"][number % 2], created_at=utc(f"2026-0{number % 9 + 1}-01")
        )
    for name in ("age", "role", "month"):
        assert sum(int(count) for _label, count in figures(app, name)) == 40


def test_large_numbers_follow_the_language(app, make_user, outside):
    make_user(age=30)
    with outside.begin() as connection:
        connection.execute(User.__table__.insert(), [{"name": "John Doe", "age": 30}] * 1233)
    assert figures(app, "age") == [("30–39", "1,234")]
    app.get("/overview").mustcontain("1,234 users · 0 posts")


@pytest.mark.parametrize("name", ["age", "role", "month"])
def test_a_chart_has_a_bar_and_two_texts_per_table_row(app, make_user, name):
    for number, role in enumerate(["member", "editor", "admin", "member"]):
        make_user(age=number * 20, role=role, created_at=utc(f"2026-0{number * 2 + 1}-01"))
    section = section_of(app, name)
    rows = len(section.select("tbody tr"))
    assert (len(section.select("svg rect.bar")), len(section.select("svg text"))) == (rows, 2 * rows)
    assert [text.text for text in section.select("svg text")] == [
        cell.text for cell in section.select("tbody th, tbody td")
    ]


def test_bars_are_proportional_to_their_numbers(app, make_user):
    for age in [20, 20, 20, 20, 30, 50, 50]:
        make_user(age=age)
    widths = [float(bar["width"].rstrip("%")) for bar in section_of(app, "age").select("rect.bar")]
    assert [width / widths[0] for width in widths] == [1, 0.25, 0, 0.5]


def test_a_chart_is_labelled_for_screen_readers(app, make_user):
    make_user()
    page = app.get("/overview").html
    for drawing in page.select("svg"):
        assert drawing["role"] == "img"
        assert page.find(id=drawing["aria-labelledby"]).text.startswith("Users by")


def test_the_current_user_is_counted(app):
    app.get("/overview").mustcontain("1 user · 0 posts")
    assert (figures(app, "age"), figures(app, "role")) == ([("Not given", "1")], [("Administrator", "1")])


def section_of(app, name):
    """Return the section whose heading has the id `name`-title."""
    return app.get("/overview").html.find("section", {"aria-labelledby": f"{name}-title"})


def figures(app, name):
    """Return the rows of a table as pairs of texts."""
    return [tuple(cell.text for cell in row.select("th, td")) for row in section_of(app, name).select("tbody tr")]


def utc(moment):
    """Return `moment`, an ISO date with or without time, as a UTC datetime."""
    return datetime.datetime.fromisoformat(moment).replace(tzinfo=datetime.UTC)
