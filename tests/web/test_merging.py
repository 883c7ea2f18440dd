"""What becomes of one field that two people may have changed; the forms are in test_conflict.py."""

import pytest

from myproject.web.merging import Change, compare, digest, normalised, text_of


@pytest.mark.parametrize(
    ("shown", "submitted", "saved", "outcome"),
    [
        ("a", "a", "a", set()),
        ("a", "b", "a", {"is_own"}),
        ("a", "a", "b", {"is_of_others", "is_news"}),
        ("a", "b", "b", set()),
        ("a", "b", "c", {"is_conflict", "is_news"}),
        ("a", "", "c", {"is_conflict", "is_news"}),
        ("", "", "c", {"is_of_others", "is_news"}),
        # The form does not say what it showed.
        (None, "a", "a", set()),
        (None, "a", "b", {"is_conflict", "is_news"}),
        (None, "", "b", {"is_conflict", "is_news"}),
    ],
)
def test_a_change_has_one_outcome(shown, submitted, saved, outcome):
    change = Change(shown, submitted, saved)
    assert {name for name in ("is_own", "is_of_others", "is_conflict", "is_news") if getattr(change, name)} == outcome


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), ("", ""), (0, "0"), (30, "30"), (True, "y"), (False, ""), ("a\r\nb\rc\0", "a\nb\nc\ufffd")],
)
def test_a_value_has_the_text_that_a_form_sends(value, text):
    assert text_of(value) == normalised(text) == text


@pytest.mark.parametrize(
    ("sent", "is_older", "expected"),
    [
        # A page.
        ({"shown_a": "1"}, True, Change("1", "2", "3")),
        ({"shown_a": "1", "choice_a": "entered"}, False, Change("1", "2", "3")),
        ({"shown_a": "1", "choice_a": "saved"}, False, Change("1", "1", "3")),
        ({"shown_a": "x\r\ny"}, False, Change("x\ny", "2", "3")),
        ({"shown_a": "3", "choice_a": "saved", "entered_a": digest("2")}, False, Change("3", "3", "3")),
        ({"shown_a": "3", "choice_a": "saved", "entered_a": digest("1")}, False, Change("3", "2", "3", True)),
        ({"shown_a": "3", "choice_a": "entered", "entered_a": digest("1")}, False, Change("3", "2", "3")),
        # A page without this field.
        ({"shown_b": "1"}, True, Change("3", "3", "3")),
        # A program.
        ({}, False, Change("3", "2", "3")),
        ({}, True, Change(None, "2", "3")),
        ({"choice_a": "saved"}, True, Change(None, "2", "3")),
    ],
)
def test_what_was_sent_tells_what_the_form_showed(sent, is_older, expected):
    changes = compare({"a": "3", "b": "3"}, {"a": "2", "b": "2"}, sent, is_older=is_older)
    assert changes["a"] == expected
