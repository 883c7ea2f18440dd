"""How many there are is exact where that is cheap or asked for, says so where it is not, and is never wrong."""

from unittest.mock import patch

import pytest
from sqlalchemy import event, insert
from sqlalchemy.orm import Session

from myproject.models import User
from myproject.users.listing import counting, finding
from myproject.users.listing.counting import Count, choices, count, rounded
from myproject.users.listing.finding import Finder
from myproject.users.listing.view import read_view
from myproject.web.pagination import EVERYTHING, read_page
from tests import sqlite_only
from tests.users.listing.test_search import PEOPLE

pytestmark = pytest.mark.usefixtures("nobody")
VIEWS = [
    {},
    {"q": "a"},
    {"q": "zzz"},
    {"q": "exa mpl"},
    {"q": "role:admin"},
    {"q": "-role:admin"},
    {"q": "age:30-"},
    {"q": "-age:30"},
    {"q": "a age:29-31 active:yes"},
    {"role": "member", "posts": "no"},
    {"joined_from": "2026-01"},
]


@pytest.fixture
def session(outside):
    """A Session over PEOPLE."""
    with outside.begin() as connection:
        connection.execute(insert(User.__table__), PEOPLE)
    with Session(outside) as session:
        yield session


def few(monkeypatch, **limits):
    """Let the limits of counting and finding be other ones, as if there were many people."""
    for name, limit in limits.items():
        monkeypatch.setattr(counting if hasattr(counting, name) else finding, name, limit)


def counted(session, parameters, size=5, **options):
    """Return the Count beside the first page of a view, and that page."""
    view = read_view(parameters)
    finder = Finder(session, view)
    page = read_page(finder.rows, view.keys, descending=view.descending, size=size)
    return count(finder, page, **options), page


def test_a_count_that_is_asked_for_is_exact(session, monkeypatch, subtests):
    few(monkeypatch, FEW=3, NEAR=20, FAR=20, MOST=10)
    for parameters in VIEWS:
        with subtests.test(parameters):
            finder = Finder(session, read_view(parameters))
            everybody = finder.rows(EVERYTHING, True, 1000)
            assert counted(session, parameters, exactly=True)[0] == Count(len(everybody))


@pytest.mark.parametrize(
    "limits",
    [{}, {"FEW": 3, "MOST": 10}, {"MOST": 10}, {"FEW": 30, "NEAR": 20, "FAR": 20, "MOST": 100}],
)
def test_a_count_never_says_what_is_not_so(session, monkeypatch, subtests, limits):
    few(monkeypatch, **limits)
    for parameters in VIEWS:
        with subtests.test(parameters):
            told, page = counted(session, parameters)
            exactly = Finder(session, read_view(parameters)).count()
            assert told.number == exactly if told.how == "exact" else len(page.rows) <= told.number < exactly


def test_few_are_counted(session, subtests):
    for parameters in VIEWS:
        if parameters.get("q", "")[:1] not in ("-", "a", "e"):
            with subtests.test(parameters):
                assert counted(session, parameters)[0].how == "exact"


def test_all_who_stand_on_the_only_page_are_counted(session, monkeypatch):
    few(monkeypatch, FEW=0, MOST=0)
    assert counted(session, {"q": "a"}, size=200)[0].how == "exact"


def test_nobody_is_nobody(session, monkeypatch):
    few(monkeypatch, FEW=0, NEAR=5, FAR=5, MOST=0)
    assert counted(session, {"q": "a b k s 김 李 zq"})[0] == Count(0)


@pytest.mark.parametrize(
    ("parameters", "size"), [({"role": "editor", "sort": "email"}, 5), ({"q": "age:30-"}, 5), ({}, 200)]
)
def test_who_were_counted_by_the_way_are_not_counted_again(session, parameters, size):
    finder = Finder(session, read_view(parameters))
    page = read_page(finder.rows, finder.view.keys, descending=finder.view.descending, size=size)
    with patch.object(finder, "connection"):
        told = count(finder, page)
    assert told == Count(finder.all) == Count(finder.count())


COUNTED_BY_INDEX = ["role:admin", "-role:admin", "age:30-", "joined:2026-01", "age:30- active:yes -role:editor"]


@pytest.mark.parametrize("q", COUNTED_BY_INDEX)
def test_whether_there_are_more_than_so_many_is_read_off_an_index(session, q):
    finder = Finder(session, read_view({"q": q}))
    number = finder.count()
    assert [finder.up_to(most) for most in (number - 1, number, number + 1)] == [number, number, number]


@pytest.mark.parametrize("q", ["a", "-a", "-age:30", "age:30 joined:2026", "role:admin a"])
def test_where_no_index_counts_them_nobody_knows_whether_there_are_more(session, q):
    assert Finder(session, read_view({"q": q})).up_to(1) is None


