"""Lists by pages: every row once and in order, whatever happens meanwhile, and no cursor that breaks them."""

import base64
import itertools
import json
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyramid.httpexceptions import HTTPBadRequest
from sqlalchemy import select
from sqlalchemy.orm import Session

from myproject.models import Post, User
from myproject.pagination import page_of
from myproject.users.models import BY_NAME
from tests import signed_in

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
    """The users of `NAMES`, stored; their ids, and the administrator's, in the order of the list."""
    insert(outside, users, [{"name": name} for name in NAMES])
    names = [signed_in.NAME, *NAMES]
    return sorted(range(61), key=lambda number: (names[number].lower(), number))


def test_going_on_to_the_end_shows_every_user_once_in_order(app, crowd):
    pages = walk(app.get("/users"), "next")
    assert [len(ids(page)) for page in pages] == [25, 25, 11]
    assert list(itertools.chain(*map(ids, pages))) == crowd


def test_going_back_from_the_end_shows_every_user_once_in_order(app, crowd):
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
    assert [bool(page.html.find("a", string="First page")) for page in pages] == [False, True, True]
    assert pages[2].click("First page").request.path_qs == "/users"


@pytest.mark.parametrize(("count", "sizes"), [(2, [2]), (24, [24]), (25, [25]), (26, [25, 1]), (50, [25, 25])])
def test_a_page_holds_25(app, outside, count, sizes):
    # The administrator is one of them.
    insert(outside, users, [{"name": f"John {number}"} for number in range(1, count)])
    assert [len(ids(page)) for page in walk(app.get("/users"), "next")] == sizes


def test_users_are_sorted_by_name_without_regard_to_case_and_then_by_id(app, make_user):
    for name in ["bob", "Ada", "ada", "BOB", "Zoe", "carl"]:
        make_user(name)
    assert ids(app.get("/users")) == [2, 3, 1, 4, 6, 0, 5]


def test_a_list_of_nobody_else_has_one_page(app):
    page = app.get("/users")
    page.mustcontain("1 user")
    assert (ids(page), link(page, "next"), link(page, "prev")) == ([0], None, None)


def test_a_list_of_nothing_has_one_page(app):
    page = app.get("/posts")
    page.mustcontain("Nothing has been written yet.", "0 posts")
    assert (ids(page), link(page, "next"), link(page, "prev")) == ([], None, None)


def test_rows_added_meanwhile_neither_repeat_nor_skip_the_others(app, outside, crowd):
    page, seen = app.get("/users"), []
    for name in ["!first", "John Doe", "zz-last"]:
        seen += ids(page)
        insert(outside, users, [{"name": name}] * 3)
        page = go(page, "next") if link(page, "next") else None
    assert [number for number in seen if number in crowd] == crowd


def test_rows_deleted_meanwhile_neither_repeat_nor_skip_the_others(app, outside, crowd):
    first = app.get("/users")
    # Some of the page shown, the row that its cursor names among them, and some of the next page.
    with outside.begin() as connection:
        connection.execute(users.delete().where(users.c.id.in_(crowd[20:30])))
    later = walk(go(first, "next"), "next")
    assert list(itertools.chain(*map(ids, later))) == crowd[30:]


def test_going_back_over_rows_deleted_meanwhile_shows_a_whole_first_page(app, outside, crowd):
    second = go(app.get("/users"), "next")
    with outside.begin() as connection:
        connection.execute(users.delete().where(users.c.id.in_(crowd[:20])))
    assert ids(go(second, "prev")) == crowd[20:45]


@pytest.mark.usefixtures("crowd")
def test_a_page_emptied_meanwhile_says_so_and_leads_to_the_first(app, outside):
    second = go(app.get("/users"), "next")
    with outside.begin() as connection:
        connection.execute(users.delete().where(users.c.id.in_(ids(go(second, "next")))))
    third = go(second, "next")
    third.mustcontain("no more users on this side of the list")
    assert third.click("First page").status_int == 200


@pytest.mark.parametrize("direction", ["next", "prev"])
def test_a_list_emptied_meanwhile_says_that_nothing_is_there(app, outside, make_user, direction):
    insert(outside, posts, [{"title": "Hello", "body": "…", "author_id": make_user().id}] * 60)
    second = go(app.get("/posts"), "next")
    with outside.begin() as connection:
        connection.execute(posts.delete())
    go(second, direction).mustcontain("Nothing has been written yet.")


def test_posts_stand_newest_first(app, outside, make_user):
    author = make_user()
    insert(outside, posts, [{"title": f"Post {n}", "body": "…", "author_id": author.id} for n in range(60)])
    pages = walk(app.get("/posts"), "next")
    assert [ids(page) for page in pages] == [list(range(60, 35, -1)), list(range(35, 10, -1)), list(range(10, 0, -1))]
    assert ids(go(pages[1], "prev")) == ids(pages[0])


