"""The text of a search: what it means, and the notes on what was not understood."""

from datetime import date

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from myproject.users.listing.search import LONGEST_SEARCH, MOST_TERMS, parse

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
    '"name:kim"': [("text", "name:kim")],
    "12:30": [("text", "12:30")],
    "role: admin": [("role", {"admin"})],
    "-role: admin": [("role", {"admin"}, True)],
    "role: age:30": [("age", (30, 30))],
    "email: example": [("email", "example")],
    "Minsu Kim <minsu.kim@example.com>": [("email", "minsu.kim@example.com")],
    '"Kim, Minsu (Seoul)" <minsu.kim@example.com>, ada': [("email", "minsu.kim@example.com"), ("text", "ada")],
    "<minsu.kim@example.com>;": [("email", "minsu.kim@example.com")],
    "(minsu.kim@example.com),": [("text", "minsu.kim@example.com")],
    "mailto:minsu.kim@example.com": [("email", "minsu.kim@example.com")],
    "mailto:minsu.kim@example.com?subject=a": [("email", "minsu.kim@example.com")],
    "Kim <mailto:minsu.kim@example.com>": [("email", "minsu.kim@example.com")],
    "[MAILTO:minsu.kim@example.com]": [("text", "minsu.kim@example.com")],
    "＜minsu.kim＠example.com＞": [("email", "minsu.kim@example.com")],
    "E-Mail : ‘minsu.kim@example.com’.": [("email", "minsu.kim@example.com")],
    "-<minsu.kim@example.com>": [("text", "minsu.kim@example.com", True)],
    "- Ada <ada@example.com>": [("email", "ada@example.com")],
    "-test Ada <ada@example.com>": [("text", "test", True), ("email", "ada@example.com")],
    "Kim, Minsu": [("text", "kim"), ("text", "minsu")],
    "김철수、 ada；": [("text", "\u1100\u1175\u11b7\u110e\u1165\u11af\u1109\u116e"), ("text", "ada")],
    "„van der“ «den berg» ＂te a＂": [("text", "van der"), ("text", "den berg"), ("text", "te a")],
    "role：admin 역할 : 편집자": [("role", {"admin"}), ("role", {"editor"})],
    "Kim : 3": [("text", "kim"), ("text", ":"), ("text", "3")],
    "age:30–40 나이:３０": [("age", (30, 40)), ("age", (30, 30))],
    "joined:2024–02": [("joined", (date(2024, 2, 1), date(2024, 2, 29)))],
    "\u200bkim\ufeff": [("text", "kim")],
    "O’Connor": [("text", "o'connor")],
    "Łukasz": [("text", "lukasz")],
    "ㄳ": [("text", "\u1100\u1109")],
    "ㄱㅊㅅ": [("text", "\u1100\u110e\u1109")],
    "role:": [],
    "kim ROLE: -이메일:": [("text", "kim")],
    '"role:"': [("text", "role:")],
    "email:role:": [("email", "role:")],
    "\ue000": [("text", "\ue000")],
    "글:예": [("posts", {True})],
    "게시글:예": [("posts", {True})],
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
    "joined:2026": [("joined", (date(2026, 1, 1), date(2026, 12, 31)))],
    "joined:9999-12-31": [("joined", (date(9999, 12, 31), date(9999, 12, 31)))],
    "joined:9999": [("joined", (date(9999, 1, 1), date(9999, 12, 31)))],
    "joined:2024-02": [("joined", (date(2024, 2, 1), date(2024, 2, 29)))],
    "joined:2026-12": [("joined", (date(2026, 12, 1), date(2026, 12, 31)))],
    "가입:2024-02-29": [("joined", (date(2024, 2, 29), date(2024, 2, 29)))],
    "joined:2025..2026-01-31": [("joined", (date(2025, 1, 1), date(2026, 1, 31)))],
    "joined:2025.. joined:..2025": [("joined", (date(2025, 1, 1), None)), ("joined", (None, date(2025, 12, 31)))],
    "a\0b\nc": [("text", "a"), ("text", "b"), ("text", "c")],
    "% _ * \\ ' / ^": [("text", mark) for mark in "%_*\\'/^"],
    "a AND b OR NOT (c) <-> *": [("text", text) for text in ["a", "and", "b", "or", "not", "(c)", "<->", "*"]],
}


