"""A view is read from an address and written to one, and stays the same."""

from datetime import date
from urllib.parse import parse_qs, parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyramid.httpexceptions import HTTPBadRequest
from webob.multidict import MultiDict

from myproject.users.listing.view import ORDERS, PARAMETERS, read_query, read_start, read_view

from .oracle import UTC, day


def view_of(query=""):
    """Return the View of a query string."""
    return read_view({name: values[0] for name, values in parse_qs(query).items()})


def test_a_list_is_sorted_by_name_and_a_search_lists_the_newest_first():
    queries = ["", "role=admin", "q=age:30", "q=-kim", "q=kim", "q=kim+role:admin", "q=kim&posts=yes"]
    orders = [*["name"] * 3, *["-added"] * 4]
    assert [view_of(query).sort for query in queries] == orders


@pytest.mark.parametrize(
    ("query", "text", "narrowed"),
    [
        ("q=kim&role=admin&sort=-age", "lee", "q=kim+lee&role=admin&sort=-age"),
        ("sort=name", "lee", "sort=name&q=lee"),
        ("q=kim", "", "q=kim"),
        # The words before an address in angle brackets would be taken for a name.
        ("q=kim", "Ada <ada@example.com>", "q=Ada+%3Cada%40example.com%3E+kim"),
        ("q=%3Cada%40example.com%3E", "kim", "q=%3Cada%40example.com%3E+kim"),
    ],
)
def test_a_view_is_narrowed_by_another_search(query, text, narrowed):
    view = view_of(query).narrowed(text)
    assert view.values == view_of(narrowed).values
    assert {term.typed for term in view.terms} >= {term.typed for term in view_of(query).terms}


@pytest.mark.parametrize("order", ORDERS)
def test_every_column_sorts_both_ways(order):
    assert (view_of(f"sort={order}").order, view_of(f"sort={order}").descending) == (order, False)
    assert (view_of(f"q=kim&sort=-{order}").order, view_of(f"q=kim&sort=-{order}").descending) == (order, True)


@pytest.mark.parametrize("sort", ["id", "password_hash", "--name", "name,age", "name desc", "-", "Name", "1", "名"])
def test_an_unknown_column_or_direction_is_refused(sort):
    with pytest.raises(HTTPBadRequest, match="Choose one of the columns"):
        view_of(urlencode({"sort": sort}))


@pytest.mark.parametrize("query", ["role=boss", "role=Admin", "active=true", "posts=1", "role=%00", "active=편집자"])
def test_an_unknown_value_of_a_filter_is_refused(query):
    with pytest.raises(HTTPBadRequest, match="Choose one of the filters"):
        view_of(query)


def test_filters_are_the_same_terms_as_typed_ones():
    filtered = view_of("role=admin&active=no&posts=yes&age_from=30&age_to=40&joined_from=2025&joined_to=2026-01-31")
    typed = view_of(urlencode({"q": "role:admin active:no posts:yes age:30-40 joined:2025..2026-01-31"}))
    assert [(term.field, term.value) for term in filtered.terms] == [(term.field, term.value) for term in typed.terms]


def test_a_filter_may_be_open_at_one_end():
    assert [term.value for term in view_of("age_from=30&joined_to=2025-12").terms] == [
        (30, None),
        (None, date(2025, 12, 31)),
    ]


@pytest.mark.parametrize(
    ("query", "note"),
    [
        (
            "age_from=90&age_to=10",
            "The age range 90 to 10 is reversed and was ignored. Did you mean 10 to 90?",
        ),
        ("age_from=old", "“old” is not an age and was ignored. Use a whole number from 0 to 150."),
        ("age_to=-1", "“-1” is not an age and was ignored. Use a whole number from 0 to 150."),
        ("joined_from=2026-13", "“2026-13” is not a date and was ignored. Use a date like 2026-01-31."),
        (
            "joined_from=2026&joined_to=2025",
            "The date range 2026 to 2025 is reversed and was ignored. Did you mean 2025 to 2026?",
        ),
    ],
)
def test_a_filter_without_meaning_is_noted_and_ignored(query, note):
    view = view_of(f"role=admin&{query}")
    assert [term.field for term in view.terms] == ["role"]
    assert [text.interpolate() for text in view.notes] == [note]


def test_other_parameters_are_no_part_of_a_view():
    assert view_of("q=+kim+&cursor=x&panel=filters&count=exact&from=b&page=7&role=+").query == "q=kim"