def test_many_are_more_than_were_counted(session, monkeypatch):
    few(monkeypatch, FEW=3, MOST=10)
    assert counted(session, {"q": "age:30-"})[0] == Count(10, "more")
    assert counted(session, {"role": "member", "joined_from": "2026"})[0] == Count(10, "more")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_many_of_a_kind_are_more_than_postgresql_has_counted(session, monkeypatch):
    few(monkeypatch, FEW=3, MOST=10)
    assert counted(session, {})[0] == Count(10, "more")
    assert counted(session, {"role": "member"})[0] == Count(10, "more")
    few(monkeypatch, FEW=0, MOST_OF_KIND=5)
    assert choices(session, read_view({}))["role"]["member"] == Count(5, "more")


def test_few_of_whom_a_look_at_the_nearest_promised_many_are_counted(session, monkeypatch):
    few(monkeypatch, NEAR=5)
    assert counted(session, {"q": "exa"})[0] == Count(Finder(session, read_view({"q": "exa"})).count())


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("q", ["", "role:member", "-role:admin active:yes", "role:admin role:member", "posts:no"])
def test_sqlite_keeps_count_of_each_kind(session, monkeypatch, q):
    exactly = counted(session, {"q": q}, size=200)[0]
    few(monkeypatch, FEW=3, MOST=10)
    assert counted(session, {"q": q}, size=1)[0] == exactly == Count(Finder(session, read_view({"q": q})).count())


def test_of_many_words_no_more_is_told_than_is_on_the_page(session, monkeypatch):
    few(monkeypatch, FEW=3, MOST=10)
    assert counted(session, {"q": "example -zzz"})[0] == Count(5, "more")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_postgresql_says_about_how_many_there_are(session, monkeypatch):
    few(monkeypatch, FEW=3, MOST=10, ESTIMATED_FROM=20)
    session.connection().exec_driver_sql("ANALYZE users")
    assert counted(session, {})[0] == Count(150, "about")


@pytest.mark.parametrize(("number", "about"), [(0, 0), (7, 7), (99, 99), (2049, 2000), (98_765, 99_000)])
def test_an_estimate_is_told_in_two_digits(number, about):
    assert rounded(number) == about


@pytest.mark.parametrize("limits", [{}, {"FEW": 0}])
def test_a_choice_tells_how_many_it_would_leave(session, monkeypatch, subtests, limits):
    few(monkeypatch, **limits)
    typed = {"q": "role:member"}, {"q": "-role:member", "role": "admin"}
    for parameters in ({}, {"role": "admin"}, {"age_from": "30"}, {"joined_from": "2026", "active": "no"}, *typed):
        for field, value in {"role": "editor", "active": "yes", "posts": "no"}.items():
            with subtests.test(parameters, field=field):
                told = choices(session, read_view(parameters))[field]
                left = Finder(session, read_view({**parameters, field: value})).count()
                assert told[{"yes": True, "no": False}.get(value, value)] == Count(left)


def test_a_choice_among_many_tells_that_they_are_more(session, monkeypatch):
    few(monkeypatch, FEW=0, MOST_OF_KIND=5)
    assert choices(session, read_view({"age_from": "0"}))["role"]["member"] == Count(5, "more")


def test_choices_among_many_who_are_searched_for_are_not_counted(session, monkeypatch):
    few(monkeypatch, FEW=0)
    assert [choices(session, read_view({"q": q})) for q in ("a", "-age:30", "age:30 joined:2026")] == [None] * 3


def test_no_count_looks_at_more_people_than_so_many(session, monkeypatch):
    few(monkeypatch, FEW=3, NEAR=20, FAR=20, MOST=10)
    statements = []
    event.listen(session.get_bind(), "before_cursor_execute", lambda *given: statements.append(given[2]))
    for parameters in VIEWS:
        page = counted(session, parameters)[1]
        del statements[:]
        count(Finder(session, read_view(parameters)), page)
        bounded = ("LIMIT", "json_each", "ANY")
        assert [text for text in statements if "count(" in text and not any(map(text.__contains__, bounded))] == []


@pytest.mark.parametrize("parameters", [{"q": "ki"}, {"q": "zz"}])
def test_a_page_that_begins_elsewhere_is_not_taken_for_a_part_of_more(session, monkeypatch, parameters):
    few(monkeypatch, FEW=0)
    view = read_view({**parameters, "sort": "name"})
    finder = Finder(session, view)
    page = finder.page(start="b")
    assert count(finder, page) == Count(Finder(session, view).count())


@sqlite_only
def test_among_few_people_every_count_is_exact(session, monkeypatch, subtests):
    few(monkeypatch, NEAR=2, FAR=2, MOST=2)
    for parameters in VIEWS:
        with subtests.test(parameters):
            told, _page = counted(session, parameters)
            assert told == Count(Finder(session, read_view(parameters)).count())


def test_a_later_page_tells_of_no_fewer_than_the_first(session, monkeypatch):
    few(monkeypatch, FEW=0)
    finder = Finder(session, read_view({"q": "-zzz"}))
    first = finder.page(size=50)
    later = finder.page(first.next, size=50)
    assert [count(finder, page, size=50) for page in (first, later)] == [Count(50, "more")] * 2
