"""Pages of a list: every row once and in order, also when rows change between two pages; no cursor breaks them."""

import base64
import datetime
import itertools
import json
import re
import zlib
from unittest.mock import patch
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyramid.httpexceptions import HTTPBadRequest
from sqlalchemy import select
from sqlalchemy.orm import Session

from myproject.models import Post, User
from myproject.users.listing import rows as listing_rows
from myproject.users.listing.criteria import criteria_of
from myproject.users.listing.page import read_list
from myproject.users.listing.view import ORDERS, read_view
from myproject.users.models import BY_NAME
from myproject.web.pagination import LAST_PAGE, in_order, page_of, read_page
from tests.users.listing.oracle import UTC

users, posts = User.__table__, Post.__table__

# Sixty users beside the administrator: many of one name, some whose names differ in case only, some that a query or an
# address could misread.
NAMES = [
    *["John Doe", "Ada", "O'Neil", "김철수", "100%"] * 5,
    *[
        "ada",
        "ADA",
        "o'neil",
        '"quoted"',
        "'quoted'",
        "(none)",
        "100% ",
        "<b>bold</b>",
        "Ada Lovelace",
        "_",
        "[x]",
        "%",
    ],
    *[
        "김철수 ",
        "李",
        "👩‍👩‍👧",
        "😀",
        "é",
        "e\u0301",
        "a&b=c",
        "a+b",
        "?cursor=x",
        "#",
        "${name}",
        "\\",
        "~",
        "zoe",
        "Zoe",
    ],
    *[f"John {number}" for number in range(8)],
]


@pytest.fixture
def crowd(outside):
    """The users of `NAMES`, stored; their ids, and the administrator's, in the order that the database gives them."""
    insert(outside, users, [{"name": name} for name in NAMES])
    with outside.connect() as connection:
        return connection.scalars(select(users.c.id).order_by(users.c.search_text, users.c.id)).all()


def test_next_shows_every_user_once_in_order(app, crowd):
    pages = walk(app.get("/users"), "next")
    assert [len(ids(page)) for page in pages] == [25, 25, 11]
    assert list(itertools.chain(*map(ids, pages))) == crowd


def test_previous_from_the_end_shows_every_user_in_order(app, crowd):
    last = walk(app.get("/users"), "next")[-1]
    pages = walk(last, "prev")[::-1]
    # The first page is whole, and so shows again some of the second.
    assert ids(pages[0]) == crowd[:25]
    assert [*crowd[:25], *ids(pages[1]), *ids(pages[2])] == crowd


@pytest.mark.usefixtures("crowd")
def test_the_first_page_has_no_previous_and_the_last_no_next(app):
    pages = walk(app.get("/users"), "next")
    assert [link(page, "prev") is None for page in pages] == [True, False, False]
    assert [link(page, "next") is None for page in pages] == [False, False, True]


def test_previous_from_the_second_page_gives_the_whole_first(app, crowd):
    second = go(app.get("/users"), "next")
    assert ids(go(second, "prev")) == crowd[:25]


@pytest.mark.usefixtures("crowd")
def test_every_page_but_the_first_leads_to_the_first(app):
    pages = walk(app.get("/users"), "next")
    assert [bool(page.html.find("a", string=re.compile("First page"))) for page in pages] == [False, True, True]
    assert pages[2].click("First page").request.path_qs == "/users"


@pytest.mark.usefixtures("crowd")
def test_each_page_has_the_links_that_lead_on_from_it(app):
    back, on = ["First page", "Previous"], ["Next", "Last page"]
    assert [buttons(page) for page in walk(app.get("/users"), "next")] == [on, back + on, back]
    assert buttons(app.get("/users").click("Last page")) == back
    assert buttons(app.get("/users?q=Zoe")) == []


@pytest.mark.parametrize(("count", "sizes"), [(2, [2]), (24, [24]), (25, [25]), (26, [25, 1]), (50, [25, 25])])
def test_a_page_has_25_rows(app, outside, count, sizes):
    # The administrator is one of them.
    insert(outside, users, [{"name": f"John {number}"} for number in range(1, count)])
    assert [len(ids(page)) for page in walk(app.get("/users"), "next")] == sizes


