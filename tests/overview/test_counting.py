"""Among many users the overview shows stored figures, which one process at a time counts in a thread."""

import datetime
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import insert, select, text, update

from myproject.db.base import utcnow
from myproject.models import StoredFigures, User
from myproject.overview import counting, views
from myproject.overview.counting import THREAD, read_figures
from tests.conftest import finish_writes

# A read of some two seconds.
SLOW = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000000) SELECT max(i) FROM n",
    "postgresql": "SELECT pg_sleep(2)",
}


@pytest.fixture
def many(monkeypatch):
    """Any number of users is too many to be counted for each page."""
    monkeypatch.setattr(views, "LARGEST_SMALL", 0)


@pytest.fixture
def short_reading(settings):
    """Pages may read for a second."""
    settings["reading.longest_seconds"] = "1"


@pytest.fixture
def finish(wsgi):
    """Call `finish()`: return when the figures have been counted and stored."""

    def wait():
        wsgi.registry[THREAD].join()
        finish_writes(wsgi)

    yield wait
    if THREAD in wsgi.registry:
        wait()
        del wsgi.registry[THREAD]


@pytest.fixture
def stored(outside):
    """Call `stored(counted_at=…)`: change the only row of the stored figures, and return it."""

    def change(**values):
        with outside.begin() as connection:
            if values:
                connection.execute(update(StoredFigures).values(values))
            return connection.execute(select(StoredFigures.__table__)).one_or_none()

    return change


@pytest.fixture
def figures(probe):
    """Call `figures(count)`: what a page shows of the figures that `count` counts."""
    return lambda count: probe(lambda request: str(read_figures(request, "test", count).load()), method="GET").text


@pytest.fixture
def slow_count():
    """A count that waits until the event `end` is set, and sets `begun`."""

    def count(connection):
        number = connection.scalar(select(User.id).limit(1))
        count.begun.set()
        assert count.end.wait(30)
        return number

    count.begun, count.end = threading.Event(), threading.Event()
    yield count
    count.end.set()


def test_the_first_page_says_that_counting_has_begun_and_reloads_itself(app, many, finish):
    page = app.get("/overview")
    page.mustcontain("The figures are being counted for the first time", no="by age")
    assert page.headers["Refresh"] == "2"
    finish()
    assert "Refresh" not in app.get("/overview").headers


def test_stored_figures_are_those_of_a_small_site_with_their_date(app, many, finish, make_post, monkeypatch):
    make_post()
    with monkeypatch.context() as patch:
        patch.setattr(views, "LARGEST_SMALL", 100)
        small = [table.text for table in app.get("/overview").html.select("table, svg")]
    app.get("/overview")
    finish()
    page = app.get("/overview")
    assert f"2 users · 1 post · Counted: {utcnow():%b} {utcnow().day}" in " ".join(page.html.main.text.split())
    assert [table.text for table in page.html.select("table, svg")] == small


def test_each_time_zone_has_figures_of_its_own(app, many, finish, outside):
    half_past_midnight_in_seoul = datetime.datetime(2026, 1, 31, 15, 30, tzinfo=datetime.UTC)
    for zone, month in ("UTC", "Jan 2026"), ("Asia/Seoul", "Feb 2026"), ("UTC", "Jan 2026"):
        with outside.begin() as connection:
            connection.execute(update(User).values(time_zone=zone, created_at=half_past_midnight_in_seoul))
        app.get("/overview")
        finish()
        app.get("/overview").mustcontain(f">{month}<", f"Days in {zone}")


def test_a_small_site_is_counted_for_each_page(app, make_user, stored):
    app.get("/overview").mustcontain("1 user · 0 posts", no="Counted")
    make_user()
    app.get("/overview").mustcontain("2 users · 0 posts", no="Counted")
    assert stored() is None


def test_ten_thousand_and_one_users_are_many(app, outside, finish):
    with outside.begin() as connection:
        connection.execute(insert(User), [{"name": f"Person {number}"} for number in range(10_000)])
    app.get("/overview").mustcontain("The figures are being counted")
    finish()
    app.get("/overview").mustcontain("10,001 users")