def test_posts_written_meanwhile_do_not_move_the_next_page(app, outside, make_user):
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
    "NUL inside": encode(["after", "a", 1])[:4] + "\0" + encode(["after", "a", 1])[4:],
    "a lot": "x" * 10_000,
    "base64 of junk": base64.urlsafe_b64encode(b"\xff\xfe\x00junk").decode(),
    "base64 of nothing": "====",
    "cut short": encode(["after", "John Doe", 1])[:-6],
    "no JSON": encode("[after"),
    "a number": encode(1),
    "a text": encode('"after"'),
    "null": encode("null"),
    "an object": encode({"side": "after"}),
    "an object of keys": encode({"after": 1, "b": 2, "c": 3}),
    "an empty list": encode([]),
    "no row": encode(["after"]),
    "half a row": encode(["after", "a"]),
    "too much": encode(["after", "a", 1, 1]),
    "no side": encode(["a", 1]),
    "another side": encode(["beside", "a", 1]),
    "a list for a side": encode([["after"], "a", 1]),
    "null for a side": encode([None, "a", 1]),
    "types swapped": encode(["after", 1, "a"]),
    "a text for a number": encode(["after", "a", "1"]),
    "a fraction": encode(["after", "a", 1.0]),
    "a boolean for a number": encode(["after", "a", True]),
    "a boolean for a text": encode(["after", False, 1]),
    "nulls": encode(["after", None, None]),
    "lists": encode(["after", ["a"], [1]]),
    "not a number": encode('["after", "a", NaN]'),
    "infinity": encode('["after", "a", Infinity]'),
    "an exponent": encode('["after", "a", 1e999]'),
    "more than 64 bits": encode(["after", "a", 2**63]),
    "less than 64 bits": encode(["after", "a", -(2**63)]),
    "a huge number": encode('["after", "a", ' + "9" * 5000 + "]"),
    "NUL in a name": encode(["after", "a\0", 1]),
    "lone surrogate": encode(["after", "\ud800", 1]),
    "surrogates in the wrong order": encode('["after", "\\udc00\\ud800", 1]'),
    "a deep list": encode("[" * 100_000),
    "a deep list closed": encode('["after",' + "[" * 100_000 + "]" * 100_000 + ",1]"),
    "a deep object": encode('["after",' + '{"a":' * 100_000),
    "comments": encode('["after", "a", 1] // here'),
    "two values": encode('["after", "a", 1]["after", "a", 1]'),
    "a byte order mark": encode('\ufeff["after", "a", 1]'),
    "a script": encode(["after", "<script>", "1; DROP TABLE users"]),
}


def test_a_cursor_that_is_none_of_ours_is_refused_with_a_page(app, make_user, subtests):
    make_user()
    for what, cursor in BAD_CURSORS.items():
        with subtests.test(what):
            page = app.get("/users", {"cursor": cursor}, status=400)
            page.mustcontain("Start from its first page.", "To the users")


def test_a_cursor_of_another_list_is_refused_with_a_page(app, make_post, subtests):
    make_post()
    for value in (["after", "a", 1], ["after", "1"], ["after", True], ["after", 2**63]):
        with subtests.test(value):
            page = app.get("/posts", {"cursor": encode(value)}, status=400)
            page.mustcontain("Start from its first page.", "To the users")


def test_a_cursor_sent_twice_or_unreadable_is_refused_with_a_page(app, subtests):
    for query in ("cursor=x&cursor=y", "cursor=&cursor=", "cursor=%ff", "cursor=%ED%A0%80"):
        with subtests.test(query):
            app.get(f"/users?{query}", status=400).mustcontain("<nav", "<h1>", "To the users")


def test_an_empty_cursor_is_the_first_page(app, make_user):
    user = make_user()
    assert ids(app.get("/users", {"cursor": ""})) == [user.id, 0]


def test_a_cursor_may_name_a_row_that_is_not_there(app, crowd):
    below, above = encode(["after", " ", -(2**31) + 1]), encode(["before", "\U0010ffff" * 200, 2**31 - 1])
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
def test_whatever_the_names_every_row_comes_once_in_order_and_back(outside, names, size):
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


@bounded
@given(cursor=st.text(st.characters(exclude_categories=["Cs"])))
def test_whatever_text_comes_as_a_cursor_there_is_a_page(app, cursor):
    app.get("/users?" + urlencode({"cursor": cursor}), status=[200, 400]).mustcontain("<nav", "<h1>")


@bounded
@given(value=st.lists(st.sampled_from(["after", "before"]) | json_values, max_size=4) | json_values)
@example(value=["after", "", 0])
@example(value=["before", "a", -1])
def test_whatever_json_comes_as_a_cursor_there_is_a_page(app, value):
    cursor = encode(json.dumps(value))
    app.get("/users", {"cursor": cursor}, status=[200, 400]).mustcontain("<nav", "<h1>")


def test_only_a_bad_request_is_raised():
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