def test_users_are_sorted_by_name_without_regard_to_case_and_then_by_id(app, make_user):
    for name in ["bob", "Ada", "ada", "BOB", "Zoe", "carl"]:
        make_user(name)
    assert ids(app.get("/users")) == [2, 3, 1, 4, 6, 0, 5]


def test_names_are_in_alphabetical_order_latin_before_korean(app, outside, make_user):
    names = ["힣", "zoe", "김철수", "élan", "가나", "Ada", "ｂob", "나라", "eva", "강"]
    made = {make_user(name).id: name for name in names}
    shown = [made[number] for number in ids(app.get("/users")) if number]
    assert shown == ["Ada", "ｂob", "élan", "eva", "zoe", "가나", "강", "김철수", "나라", "힣"]


def test_the_last_page_is_full_and_leads_back(app, crowd):
    last = app.get("/users").click("Last page")
    assert (ids(last), link(last, "next")) == (crowd[-25:], None)
    assert ids(go(last, "prev")) == crowd[-50:-25]
    assert ids(go(go(last, "prev"), "next")) == crowd[-25:]


def test_the_other_direction_is_the_same_list_backwards(app, crowd):
    pages = walk(app.get("/users?sort=-name"), "next")
    assert list(itertools.chain(*map(ids, pages))) == crowd[::-1]


def test_a_list_of_one_user_has_one_page(app):
    page = app.get("/users")
    page.mustcontain("1 user")
    assert (ids(page), link(page, "next"), link(page, "prev")) == ([0], None, None)


def test_an_empty_list_has_one_page(app):
    page = app.get("/posts")
    page.mustcontain("No posts yet.", "0 posts")
    assert (ids(page), link(page, "next"), link(page, "prev")) == ([], None, None)


def test_rows_added_between_pages_repeat_and_skip_nobody(app, outside, crowd):
    page, seen = app.get("/users"), []
    for name in ["!first", "John Doe", "zz-last"]:
        seen += ids(page)
        insert(outside, users, [{"name": name}] * 3)
        page = go(page, "next") if link(page, "next") else None
    assert [number for number in seen if number in crowd] == crowd


def test_rows_deleted_between_pages_repeat_and_skip_nobody(app, outside, crowd):
    first = app.get("/users")
    # Some of the page shown, the row that its cursor names among them, and some of the next page.
    with outside.begin() as connection:
        connection.execute(users.delete().where(users.c.id.in_(crowd[20:30])))
    later = walk(go(first, "next"), "next")
    assert list(itertools.chain(*map(ids, later))) == crowd[30:]


def test_previous_over_deleted_rows_shows_a_full_first_page(app, outside, crowd):
    second = go(app.get("/users"), "next")
    with outside.begin() as connection:
        connection.execute(users.delete().where(users.c.id.in_(crowd[:20])))
    assert ids(go(second, "prev")) == crowd[20:45]


@pytest.mark.usefixtures("crowd")
def test_an_emptied_page_says_so_and_leads_to_the_first(app, outside):
    insert(outside, users, [{"name": "힣"}] * 25)
    *_pages, last_but_one, last = walk(app.get("/users"), "next")
    with outside.begin() as connection:
        connection.execute(users.delete().where(users.c.id.in_(ids(last))))
    emptied = go(last_but_one, "next")
    emptied.mustcontain("No more users to show")
    assert emptied.click("First page").status_int == 200


def test_the_last_page_of_an_empty_search_says_that_nobody_was_found(app):
    page = app.get("/users?q=zzqx&cursor=last")
    page.mustcontain("No users found.")
    assert page.html.select(".pager") == []


@pytest.mark.parametrize("descending", [False, True])
def test_the_seeks_of_a_cursor_give_all_rows_beyond_it_once_in_order(outside, crowd, descending):
    in_turn = crowd[::-1] if descending else crowd
    with Session(outside) as session:

        def read(condition, ascending, limit):
            rows = select(users.c.id, *BY_NAME).order_by(*in_order(BY_NAME, ascending))
            return [row for seek in condition.seeks for row in session.execute(rows.where(*seek))][:limit]

        forth = [read_page(read, BY_NAME, descending=descending, size=4)]
        while forth[-1].next:
            forth.append(read_page(read, BY_NAME, forth[-1].next, descending=descending, size=4))
        back = [read_page(read, BY_NAME, LAST_PAGE, descending=descending, size=1)]
        while back[-1].previous:
            back.append(read_page(read, BY_NAME, back[-1].previous, descending=descending, size=1))
    assert [number for page in forth for number, *_ in page.rows] == in_turn
    assert [number for page in back for number, *_ in page.rows] == in_turn[::-1]


