"""Days: when they begin in the time zones of the world, and that every page means the same ones."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from myproject.models import Post, User
from myproject.web.days import DAY, day_of, start_of_day, start_of_next_day, time_zone_names

# The first moments of days, in UTC.
STARTS = {
    ("UTC", date(2026, 2, 1)): "2026-02-01T00:00",
    ("Asia/Seoul", date(2026, 2, 1)): "2026-01-31T15:00",
    ("Asia/Kathmandu", date(2026, 2, 1)): "2026-01-31T18:15",
    ("America/New_York", date(2026, 3, 8)): "2026-03-08T05:00",
    ("America/New_York", date(2026, 3, 9)): "2026-03-09T04:00",
    ("America/New_York", date(2026, 11, 1)): "2026-11-01T04:00",
    ("America/New_York", date(2026, 11, 2)): "2026-11-02T05:00",
    # These days begin at one o'clock.
    ("America/Sao_Paulo", date(2018, 11, 4)): "2018-11-04T03:00",
    ("Africa/Cairo", date(2024, 4, 26)): "2024-04-25T22:00",
    # This one at half past midnight: the clocks skipped the hour from half past eleven.
    ("America/Toronto", date(1919, 3, 31)): "1919-03-31T04:30",
    # The hour before this midnight was repeated.
    ("America/Sao_Paulo", date(2018, 2, 18)): "2018-02-18T03:00",
    # These midnights occur twice.
    ("America/Havana", date(2026, 11, 1)): "2026-11-01T04:00",
    ("America/St_Johns", date(2010, 11, 7)): "2010-11-07T02:30",
    # There was no 30 December.
    ("Pacific/Apia", date(2011, 12, 29)): "2011-12-29T10:00",
    ("Pacific/Apia", date(2011, 12, 30)): "2011-12-30T10:00",
    ("Pacific/Apia", date(2011, 12, 31)): "2011-12-30T10:00",
    ("Pacific/Apia", date(2012, 1, 1)): "2011-12-31T10:00",
    # The ends of the calendar.
    ("Asia/Seoul", date.min): "0001-01-01T00:00",
    ("America/New_York", date.max): "9999-12-31T05:00",
}
MOMENT = timedelta.resolution


@pytest.mark.parametrize(("zone", "day"), STARTS)
def test_a_day_begins_at_its_first_existing_moment(zone, day):
    assert start_of_day(day, ZoneInfo(zone)) == utc(STARTS[zone, day])


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        *(
            key and (key[0], start, key[1])
            for key, start in STARTS.items()
            if key != ("Pacific/Apia", date(2011, 12, 30))
        ),
        # The clocks show the day before again, but this day has begun.
        ("America/St_Johns", "2010-11-07T02:40", date(2010, 11, 7)),
        ("Asia/Seoul", "9999-12-31T23:00", date(9999, 12, 31)),
        ("America/New_York", "9999-12-31T23:59:59.999999", date(9999, 12, 31)),
        ("America/New_York", "0001-01-01T00:00", date(1, 1, 1)),
    ],
)
def test_a_moment_belongs_to_the_day_that_has_begun(zone, moment, day):
    assert day_of(utc(moment), ZoneInfo(zone)) == day


zones = st.sampled_from([*time_zone_names()]).map(ZoneInfo)
near_a_change = st.builds(
    # The calendar ends soon after the last of them.
    lambda start, seconds: utc(start) + timedelta(seconds=-abs(seconds) if start > "9999" else seconds),
    st.sampled_from([start for start in STARTS.values() if start > "0001-01-02"]),
    st.integers(-100_000, 100_000),
)


@given(zones, st.datetimes(timezones=st.just(UTC)) | near_a_change)
def test_every_moment_is_between_the_bounds_of_its_day(zone, moment):
    day = day_of(moment, zone)
    assert start_of_day(day, zone) <= moment
    assert moment < start_of_next_day(day, zone) or day == date.max


def test_the_time_zones_to_choose_from_are_those_of_regions():
    assert {zone for zone, _day in STARTS} <= set(time_zone_names())
    assert not {"localtime", "Factory", "Etc/GMT+5", "EST"} & set(time_zone_names())


# A time zone, a moment in UTC, and the day to which it belongs there: the first and the last moments of days.
JOINED = [
    ("UTC", "2026-01-31T23:59:59.999999", date(2026, 1, 31)),
    ("Asia/Seoul", "2026-01-31T15:30", date(2026, 2, 1)),
    ("Asia/Seoul", "2026-01-31T14:59:59.999999", date(2026, 1, 31)),
    ("America/New_York", "2026-03-09T03:59:59.999999", date(2026, 3, 8)),
    ("America/New_York", "2026-04-01T04:00", date(2026, 4, 1)),
    ("America/New_York", "2026-11-01T03:59:59.999999", date(2026, 10, 31)),
    ("America/New_York", "2026-11-02T04:30", date(2026, 11, 1)),
    ("Asia/Kathmandu", "2026-01-31T18:15", date(2026, 2, 1)),
    ("Pacific/Apia", "2011-12-30T09:59:59.999999", date(2011, 12, 29)),
    ("Pacific/Apia", "2011-12-30T10:00", date(2011, 12, 31)),
    ("America/Sao_Paulo", "2018-11-04T02:59:59.999999", date(2018, 11, 3)),
    ("America/Sao_Paulo", "2018-11-04T03:00", date(2018, 11, 4)),
]


@pytest.fixture
def settings(settings, zone):
    """The settings of a site in the time zone of the test."""
    return {**settings, "myproject.timezone": zone}


@pytest.fixture
def minsu(outside, make_user, make_post, make_view, moment, day):
    """The id of Minsu. Everybody joined at the moment; Minsu wrote a post then, and shares a view of that month."""
    user = make_user("Minsu")
    make_post("News", author=user)
    make_view(user, query=f"q=Minsu+joined:{day:%Y-%m}", for_all=True)
    with outside.begin() as connection:
        for model in User, Post:
            connection.execute(update(model).values(created_at=utc(moment), updated_at=utc(moment)))
    return user.id


@pytest.mark.parametrize(("zone", "moment", "day"), JOINED)
def test_all_pages_show_the_same_day(app, minsu, day):
    for path in "/users?q=Minsu", f"/users/{minsu}", "/posts", "/posts/1":
        assert dates(app.get(path)) == {f"{day:%b} {day.day}, {day.year}"}
    months = app.get("/overview").html.find("section", {"aria-labelledby": "month-title"}).select("tbody tr")
    assert [(row.th.text, row.td.text) for row in months] == [(f"{day:%b %Y}", "2")]


@pytest.mark.parametrize(("zone", "moment", "day"), JOINED)
def test_search_filter_places_and_saved_views_mean_the_day_that_the_list_shows(app, minsu, day):
    for before, during, after in days_around(day):
        for query in "q=Minsu+joined:{0}", "q=Minsu&joined_from={0}&joined_to={0}":
            assert [finds(app, query.format(text)) for text in (before, during, after)] == [False, True, False]
    for sort, elsewhere in ("joined", day + DAY), ("-joined", day - DAY):
        places = [finds(app, f"q=Minsu&sort={sort}&from={place}") for place in (day, elsewhere)]
        assert places == [True, False]
    assert app.get("/users/views/1").follow().html.find("a", string="Minsu")


@pytest.mark.parametrize("zone", ["Asia/Seoul"])
@pytest.mark.parametrize(
    "path", ["/users?panel=filters", "/users?panel=places&sort=joined", "/users/help", "/overview"]
)
def test_pages_on_which_days_are_chosen_or_counted_name_the_time_zone(app, path):
    app.get(path).mustcontain("Asia/Seoul")


@pytest.mark.parametrize("zone", ["Asia/Seoul", "America/New_York"])
@pytest.mark.parametrize(("moment", "day"), [(datetime.min, "0001-01-01"), (datetime.max - MOMENT, "9999-12-31")])
def test_the_ends_of_the_calendar_are_days_too(app, make_user, moment, day):
    make_user("Minsu", created_at=moment.replace(tzinfo=UTC))
    for query in f"q=joined:{day}", f"q=joined:{day[:4]}", f"joined_to={day}", f"sort=joined&from={day}":
        assert finds(app, query)
    assert not finds(app, f"q=-joined:{day}")
    app.get("/overview").mustcontain("9999" if day == "9999-12-31" else "Users by month")


@pytest.mark.parametrize("zone", ["Asia/Seoul", "America/New_York"])
def test_pages_show_the_last_moment_of_the_calendar(app, make_user, zone):
    make_user("Minsu", created_at=datetime.max.replace(tzinfo=UTC))
    for path in "/users?sort=-joined&from=9999-12-31", "/users/1", "/overview":
        app.get(path)


@pytest.mark.parametrize(
    ("zone", "moment", "clock"),
    [
        ("UTC", "2026-11-01T05:30", "Nov 1, 2026 05:30 UTC"),
        ("Asia/Seoul", "2026-11-01T05:30", "Nov 1, 2026 14:30 UTC+9"),
        ("Asia/Kathmandu", "2026-11-01T05:30", "Nov 1, 2026 11:15 UTC+5:45"),
        ("America/New_York", "2026-11-01T05:30", "Nov 1, 2026 01:30 UTC−4"),
        ("America/New_York", "2026-11-01T06:30", "Nov 1, 2026 01:30 UTC−5"),
    ],
)
def test_a_time_is_shown_in_the_zone_with_its_difference_from_utc(app, make_user, zone, moment, clock):
    time = app.get(f"/users/{make_user(created_at=utc(moment)).id}").html.time
    assert (time.text, time["datetime"], time["title"]) == (clock, f"{moment}:00+00:00", zone)


def utc(text):
    """Return the moment of an ISO date and time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def dates(page):
    """Return the dates on a page, without times."""
    return {" ".join(time.text.split()[:3]) for time in page.html.find_all("time")}


def days_around(day):
    """Return the day before, `day` and the day after; and the same for its month and its year, as they are typed."""
    month = day.replace(day=1)
    yield day - DAY, day, day + DAY
    yield f"{month - DAY:%Y-%m}", f"{day:%Y-%m}", f"{month + 31 * DAY:%Y-%m}"
    yield day.year - 1, day.year, day.year + 1


def finds(app, query):
    """Return whether Minsu is in the list."""
    return app.get(f"/users?{query}").html.find("a", string="Minsu") is not None