def test_readers_get_the_last_figures_while_new_ones_are_counted(app, many, make_user, finish, stored):
    app.get("/overview")
    finish()
    stored(counted_at=datetime.datetime(2026, 11, 30, 14, 5, tzinfo=datetime.UTC))
    make_user()
    app.get("/overview").mustcontain("1 user ·", ">Nov 30, 2026 14:05 UTC<", "New figures are being counted.")
    finish()
    app.get("/overview").mustcontain("2 users ·", no="being counted")


def test_recent_figures_are_not_counted_again(figures, finish, stored):
    assert figures(lambda _connection: 1) == "None"
    finish()
    stored(counted_at=utcnow() - datetime.timedelta(minutes=4))
    assert figures(lambda _connection: 2) == "1"
    finish()
    assert stored().figures == "1"


def test_eight_readers_at_once_count_once_and_wait_for_nothing(figures, finish, slow_count):
    with ThreadPoolExecutor(8) as readers:
        shown = list(readers.map(lambda _: figures(slow_count), range(8)))
    assert shown == ["None"] * 8
    assert slow_count.begun.wait(30)
    slow_count.end.set()
    finish()
    assert figures(slow_count) == "0"


def test_another_process_does_not_count_at_the_same_time(figures, finish, stored, outside):
    with outside.begin() as connection:
        in_a_minute = utcnow() + datetime.timedelta(minutes=1)
        connection.execute(insert(StoredFigures).values(name="test", claimed_until=in_a_minute))
    assert figures(lambda _connection: 1) == figures(lambda _connection: 1) == "None"
    assert stored().figures is None


def test_processes_that_begin_at_once_count_once(wsgi):
    counts = []
    with ThreadPoolExecutor(4) as processes:
        for _ in range(4):
            processes.submit(counting._try_to_count, wsgi.registry, "test", counts.append)
    assert len(counts) == 1


def test_a_process_that_died_blocks_the_others_for_minutes_only(figures, finish, stored, outside):
    with outside.begin() as connection:
        a_moment_ago = utcnow() - datetime.timedelta(seconds=1)
        connection.execute(insert(StoredFigures).values(name="test", claimed_until=a_moment_ago))
    figures(lambda _connection: 1)
    finish()
    assert (stored().figures, stored().claimed_until) == ("1", None)


@pytest.mark.parametrize("column", ["counted_at", "claimed_until"])
def test_a_process_whose_clock_is_wrong_does_not_keep_others_from_counting(figures, finish, stored, outside, column):
    with outside.begin() as connection:
        next_year = utcnow() + datetime.timedelta(days=365)
        connection.execute(insert(StoredFigures).values({"name": "test", "figures": "1", column: next_year}))
    assert figures(lambda _connection: 2) == "1"
    finish()
    assert (stored().figures, stored().claimed_until) == ("2", None)


def test_others_write_while_figures_are_counted(app, figures, finish, slow_count, make_user, rows):
    figures(slow_count)
    assert slow_count.begun.wait(30)
    started = time.monotonic()
    make_user()
    form = app.get("/users/1/edit").forms["record"]
    form["age"] = "30"
    form.submit(status=303)
    assert time.monotonic() - started < 4
    assert [user.age for user in rows(User)] == [30]


def test_counting_cannot_write(figures, finish, stored, caplog):
    figures(lambda connection: connection.execute(text("DELETE FROM posts")).rowcount)
    finish()
    assert stored().figures is None
    assert "the figures of test were not counted" in caplog.text


def test_counting_may_take_longer_than_a_page(short_reading, figures, finish, stored):
    figures(lambda connection: str(connection.execute(text(SLOW[connection.dialect.name])).scalar()))
    finish()
    assert stored().figures is not None


def test_counting_ends_at_its_own_limit(figures, finish, stored, monkeypatch, caplog):
    monkeypatch.setattr(counting, "LONGEST_COUNT_SECONDS", 1)
    figures(lambda connection: str(connection.execute(text(SLOW[connection.dialect.name])).scalar()))
    finish()
    assert stored().figures is None
    assert stored().claimed_until > utcnow()
    [record] = [record for record in caplog.records if record.name == counting.__name__]
    assert (record.levelno, record.exc_info) == (logging.WARNING, None)


def test_a_page_takes_no_connection_of_the_pool_while_figures_are_counted(figures, finish, slow_count, wsgi):
    figures(slow_count)
    assert slow_count.begun.wait(30)
    assert wsgi.registry["dbsession_factory"].kw["bind"].pool.checkedout() == 0