@pytest.mark.usefixtures("crowd")
def test_page_of_returns_entities_and_read_list_returns_columns(outside):
    with Session(outside) as session:
        users_shown = page_of(session, select(User), BY_NAME, size=3).rows
        shown = read_list(session, read_view({}), UTC, size=3)[0].rows
        columns = ("id", "name", "email", "age", "role", "active", "created_at")
        assert [row[: len(columns)] for row in shown] == [
            tuple(getattr(user, name) for name in columns) for user in users_shown
        ]


@pytest.mark.parametrize("direction", ["next", "prev"])
def test_an_emptied_list_says_that_it_is_empty(app, outside, make_user, direction):
    insert(outside, posts, [{"title": "Hello", "body": "…", "author_id": make_user().id}] * 60)
    second = go(app.get("/posts"), "next")
    with outside.begin() as connection:
        connection.execute(posts.delete())
    go(second, direction).mustcontain("No posts yet.")


def test_posts_are_listed_newest_first(app, outside, make_user):
    author = make_user()
    insert(outside, posts, [{"title": f"Post {n}", "body": "…", "author_id": author.id} for n in range(60)])
    pages = walk(app.get("/posts"), "next")
    assert [ids(page) for page in pages] == [list(range(60, 35, -1)), list(range(35, 10, -1)), list(range(10, 0, -1))]
    assert ids(go(pages[1], "prev")) == ids(pages[0])


def test_new_posts_do_not_move_the_next_page(app, outside, make_user):
    post = {"title": "Hello", "body": "…", "author_id": make_user().id}
    insert(outside, posts, [post] * 60)
    first = app.get("/posts")
    insert(outside, posts, [post] * 10)
    assert ids(go(first, "next")) == list(range(35, 10, -1))


def encode(value):
    """Return a cursor over any JSON value, as one who knows the format would forge it."""
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


BAD_CURSORS = {
    "one letter": "x",
    "per cents": "%%%",
    "spaces": "   ",
    "Korean": "김",
    "NUL": "\0",
    "NUL inside": encode([0, "after", "a", 1])[:4] + "\0" + encode([0, "after", "a", 1])[4:],
    "a lot": "x" * 10_000,
    "base64 of junk": base64.urlsafe_b64encode(b"\xff\xfe\x00junk").decode(),
    "base64 of nothing": "====",
    "cut short": encode([0, "after", "John Doe", 1])[:-6],
    "no JSON": encode("[after"),
    "a number": encode(1),
    "a text": encode('"after"'),
    "null": encode("null"),
    "an object": encode({"side": "after"}),
    "an object of keys": encode({"after": 1, "b": 2, "c": 3}),
    "an empty list": encode([]),
    "no mark": encode(["after", "a", 1]),
    "another mark": encode([1, "after", "a", 1]),
    "a text for a mark": encode(["0", "after", "a", 1]),
    "null for a mark": encode([None, "after", "a", 1]),
    "no row": encode([0, "after"]),
    "half a row": encode([0, "after", "a"]),
    "too much": encode([0, "after", "a", 1, 1]),
    "no side": encode([0, "a", 1]),
    "another side": encode([0, "beside", "a", 1]),
    "a list for a side": encode([0, ["after"], "a", 1]),
    "null for a side": encode([0, None, "a", 1]),
    "types swapped": encode([0, "after", 1, "a"]),
    "a text for a number": encode([0, "after", "a", "1"]),
    "a fraction": encode([0, "after", "a", 1.0]),
    "a boolean for a number": encode([0, "after", "a", True]),
    "a boolean for a text": encode([0, "after", False, 1]),
    "nulls": encode([0, "after", None, None]),
    "lists": encode([0, "after", ["a"], [1]]),
    "not a number": encode('[0,"after", "a", NaN]'),
    "infinity": encode('[0,"after", "a", Infinity]'),
    "an exponent": encode('[0,"after", "a", 1e999]'),
    "more than 64 bits": encode([0, "after", "a", 2**63]),
    "less than 64 bits": encode([0, "after", "a", -(2**63)]),
    "a huge number": encode('[0,"after", "a", ' + "9" * 5000 + "]"),
    "NUL in a name": encode([0, "after", "a\0", 1]),
    "lone surrogate": encode([0, "after", "\ud800", 1]),
    "surrogates in the wrong order": encode('[0,"after", "\\udc00\\ud800", 1]'),
    "a deep list": encode("[" * 100_000),
    "a deep list closed": encode('[0,"after",' + "[" * 100_000 + "]" * 100_000 + ",1]"),
    "a deep object": encode('[0,"after",' + '{"a":' * 100_000),
    "comments": encode('[0,"after", "a", 1] // here'),
    "two values": encode('[0,"after", "a", 1][0, "after", "a", 1]'),
    "a byte order mark": encode('\ufeff[0,"after", "a", 1]'),
    "a script": encode([0, "after", "<script>", "1; DROP TABLE users"]),
}


