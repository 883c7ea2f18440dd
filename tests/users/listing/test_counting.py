"""A count is exact up to its limit or on demand, "more than" the limit beyond it, and the same on both databases."""

import pytest
from sqlalchemy import insert
from sqlalchemy.orm import Session

from myproject.models import User
from myproject.users.listing import page as listing_page
from myproject.users.listing import rows
from myproject.users.listing.page import Count, count_choices, read_list
from myproject.users.listing.view import read_view

from .oracle import FEW_PEOPLE, UTC

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
    """A Session over FEW_PEOPLE."""
    with outside.begin() as connection:
        connection.execute(insert(User.__table__), FEW_PEOPLE)
    with Session(outside) as session:
        yield session


@pytest.fixture
def count(session):
    """Call `count(parameters)`: return the Count of a view, as beside its first page."""
    return lambda parameters, **options: read_list(session, read_view(parameters), UTC, **options)[1]


def number_of(session, parameters):
    """Return how many users are on the only page of a view."""
    return len(read_list(session, read_view(parameters), UTC, size=1000)[0].rows)


def set_limit(monkeypatch, largest, few_hits=4000):
    """Let counts be exact up to `largest` only, and hits few up to `few_hits`."""
    monkeypatch.setattr(listing_page, "LARGEST_EXACT_COUNT", largest)
    monkeypatch.setattr(rows, "FEW_HITS", few_hits)


def test_a_count_up_to_the_limit_is_exact(session, count, subtests):
    for parameters in VIEWS:
        with subtests.test(parameters):
            assert count(parameters) == Count(number_of(session, parameters))


@pytest.mark.parametrize("few_hits", [3, 4000])
def test_a_count_on_demand_is_exact(session, count, monkeypatch, subtests, few_hits):
    set_limit(monkeypatch, 10, few_hits)
    for parameters in VIEWS:
        with subtests.test(parameters):
            assert count(parameters, exactly=True) == Count(number_of(session, parameters))


@pytest.mark.parametrize("few_hits", [3, 4000])
def test_a_count_beyond_the_limit_is_more_than_it(session, count, monkeypatch, subtests, few_hits):
    for parameters in VIEWS:
        number = number_of(session, parameters)
        for limit, is_exact in ((number - 1, False), (number, True), (number + 1, True)):
            with subtests.test(parameters, limit=limit):
                set_limit(monkeypatch, limit, few_hits)
                if number:
                    assert count(parameters) == (Count(number) if is_exact else Count(limit, is_exact=False))


def test_the_count_is_the_same_on_every_page(session, monkeypatch, subtests):
    set_limit(monkeypatch, 10, 3)
    for parameters in VIEWS:
        with subtests.test(parameters):
            view = read_view({**parameters, "sort": "name"})
            first, count = read_list(session, view, UTC)
            places = [{"cursor": "last"}, {"start": "b"}, *([{"cursor": first.next}] if first.next else [])]
            assert [read_list(session, view, UTC, **place)[1] for place in places] == [count] * len(places)


def test_no_count_reads_more_users_than_its_limit(recorded, count, monkeypatch):
    set_limit(monkeypatch, 10, 3)
    with recorded() as record:
        for parameters in VIEWS:
            count(parameters)
    assert [sql for sql in record.sql if "count(" in sql and "LIMIT" not in sql] == []


@pytest.mark.parametrize("limits", [{}, {"FEW_HITS": 0, "COMMON_SHARE": 0}, {"FEW_HITS": 0, "COMMON_SHARE": 1}])
def test_a_choice_tells_how_many_users_it_would_leave(session, monkeypatch, subtests, limits):
    for name, limit in limits.items():
        monkeypatch.setattr(rows, name, limit)
    typed = {"q": "role:member"}, {"q": "-role:member", "role": "admin"}, {"q": "a"}, {"q": "-age:30 joined:2026"}
    for parameters in ({}, {"role": "admin"}, {"age_from": "30"}, {"joined_from": "2026", "active": "no"}, *typed):
        for field, value in {"role": "editor", "active": "yes", "posts": "no"}.items():
            with subtests.test(parameters, field=field):
                choices = count_choices(session, read_view(parameters), UTC)[field]
                left = number_of(session, {**parameters, field: value})
                assert choices[{"yes": True, "no": False}.get(value, value)] == Count(left)


def test_a_choice_of_many_users_tells_that_they_are_more(session, monkeypatch):
    set_limit(monkeypatch, 5)
    for parameters in ({}, {"age_from": "0"}, {"q": "joined:2025-12"}):
        assert count_choices(session, read_view(parameters), UTC)["role"]["member"] == Count(5, is_exact=False)


@pytest.mark.parametrize("q", ["a", "-age:30", "age:0-150 joined:2026"])
def test_choices_are_not_counted_for_many_users_without_an_index(session, monkeypatch, q):
    assert count_choices(session, read_view({"q": q}), UTC) is not None
    set_limit(monkeypatch, 5)
    assert count_choices(session, read_view({"q": q}), UTC) is None