def test_one_parameter_changes_and_the_others_stay():
    view = view_of("q=kim&role=admin&sort=-age")
    assert parse_qsl(view.query_with(sort="name")) == [("q", "kim"), ("role", "admin"), ("sort", "name")]
    assert parse_qsl(view.query_with(role=None, active="yes")) == [("q", "kim"), ("sort", "-age"), ("active", "yes")]
    assert parse_qsl(view.query_from("나"))[-2:] == [("from", "나"), ("panel", "places")]
    assert view.query == "q=kim&role=admin&sort=-age"


def test_removing_a_term_leaves_the_others_as_typed():
    view = view_of(urlencode({"q": 'Kim -"Van der" AGE:30', "role": "admin", "age_from": "20", "age_to": "40"}))
    left = [parse_qs(view.query_without(term)) for term in view.terms]
    assert [query["q"][0] for query in left] == ['-"Van der" AGE:30', "Kim AGE:30", 'Kim -"Van der"', *[view.q] * 2]
    assert [query.keys() - {"q"} for query in left] == [
        *[{"role", "age_from", "age_to"}] * 3,
        {"age_from", "age_to"},
        {"role"},
    ]


def test_removing_a_term_before_an_address_leaves_the_words_before_it():
    view = view_of(urlencode({"q": "minsu role:admin Kim <a@example.com>"}))
    left = read_query(view.query_without(view.terms[1]))
    assert {term.value for term in left.terms} == {"minsu", "a@example.com"}


def test_removing_the_only_term_leaves_everybody():
    view = view_of("q=kim")
    assert view.query_without(view.terms[0]) == ""


@pytest.mark.parametrize(
    ("q", "allowed"),
    [
        ("kim", {"member", "editor", "admin"}),
        ("role:admin", {"admin"}),
        ("-role:admin", {"member", "editor"}),
        ("role:admin role:editor", set()),
        ("-role:admin -role:editor role:member", {"member"}),
    ],
)
def test_all_terms_together_decide_the_allowed_roles(q, allowed):
    assert view_of(urlencode({"q": q})).allowed("role") == allowed


PLACES = {
    ("sort=name", " Kím "): " kim",
    ("sort=-name", "k"): " k\U0010ffff",
    ("sort=email", "K\0"): "k",
    ("sort=-name", "기"): " \u1100\u1175\U0010ffff",
    ("sort=age", "30"): 30,
    ("sort=-age", "30"): 30,
    ("sort=joined", "2026-01"): day(2026, 1, 1),
}


@pytest.mark.parametrize(("query", "text"), PLACES)
def test_a_place_is_read_as_a_value_of_the_first_key(query, text):
    assert read_start(view_of(query), text, UTC) == (PLACES[query, text], None)


def test_a_list_of_the_newest_first_opens_at_the_end_of_a_day():
    start, _note = read_start(view_of("sort=-joined"), "2026-01-31", UTC)
    assert start.isoformat() == "2026-01-31T23:59:59.999999+00:00"


@pytest.mark.parametrize(
    ("query", "text", "note"),
    [
        ("sort=age", "old", "“old” is not an age and was ignored. Use a whole number from 0 to 150."),
        ("sort=joined", "2026-13", "“2026-13” is not a date and was ignored. Use a date like 2026-01-31."),
        ("sort=role", "a", "To jump to a place in the list, sort it by name, email, age or date joined."),
    ],
)
def test_an_invalid_place_is_noted(query, text, note):
    start, said = read_start(view_of(query), text, UTC)
    assert (start, said.interpolate()) == (None, note)


typed = st.text() | st.sampled_from(["", " ", "admin", "yes", "no", "30", "2026-01", "kim role:admin -age:30", "-age"])


@given(st.dictionaries(st.sampled_from([*PARAMETERS, "cursor", "from", "x"]), typed))
def test_any_view_is_read_again_from_its_own_address(parameters):
    try:
        view = read_view(parameters)
    except HTTPBadRequest:
        return
    again = read_view(MultiDict(parse_qsl(view.query)))
    assert (again, again.notes, again.sort, again.query) == (view, view.notes, view.sort, view.query)
    assert [term.source for term in again.terms] == [term.source for term in view.terms]


@given(st.text().filter(str.strip), st.sampled_from([*ORDERS]), st.booleans())
def test_any_text_is_a_place_or_a_note(text, order, descending):
    start, note = read_start(read_view({"sort": "-" * descending + order}), text, UTC)
    assert (start is None) == (note is not None)