def test_an_invalid_cursor_is_refused_with_a_page(app, make_user, subtests):
    make_user()
    for what, cursor in BAD_CURSORS.items():
        with subtests.test(what):
            page = app.get("/users", {"cursor": cursor}, status=400)
            page.mustcontain("Start again from the first page.", "Back to users")


def test_a_cursor_of_another_list_is_refused_with_a_page(app, make_post, subtests):
    make_post()
    for value in ([0, "after", "a", 1], [0, "after", "1"], [0, "after", True], [0, "after", 2**63]):
        with subtests.test(value):
            page = app.get("/posts", {"cursor": encode(value)}, status=400)
            page.mustcontain("Start again from the first page.", "Back to users")


@pytest.mark.usefixtures("crowd")
def test_a_cursor_of_another_order_or_another_search_is_refused_with_a_page(app, subtests):
    cursor = link(app.get("/users?q=o&sort=name"), "next").rpartition("cursor=")[2]
    app.get(f"/users?q=o&sort=name&cursor={cursor}", status=200)
    for query in ("", "q=o", "q=o&sort=-name", "q=o&sort=email", "q=d&sort=name", "q=o&sort=name&role=member"):
        with subtests.test(query):
            page = app.get(f"/users?{query}&cursor={cursor}", status=400)
            page.mustcontain("Start again from the first page.", "Back to users")


BAD_EDGES = {
    "joined": [
        "",
        "2026",
        "now",
        "2026-01-01T00:00:00",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        1,
        None,
    ],
    "age": ["30", None, True, 1.5, 2**63, -(2**63), 10**400],
    "active": [1, "true", None],
    "role": [1, None, "\0", "\ud800"],
}


def test_a_forged_cursor_of_any_order_is_refused_with_a_page(app, subtests):
    for order, edges in BAD_EDGES.items():
        for edge in edges:
            with subtests.test(order, edge=edge):
                cursor = encode([zlib.crc32(f"sort={order}".encode()), "after", edge, 1])
                page = app.get(f"/users?sort={order}&cursor={cursor}", status=400)
                page.mustcontain("Start again from the first page.")


OPENED = {
    "sort=name&from=J": ["Jo", "Kim", "Zoe"],
    "sort=-name&from=J": ["Jo", "Ada"],
    "sort=name&from=나": ["나라"],
    "sort=email&from=b@": ["Kim", "Zoe"],
    "sort=age&from=30": ["Kim", "Zoe"],
    "sort=-age&from=30": ["Kim", "Jo", "Ada"],
    "sort=joined&from=2025-06": ["Jo", "Kim"],
    "sort=-joined&from=2025-06-15": ["Jo", "Ada"],
}


@pytest.mark.parametrize("query", OPENED)
def test_a_list_opens_at_a_place_with_all_before_it_on_the_previous_pages(app, outside, query):
    days = [datetime.datetime(2025, month, 15, tzinfo=datetime.UTC) for month in (1, 6, 7)]
    named = zip(["Ada", "Jo", "Kim"], ["a@a.example", "b", "b@b.example"], [18, 20, 30], days, strict=True)
    for name, email, age, joined in named:
        values = {"name": name, "email": email if "@" in email else None, "age": age, "created_at": joined}
        insert(outside, users, [values])
    older = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
    insert(outside, users, [{"name": "Zoe", "email": "z@z.example", "age": 40, "created_at": older}])
    insert(outside, users, [{"name": "나라", "created_at": older}])
    page = app.get("/users", dict(parse_qsl(query)))
    names = [row.text for row in page.html.select("tbody th a")]
    assert [name for name in names if name in OPENED[query]] == OPENED[query]
    assert names[0] == OPENED[query][0]
    assert names[0] in go(page, "prev").text