@pytest.mark.parametrize("text", UNDERSTOOD)
def test_a_search_has_its_terms_and_no_note(text):
    terms, notes = parse(text)
    assert [(term.field, term.value, term.excluded) for term in terms] == [
        (field, value if isinstance(value, str | tuple) else frozenset(value), bool(excluded))
        for field, value, *excluded in UNDERSTOOD[text]
    ]
    assert notes == ()


MISREAD = {
    "age:90-10": "The age range 90 to 10 is reversed and was ignored. Did you mean 10 to 90?",
    "age:old": "“old” is not an age and was ignored. Use age:30 or age:30-40.",
    "age:-": "“-” is not an age and was ignored. Use age:30 or age:30-40.",
    "age:1-2-3": "“1-2-3” is not an age and was ignored. Use age:30 or age:30-40.",
    "age:151": "“151” is not an age and was ignored. Use a whole number from 0 to 150.",
    "joined:2026-13": "“2026-13” is not a date and was ignored. Use a date like 2026-01-31.",
    "joined:2026-02-30": "“2026-02-30” is not a date and was ignored. Use a date like 2026-01-31.",
    "joined:0000": "“0000” is not a date and was ignored. Use a date like 2026-01-31.",
    "joined:20260131": "“20260131” is not a date and was ignored. Use joined:2026-01 or joined:2025..2026-01-31.",
    "joined:2026-1-3127": "“2026-1-3127” is not a date and was ignored. Use joined:2026-01 or joined:2025..2026-01-31.",
    "age:1000": "“1000” is not an age and was ignored. Use age:30 or age:30-40.",
    "joined:yesterday": "“yesterday” is not a date and was ignored. Use joined:2026-01 or joined:2025..2026-01-31.",
    "joined:..": "“..” is not a date and was ignored. Use joined:2026-01 or joined:2025..2026-01-31.",
    "joined:2026..2025": "The date range 2026 to 2025 is reversed and was ignored. Did you mean 2025 to 2026?",
    "name:ada": "“name:” was ignored. Leave out the colon, or use email:, role:, age:, joined:, active: or posts:.",
    "role:boss": "Unknown role “boss” was ignored. Use role:member, role:editor or role:admin.",
    "active:maybe": "Unknown value “maybe” was ignored. Use active:yes or active:no.",
    "posts:1": "Unknown value “1” was ignored. Use posts:yes or posts:no.",
}


@pytest.mark.parametrize("text", MISREAD)
def test_a_term_without_meaning_is_noted_and_the_others_remain(text):
    terms, notes = parse(f"kim {text}")
    assert [term.value for term in terms] == ["kim"]
    assert [note.interpolate() for note in notes] == [MISREAD[text]]


@pytest.mark.parametrize(
    ("text", "count"),
    [("a@b.c, d@e.f", 1), ("A <a@b.c>; D <d@e.f>", 1), ("a@b.c A@B.C", 0), ("a@b.c -d@e.f", 0), ("kim@ @b.c", 0)],
)
def test_several_emails_are_noted(text, count):
    assert [note.interpolate() for note in parse(text)[1]] == [
        "No user has several emails. Search for one at a time."
    ] * count


def test_only_the_beginning_of_a_long_search_is_read():
    terms, notes = parse("a" * 10_000)
    assert [term.value for term in terms] == ["a" * LONGEST_SEARCH]
    assert [note.interpolate() for note in notes] == [
        "This search is too long. Only the first 400 characters were used."
    ]


def test_a_search_of_400_characters_is_read_as_a_whole():
    terms, notes = parse("a" * 398 + " b")
    assert ([term.value for term in terms], notes) == (["a" * 398, "b"], ())


def test_only_the_first_of_many_words_are_read():
    terms, notes = parse(" ".join(f"{number:x}" for number in range(100)))
    assert len(terms) == MOST_TERMS
    assert [note.interpolate() for note in notes] == ["This search has too many words. Only the first 20 were used."]


def test_a_term_keeps_its_source():
    assert [term.source for term in parse('Kim -"Van der" ROLE:admin')[0]] == ["Kim", '-"Van der"', "ROLE:admin"]


@settings(max_examples=500, deadline=None)
@given(st.text() | st.text('-:"：.0129 aâge김ﬀole\u0301role:age:joined:', max_size=40))
@example("age:" + "9" * 5000)
@example("joined:" + "9" * 5000)
@example('0: A:0"0')
@example(",:")
def test_any_text_is_parsed_and_its_terms_parse_again(text):
    terms, _notes = parse(text)
    assert len(terms) <= MOST_TERMS
    assert all(term.value and term.source for term in terms)
    assert parse(" ".join(term.source for term in terms))[0] == terms
