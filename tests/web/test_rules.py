"""The rules of values: each text is turned into a value, or refused with a message."""

import time
from functools import partial

import pytest

from myproject.users.fields import parse_email
from myproject.web.rules import (
    Invalid,
    parse_boolean,
    parse_choice,
    parse_line,
    parse_prose,
    parse_whole_number,
    required,
)

LINE = partial(parse_line, length=5)
LONG = partial(parse_line, length=300)
PROSE = partial(parse_prose, length=5)
NUMBER = partial(parse_whole_number, lowest=-3, highest=12)
CHOICE = partial(parse_choice, choices={"a": "A", "b": "B"})


@pytest.mark.parametrize(
    ("rule", "text", "value"),
    [
        (LINE, " a b ", "a b"),
        (LINE, "\u3000\u200b", None),
        (LINE, "12345", "12345"),
        (LINE, "👩‍👧", "👩‍👧"),
        (LONG, "محمد", "محمد"),
        (LONG, "דָּנִי", "דָּנִי"),
        (LONG, "\u200fאב\u200e", "\u200fאב\u200e"),
        (LONG, "ệ", "ệ"),
        (LONG, "ก็้", "ก็้"),
        (LONG, "e" + "\u0301" * 4, "e" + "\u0301" * 4),
        (LONG, "👁️‍🗨️", "👁️‍🗨️"),
        *[(LINE, f"a{space}b", "a b") for space in ["\t", "\n", "\v", "\f", "\r", "\x1e", "\x85", "\u2028", "\u2029"]],
        *[(PROSE, f"a{end}b", "a\nb") for end in ["\r\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029"]],
        *[(LINE, blank, None) for blank in ["\ufe0f", "\u034f", "\u2800", "\u3164", "\u115f"]],
        *[(LINE, f"a{blank}b", "a b") for blank in ["\u2800", "\u3164", "\uffa0"]],
        (NUMBER, "\u200e12\u200b", 12),
        *[(parse_email, f"a@b.c{unseen}", "a@b.c") for unseen in "\ufe0f\u034f\u2800\u3164\u200e\x1f"],
        (PROSE, "a\r\nb\n", "a\nb"),
        (PROSE, "\ta\tb", "a\tb"),
        (NUMBER, " 12 ", 12),
        (NUMBER, "-3", -3),
        (NUMBER, "007", 7),
        (NUMBER, " ", None),
        (CHOICE, "b", "b"),
        (parse_boolean, "Yes", True),
        (parse_boolean, "", False),
        (required(LINE), "a", "a"),
        (required(NUMBER), "0", 0),
    ],
)
def test_a_valid_text_has_a_value(rule, text, value):
    assert rule(text) == value


@pytest.mark.parametrize(
    ("rule", "text", "message"),
    [
        (LINE, "123456", "Enter at most 5 characters."),
        (LINE, "a\x1bb", "Remove the invisible control characters from this field."),
        (PROSE, "a\0b", "Remove the invisible control characters from this field."),
        (LONG, "e" + "\u0301" * 5, "Use at most 4 accents on one letter."),
        (LONG, "e" + "\u0301" * 198, "Use at most 4 accents on one letter."),
        (LONG, "e" + "\u0301\u0301\u200d" * 3, "Use at most 4 accents on one letter."),
        (LONG, "e" + "\u0301\u0301\u0903" * 3, "Use at most 4 accents on one letter."),
        (LONG, "e" + "\u20dd" * 5, "Use at most 4 accents on one letter."),
        (NUMBER, "1\x07", "Remove the invisible control characters from this field."),
        (NUMBER, "13", "Enter a whole number from -3 to 12."),
        (NUMBER, "-4", "Enter a whole number from -3 to 12."),
        (NUMBER, "1.5", "Enter a whole number from -3 to 12."),
        (NUMBER, "9" * 5000, "Enter a whole number from -3 to 12."),
        (CHOICE, "A", "Choose an option from the list."),
        (CHOICE, "", "Choose an option from the list."),
        (parse_boolean, "perhaps", "Choose an option from the list."),
        (required(LINE), " \u200b", "Fill in this field."),
        (required(NUMBER), "", "Fill in this field."),
    ],
)
def test_an_invalid_text_has_a_message(rule, text, message):
    with pytest.raises(Invalid) as raised:
        rule(text)
    assert raised.value.message.interpolate() == message


@pytest.mark.parametrize("rule", [parse_line, parse_prose, parse_email])
def test_what_cannot_be_seen_is_taken_away(rule):
    rule = rule if rule is parse_email else partial(rule, length=20)
    for character in "\u00ad\u200b\u2060\u2064\ufeff\ufff9\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069":
        assert rule(f"{character}ada{character}@example.com{character}") == "ada@example.com"


@pytest.mark.parametrize("rule", [parse_line, parse_prose])
def test_twenty_thousand_accents_are_refused_quickly(rule):
    started = time.process_time()
    with pytest.raises(Invalid):
        rule("\u0301\u0323" * 10_000, length=20_000)
    assert time.process_time() - started < 1