def test_a_descending_list_opened_at_a_letter_has_all_that_begin_with_it(app, make_user):
    for name in ["k", "k😀", "k𠮷", "k\U0010fffd", "khz", "k힣", "l"]:
        make_user(name)
    page = app.get("/users?sort=-name&from=k")
    assert {row.text for row in page.html.select("tbody th a")} == {"k", "k😀", "k𠮷", "k\U0010fffd", "khz", "k힣"}


def test_an_invalid_place_is_noted_and_the_list_opens_at_its_start(app, crowd):
    page = app.get("/users", {"sort": "age", "from": "old"})
    assert (
        page.html.select_one(".note").text == "“old” is not an age and was ignored. Use a whole number from 0 to 150."
    )
    assert len(ids(page)) == 25
    assert link(page, "prev") is None


def test_a_cursor_sent_twice_or_unreadable_is_refused_with_a_page(app, subtests):
    for query in ("cursor=x&cursor=y", "cursor=&cursor=", "cursor=%ff", "cursor=%ED%A0%80"):
        with subtests.test(query):
            app.get(f"/users?{query}", status=400).mustcontain("<nav", "<h1>", "Back to users")


def test_an_empty_cursor_is_the_first_page(app, make_user):
    user = make_user()
    assert ids(app.get("/users", {"cursor": ""})) == [user.id, 0]


def test_a_cursor_may_name_a_row_that_does_not_exist(app, crowd):
    below, above = encode([0, "after", " ", -(2**31) + 1]), encode([0, "before", "\U0010ffff" * 200, 2**31 - 1])
    assert ids(app.get("/users", {"cursor": below})) == crowd[:25]
    assert ids(app.get("/users", {"cursor": above})) == crowd[-25:]


# One application, or one database, for all examples of a test.
bounded = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=4)
)


@bounded
@given(names=st.lists(texts, min_size=1, max_size=12), size=st.integers(1, 4))
@example(names=["a", "A", "a", "B"], size=1)
def test_any_names_are_listed_once_in_order_both_ways(outside, names, size):
    with Session(outside) as session:
        session.add_all(User(name=name) for name in names)
        session.flush()
        whole = session.scalars(select(User.id).order_by(*BY_NAME)).all()
        forth = pages_of(session, size, "next")
        back = pages_of(session, size, "previous", forth[-1].previous)
        assert [row.id for page in forth for row in page.rows] == whole
        assert [row.id for row in back[-1].rows] == whole[:size]
        assert [row.id for page in back[:-1] for row in reversed(page.rows)] == whole[size : (len(forth) - 1) * size][
            ::-1
        ]


letters = st.text("abB ákKㄱ김가%", min_size=1, max_size=3).filter(str.strip)
people = st.builds(
    dict,
    name=letters,
    age=st.sampled_from([None, 20, 30]),
    role=st.sampled_from(["member", "member", "admin"]),
    active=st.booleans(),
    has_posts=st.booleans(),
    created_at=st.integers(0, 3).map(lambda day: datetime.datetime(2026, 1, 1 + day, tzinfo=datetime.UTC)),
)
orders = st.sampled_from([sign + order for order in ORDERS for sign in ("", "-")])
searches = st.sampled_from(
    ["a", "-b", "k b", "example", "exa -a", "김", "ㄱ", "role:member", "age:20-", "-age:20 b", "joined:2026 posts:no"]
)
views = st.fixed_dictionaries({"sort": orders}, optional={"q": searches, "role": st.just("member")}).map(read_view)
changes = st.lists(people | st.integers(1, 20), max_size=8)


