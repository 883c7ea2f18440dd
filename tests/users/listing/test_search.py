"""What the search understands, says that it did not, and finds: what a plain look at every person would."""

import datetime
import random
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert
from sqlalchemy.orm import Session

from myproject.db.folding import fold
from myproject.models import User
from myproject.users.listing import finding
from myproject.users.listing.finding import Finder
from myproject.users.listing.search import END_OF_TIME, LONGEST, MOST_TERMS, Term, parse
from myproject.users.listing.view import ORDERS, read_view
from myproject.web.pagination import read_page


def day(*parts):
    """Return the first moment of a day in UTC."""
    return datetime.datetime(*parts, tzinfo=datetime.UTC)


UNDERSTOOD = {
    "": [],
    "  \t\n ": [],
    "Kim": [("text", "kim")],
    "josé ＫＩＭ": [("text", "jose"), ("text", "kim")],
    "kim KIM ｋｉｍ": [("text", "kim")],
    "a": [("text", "a")],
    '"van  der" berg': [("text", "van der"), ("text", "berg")],
    "“van der”": [("text", "van der")],
    '"van der': [("text", "van der")],
    'a"b c"d': [("text", "a"), ("text", "b c"), ("text", "d")],
    '""': [],
    '"': [],
    "-": [("text", "-")],
    "--": [("text", "-", True)],
    "-test": [("text", "test", True)],
    '-"van der"': [("text", "van der", True)],
    "jean-luc": [("text", "jean-luc")],
    "email:@Example": [("email", "@example")],
    "-email:example": [("email", "example", True)],
    "이메일:example": [("email", "example")],
    "name:kim": [("text", "name:kim")],
    "role:": [],
    "kim ROLE: -이메일:": [("text", "kim")],
    '"role:"': [("text", "role:")],
    "email:role:": [("email", "role:")],
    "\ue000": [("text", "\ue000")],
    "글:예": [("posts", {True})],
    "활성:아니요": [("active", {False})],
    "role:admin": [("role", {"admin"})],
    "ROLE:Admin": [("role", {"admin"})],
    "역할:편집자": [("role", {"editor"})],
    '-role:"member"': [("role", {"member"}, True)],
    "active:yes posts:no": [("active", {True}), ("posts", {False})],
    "활동:아니요 게시물:예": [("active", {False}), ("posts", {True})],
    "age:30": [("age", (30, 30))],
    "나이:30-40": [("age", (30, 40))],
    "age:30- -age:-40": [("age", (30, None)), ("age", (None, 40), True)],
    "age:0-150": [("age", (0, 150))],
    "joined:2026": [("joined", (day(2026, 1, 1), day(2027, 1, 1)))],
    "joined:9999-12-31": [("joined", (day(9999, 12, 31), END_OF_TIME))],
    "joined:2026-12": [("joined", (day(2026, 12, 1), day(2027, 1, 1)))],
    "가입:2024-02-29": [("joined", (day(2024, 2, 29), day(2024, 3, 1)))],
    "joined:2025..2026-01-31": [("joined", (day(2025, 1, 1), day(2026, 2, 1)))],
    "joined:2025.. joined:..2025": [("joined", (day(2025, 1, 1), None)), ("joined", (None, day(2026, 1, 1)))],
    "a\0b\nc": [("text", "a"), ("text", "b"), ("text", "c")],
    "% _ * \\ ' / ^": [("text", mark) for mark in "%_*\\'/^"],
    "a AND b OR NOT (c) <-> d:*": [("text", text) for text in ["a", "and", "b", "or", "not", "(c)", "<->", "d:*"]],
}


@pytest.mark.parametrize("text", UNDERSTOOD)
def test_a_search_is_understood_without_a_note(text):
    terms, notes = parse(text)
    assert [(term.field, term.value, term.excluded) for term in terms] == [
        (field, value if isinstance(value, str | tuple) else frozenset(value), bool(excluded))
        for field, value, *excluded in UNDERSTOOD[text]
    ]
    assert notes == ()


