"""The list shows whom a plain look at every person would, in order, page by page, both ways, with the right count."""

from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from myproject.models import User
from myproject.users.listing import page as listing_page
from myproject.users.listing import rows
from myproject.users.listing.page import Count, count_choices, read_list
from myproject.users.listing.search import CHOICES
from myproject.users.listing.view import read_view
from myproject.users.models import BY_NAME
from myproject.web.pagination import LAST_PAGE

from .oracle import (
    PEOPLE,
    SORTS,
    UTC,
    age_term,
    choice_term,
    in_order,
    joined_term,
    meet,
    ranked,
    terms,
    text_term,
    typed,
)

COLUMN_OF_FIELD = {"role": "role", "active": "active", "posts": "has_posts"}
# As if there were many people, so that each way to find them and to read a page is taken.
LIMITS = {
    "FEW_HITS": st.sampled_from([0, 3, 40, 4000]),
    "MOST_ROWS_IN_ORDER": st.sampled_from([20, 300, 20_000]),
    "SAMPLE_SIZE": st.sampled_from([10, 1000]),
    "COMMON_SHARE": st.sampled_from([0.0, 0.3, 1.0]),
    "USELESS_SHARE": st.sampled_from([0.1, 1.0]),
}
NONE_FEW = {"FEW_HITS": 0, "MOST_ROWS_IN_ORDER": 20, "SAMPLE_SIZE": 1000, "COMMON_SHARE": 1.0, "USELESS_SHARE": 1.0}


@pytest.fixture
def order_of_names(nobody, outside):
    """The ids of PEOPLE, who are stored, and nobody else, in the order that the database gives their names."""
    with outside.begin() as connection:
        connection.execute(insert(User.__table__), PEOPLE)
        return connection.scalars(select(User.__table__.c.id).order_by(*BY_NAME)).all()


def expected_order(people, sort, database, order_of_names):
    """Return the ids of people in the order `sort`; ICU, which compares names on PostgreSQL, has no twin in Python."""
    if sort.removeprefix("-") != "name" or database == "sqlite":
        return in_order(people, sort)
    ids = {person["id"] for person in people}
    found = [number for number in order_of_names if number in ids]
    return found[::-1] if sort.startswith("-") else found


def pages(session, view, size, direction):
    """Return the pages of a view, (Page, Count), from the first on, or from the last back."""
    cursor = None if direction == "next" else LAST_PAGE
    found = [read_list(session, view, UTC, cursor, size=size)]
    while cursor := getattr(found[-1][0], direction):
        found.append(read_list(session, view, UTC, cursor, size=size))
    return found


@settings(
    max_examples=150,
    deadline=None,
    # To shrink a search over a database takes minutes.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    searched=st.lists(terms, min_size=1, max_size=4),
    sort=st.none() | st.sampled_from(SORTS),
    size=st.sampled_from([2, 20, 200]),
    largest=st.sampled_from([10, 200, 10_000]),
    limits=st.fixed_dictionaries(LIMITS),
)
# One kind of members has many before the first of the others who has a b.
@example([(False, choice_term("role", "member")), (False, text_term("text", "b"))], None, 2, 10, NONE_FEW)
# Many have the word, in the order of adding: SQLite reads them off its index of words.
@example([(False, text_term("text", "exa")), (True, text_term("text", "b"))], None, 2, 200, NONE_FEW)
@example([(False, text_term("text", "example"))], "added", 2, 10, NONE_FEW)
# Many have a word of the name that begins so, many others have it elsewhere.
@example([(False, text_term("text", "a")), (False, text_term("text", "k"))], None, 20, 200, NONE_FEW)
@example([(False, text_term("text", "ㄱ")), (True, text_term("email", "b"))], None, 20, 200, NONE_FEW)
# Two ranges, of which one index has each.
@example([(False, age_term(29, 30)), (False, joined_term(1, 1))], "email", 20, 200, NONE_FEW)
@example([(False, age_term(29, 30)), (True, joined_term(1, 1))], "age", 20, 10, NONE_FEW)
# In no kind there is nobody.
@example([(False, choice_term("role", "member")), (True, choice_term("role", "member"))], "name", 2, 10, NONE_FEW)
def test_a_view_lists_and_counts_whom_a_look_at_everybody_finds(
    outside, order_of_names, searched, sort, size, largest, limits
):
    found = meet(searched)
    view = read_view({"q": typed(searched), **({"sort": sort} if sort else {})})
    if view.is_ranked:
        expected = ranked(found, searched)
    else:
        expected = expected_order(found, view.sort, outside.dialect.name, order_of_names)
    size = max(size, len(expected) // 5)
    count = Count(len(found)) if len(found) <= largest else Count(largest, is_exact=False)
    with (
        patch.multiple(rows, **limits),
        patch.object(listing_page, "LARGEST_EXACT_COUNT", largest),
        Session(outside) as session,
    ):
        forward, back = pages(session, view, size, "next"), pages(session, view, size, "previous")
        assert [row.id for page, _count in forward for row in page.rows] == expected
        # The first page is whole and so may repeat some of the second.
        later = [row.id for page, _count in back[:-1][::-1] for row in page.rows]
        assert [row.id for row in back[-1][0].rows] == expected[:size]
        assert later == expected[len(expected) - len(later) :]
        assert len(later) >= len(expected) - size
        assert {told for _page, told in [*forward, *back]} == {count}
        assert read_list(session, view, UTC, size=size, exactly=True)[1] == Count(len(found))
        check_choices(session, view, searched, largest)


def check_choices(session, view, searched, largest):
    """Raise an error unless each choice of the filters tells how many people it would leave."""
    told = count_choices(session, view, UTC)
    others = [term for term in searched if term[1][0].partition(":")[0] not in CHOICES]
    if told is None:
        assert len(meet(others)) > largest
        return
    for field, values in CHOICES.items():
        for value in values:
            number = sum(person[COLUMN_OF_FIELD[field]] == value for person in meet(searched))
            assert told[field][value] == (Count(number) if number <= largest else Count(largest, is_exact=False))