@settings(bounded, max_examples=250)
@given(
    views,
    st.lists(people, min_size=1, max_size=14),
    changes,
    st.integers(1, 4),
    st.sampled_from([3, 1500]),
    st.sampled_from([12, 20_000]),
)
def test_whatever_changes_between_pages_users_who_stay_are_listed_once_in_order(
    outside, view, present, happening, size, few, far
):
    for direction in ("next", "previous"):
        with patch.multiple(listing_rows, FEW_HITS=few, MOST_ROWS_IN_ORDER=far), Session(outside) as session:
            session.execute(
                users.insert(), [{"id": number, **with_email(one, number)} for number, one in enumerate(present, 1)]
            )
            before, shown = listed(session, view), []
            for page in turned(session, view, size, direction, happening):
                again = shown[-size:] if direction == "previous" and page.previous is None else []
                numbers = [number for number, *_ in page.rows]
                shown += [number for number in numbers[:: 1 if direction == "next" else -1] if number not in again]
            after = listed(session, view)
            stayed = [number for number in after if number in before]
            assert [number for number in shown if number in stayed] == stayed[:: 1 if direction == "next" else -1]
            assert len(shown) == len(set(shown))


def turned(session, view, size, direction, happening):
    """Yield the pages of a view from one end to the other; after each, something happens to the rows."""
    cursor, happening = {"next": None, "previous": "last"}[direction], iter(enumerate(happening, 100))
    while True:
        page, _count = read_list(session, view, UTC, cursor, size=size)
        yield page
        number, change = next(happening, (None, None))
        if isinstance(change, int):
            session.execute(users.delete().where(users.c.id == change))
        elif change:
            session.execute(users.insert(), [{"id": number, **with_email(change, number)}])
        cursor = getattr(page, direction)
        if not cursor:
            return


def with_email(person, number):
    """Return `person`, a dictionary, with an address, or without one."""
    return {**person, "email": f"{person['name'][0]}{number}@example.com" if number % 3 else None}


def listed(session, view):
    """Return the ids of all in a view, in its order, by one plain SELECT."""
    rows = select(users.c.id).where(*criteria_of(view, UTC).conditions)
    return session.scalars(rows.where(users.c.id > 0).order_by(*in_order(view.keys, not view.descending))).all()


@bounded
@given(cursor=st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_as_a_cursor_gets_a_page(app, cursor):
    app.get("/users?" + urlencode({"cursor": cursor}), status=[200, 400]).mustcontain("<nav", "<h1>")


@bounded
@given(value=st.lists(st.sampled_from([0, "after", "before"]) | json_values, max_size=4) | json_values)
@example(value=[0, "after", "", 0])
@example(value=[0, "before", "a", -1])
def test_any_json_as_a_cursor_gets_a_page(app, value):
    cursor = encode(json.dumps(value))
    app.get("/users", {"cursor": cursor}, status=[200, 400]).mustcontain("<nav", "<h1>")


def test_an_invalid_cursor_raises_a_bad_request():
    with pytest.raises(HTTPBadRequest):
        page_of(None, select(User), [User.id], "x")


def pages_of(session, size, direction, cursor=None):
    """Return the pages from `cursor` on to the end in a direction, `next` or `previous`."""
    pages = [page_of(session, select(User), BY_NAME, cursor, size=size)]
    while getattr(pages[-1], direction):
        pages.append(page_of(session, select(User), BY_NAME, getattr(pages[-1], direction), size=size))
    return pages


def insert(engine, table, rows):
    """Store rows, dictionaries, by one statement."""
    with engine.begin() as connection:
        connection.execute(table.insert(), rows)


def buttons(page):
    """Return the buttons that lead to other pages."""
    return [button.text.strip("⇤← →⇥") for button in page.html.select("nav.pager a")]


def link(page, direction):
    """Return the address of the next or previous page, `rel` as in HTML, or `None`."""
    found = page.html.find("a", rel=direction)
    return found and found["href"]


def go(page, direction):
    """Return the next or previous page."""
    return page.goto(link(page, direction))


def walk(page, direction):
    """Return `page` and all that follow it in a direction."""
    pages = [page]
    while link(pages[-1], direction):
        pages.append(go(pages[-1], direction))
    return pages


def ids(page):
    """Return the ids of the rows that a list shows."""
    return [int(row["href"].rsplit("/", 1)[1]) for row in page.html.select("tbody th a")]