MISREAD = {
    "age:90-10": "Nobody is from 90 to 10 years old. Is 10 to 90 meant?",
    "age:old": "“old” is not an age: age:30 or age:30-40 is.",
    "age:-": "“-” is not an age: age:30 or age:30-40 is.",
    "age:1-2-3": "“1-2-3” is not an age: age:30 or age:30-40 is.",
    "age:３０": "“３０” is not an age: age:30 or age:30-40 is.",
    "age:151": "An age is a whole number from 0 to 150, not “151”.",
    "joined:2026-13": "“2026-13” is not in the calendar.",
    "joined:2026-02-30": "“2026-02-30” is not in the calendar.",
    "joined:0000": "“0000” is not in the calendar.",
    "joined:20260131": "“20260131” is not a date: joined:2026-01 or joined:2025..2026-01-31 is.",
    "joined:2026-01-312027": "“2026-01-312027” is not a date: joined:2026-01 or joined:2025..2026-01-31 is.",
    "age:1000": "“1000” is not an age: age:30 or age:30-40 is.",
    "joined:yesterday": "“yesterday” is not a date: joined:2026-01 or joined:2025..2026-01-31 is.",
    "joined:..": "“..” is not a date: joined:2026-01 or joined:2025..2026-01-31 is.",
    "joined:2026..2025": "2026 to 2025 has no day. Is 2025 to 2026 meant?",
    "role:boss": "“boss” is no role: role:member, role:editor or role:admin is.",
    "active:maybe": "“maybe” is neither yes nor no: active:yes or active:no is.",
    "posts:1": "“1” is neither yes nor no: posts:yes or posts:no is.",
}


@pytest.mark.parametrize("text", MISREAD)
def test_what_cannot_be_meant_is_noted_and_the_rest_is_searched_for(text):
    terms, notes = parse(f"kim {text}")
    assert [term.value for term in terms] == ["kim"]
    assert [note.interpolate() for note in notes] == [MISREAD[text]]


def test_of_a_long_search_the_beginning_is_searched_for():
    terms, notes = parse("a" * 10_000)
    assert [term.value for term in terms] == ["a" * LONGEST]
    assert [note.interpolate() for note in notes] == ["Only the first 400 characters were searched for."]


def test_of_many_words_the_first_are_searched_for():
    terms, notes = parse(" ".join(f"{number:x}" for number in range(100)))
    assert len(terms) == MOST_TERMS
    assert [note.interpolate() for note in notes] == ["Only the first 20 words were searched for."]


def test_a_term_is_kept_as_it_was_typed():
    assert [term.source for term in parse('Kim -"Van der" ROLE:admin')[0]] == ["Kim", '-"Van der"', "ROLE:admin"]


def test_the_last_day_of_a_term_is_in_it():
    (term,), _notes = parse("joined:2026-01")
    assert term.last_day.date() == datetime.date(2026, 1, 31)
    assert Term("joined", (day(2026, 1, 1), None)).last_day is None


@settings(max_examples=500)
@given(st.text() | st.text('-:".0129 aâge김ﬀole\u0301role:age:joined:', max_size=40))
@example("age:" + "9" * 5000)
@example("joined:" + "9" * 5000)
def test_whatever_is_typed_is_read(text):
    terms, _notes = parse(text)
    assert len(terms) <= MOST_TERMS
    assert all(term.value and term.source for term in terms)
    assert parse(" ".join(term.source for term in terms))[0] == terms


# A few letters, so that they meet: of every kind that is folded, and those that a LIKE, an FTS5 or a tsquery reads.
LETTERS = [
    "a",
    "b",
    "A",
    "á",
    "a\u0301",
    "Ａ",
    "k",
    "K",
    "ß",
    "s",
    "ς",
    "Σ",
    "김",
    "기",
    "가",
    "ㄱ",
    "철",
    "李",
    "ん",
    "ﬁ",
]
SIGNS = [*"%_*/\\'^(){}&|!<>:-+.,~@😀", " ", "\u3000", "\u0301", "AND", "OR", "NEAR", "NULL", "<->"]
words = st.lists(st.sampled_from(LETTERS) | st.sampled_from(SIGNS), min_size=1, max_size=4).map("".join)


def made_people(number):
    """Return `number` people, dictionaries, of the letters and signs above; many lack an email or an age."""
    chance = random.Random(7)
    people = []
    for one in range(1, number + 1):
        name = "".join(chance.choices([*LETTERS * 3, *SIGNS], k=chance.randint(1, 12)))
        email = "".join(chance.choices("abkKs%_'/*", k=chance.randint(1, 6))) + f"@{one}.example"
        people.append(
            {
                "id": one,
                "name": name[:200],
                "email": email if chance.random() < 0.7 else None,
                "age": chance.choice([None, 0, 1, 29, 30, 31, 150]),
                "role": chance.choice(["member", "member", "member", "editor", "admin"]),
                "active": chance.random() < 0.8,
                "has_posts": chance.random() < 0.3,
                "created_at": day(2025, 12, 30) + datetime.timedelta(hours=chance.randint(0, 100)),
            }
        )
    return people


PEOPLE = made_people(150)


def within(low, value, high):
    """Return whether `value` is between `low` and `high`, each `None` where open."""
    return value is not None and (low is None or low <= value) and (high is None or value <= high)


def text_term(field, word):
    """Return how `word` is typed to be looked for, and the question whether a person has it."""
    bare = word.split() == [word] and not word.startswith("-") and ":" not in word
    folded = " ".join(fold(word).split())

    def has(person):
        places = [(person["email"] or "").lower()] + ([fold(person["name"])] if field == "text" else [])
        return any(folded in place for place in places)

    return ("email:" if field == "email" else "") + (word if bare else f'"{word}"'), folded and has


def age_term(low, high):
    """The same for an age."""
    return f"age:{'' if low is None else low}-{'' if high is None else high}", lambda person: within(
        low, person["age"], high
    )


def joined_term(day_of_month, month):
    """The same for a day, or a month, of the turn of the year."""
    date = datetime.date(2025 + (month == 1), month, day_of_month)
    whole = day_of_month == 15
    typed = f"{date:%Y-%m}" if whole else f"{date:%Y-%m-%d}"

    def has(person):
        joined = person["created_at"].date()
        return (joined.year, joined.month) == (date.year, date.month) if whole else joined == date

    return f"joined:{typed}", has


def of_kind(field, value):
    """The same for a role, for activity and for posts."""
    column = {"posts": "has_posts"}.get(field, field)
    typed = {True: "yes", False: "no"}.get(value, value)
    return f"{field}:{typed}", lambda person: person[column] == value


parts_of_people = st.builds(
    lambda person, start, length: f"{person['name']} {person['email']}"[start:][:length].replace('"', "") or "a",
    st.sampled_from(PEOPLE),
    st.integers(0, 12),
    st.integers(1, 6),
)
ages = st.none() | st.sampled_from([0, 1, 29, 30, 150])
terms = st.tuples(
    st.booleans() | st.just(False),
    st.builds(text_term, st.just("text"), words | parts_of_people)
    | st.builds(text_term, st.sampled_from(["text", "email"]), words | parts_of_people)
    | st.tuples(ages, ages)
    .filter(lambda pair: pair != (None, None) and (None in pair or pair[0] <= pair[1]))
    .map(lambda pair: age_term(*pair))
    | st.builds(joined_term, st.sampled_from([1, 2, 15, 30]), st.sampled_from([1, 12]))
    | st.builds(of_kind, st.just("role"), st.sampled_from(["member", "editor", "admin"]))
    | st.builds(of_kind, st.sampled_from(["active", "posts"]), st.booleans()),
)
SORTS = [sign + order for order in ORDERS for sign in ("", "-")]


@pytest.fixture
def people(nobody, outside):
    """PEOPLE are stored, and nobody else."""
    with outside.begin() as connection:
        connection.execute(insert(User.__table__), PEOPLE)


@pytest.mark.usefixtures("people")
@settings(max_examples=120)
@given(
    searched=st.lists(terms, min_size=1, max_size=3),
    sort=st.none() | st.sampled_from(SORTS),
    size=st.sampled_from([2, 20, 200]),
    few=st.sampled_from([0, 3, 20, 1500]),
    near=st.sampled_from([3, 2000]),
    far=st.sampled_from([20, 20_000]),
)
# Of the kinds of members, one has many before the first of the others who has a b.
@example(
    searched=[(False, of_kind("role", "member")), (False, text_term("text", "b"))],
    sort=None,
    size=2,
    few=0,
    near=3,
    far=20,
)
# Many have the words, in the order of adding: SQLite reads them off its index of trigrams.
@example(
    searched=[(False, text_term("text", "exa")), (True, text_term("text", "b"))],
    sort=None,
    size=2,
    few=0,
    near=3,
    far=20_000,
)
@example(searched=[(False, text_term("text", "exa"))], sort="added", size=2, few=0, near=3, far=20)
def test_a_search_finds_whom_a_look_at_everybody_finds(outside, searched, sort, size, few, near, far):
    typed = " ".join("-" * excluded + text for excluded, (text, _has) in searched)
    asked = [(excluded, has) for excluded, (_text, has) in searched if has]
    expected = {person["id"] for person in PEOPLE if all(has(person) != excluded for excluded, has in asked)}
    view = read_view({"q": typed, **({"sort": sort} if sort else {})})
    # Few and far as if there were many: each way of finding them is gone.
    with patch.multiple(finding, FEW=few, NEAR=near, FAR=far), Session(outside) as session:
        finder = Finder(session, view)
        assert found_by(finder, size) == sorted(expected)
        assert finder.count() == len(expected)
        assert sum(kind[-1] for kind in finder.kinds()) == len(expected)


def found_by(finder, size):
    """Return the ids of all whom `finder` finds, page by page, sorted."""
    ids, cursor = [], None
    while cursor or not ids:
        page = read_page(finder.rows, finder.view.keys, cursor, descending=finder.view.descending, size=size)
        ids += [number for number, *_ in page.rows]
        cursor = page.next
        if not cursor:
            break
    return sorted(ids)
