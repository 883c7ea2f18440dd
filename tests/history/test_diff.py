"""The difference between two texts: right, short, and never slow."""

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from myproject.history.diff import CONTEXT, Piece, diff
from myproject.posts.models import BODY_LENGTH


def both(pieces):
    """Return the texts that the pieces lead from and to; only right if nothing was left out."""
    texts = [(piece.operation, piece.text) for piece in pieces]
    before = "".join(text for operation, text in texts if operation != "insert")
    return before, "".join(text for operation, text in texts if operation != "delete")


TEXTS = st.lists(st.sampled_from(["a", "bc", " ", "\n", "가 ", "é"]), max_size=30).map("".join)


@given(TEXTS, TEXTS)
def test_the_pieces_lead_from_one_text_to_the_other(before, after):
    assert both(diff(before, after)) == (before, after)


def test_words_that_differ_are_shown_between_those_that_do_not():
    assert diff("We met, there was cake.", "We met, there was tea and cake.") == [
        Piece("equal", "We met, there was "), Piece("insert", "tea and "), Piece("equal", "cake."),
    ]  # fmt: skip


def test_what_is_equal_is_shortened():
    text = "word " * 1000
    pieces = diff(f"{text}old {text}", f"{text}new {text}")
    assert [piece.operation for piece in pieces] == ["cut", "equal", "delete", "insert", "equal", "cut"]
    assert pieces[1] == Piece("equal", text[-CONTEXT:])
    assert diff(text, text) == [Piece("cut", " … ")]


def test_two_changes_far_apart_in_a_long_text_are_found():
    lines = [f"line {number} of a text with some words in it\n" for number in range(390)]
    changed = lines.copy()
    changed[3], changed[-3] = "here is something else\n", lines[-3].replace("some", "no")
    pieces = diff("".join(lines), "".join(changed))
    assert ("delete", "some ") in [(piece.operation, piece.text) for piece in pieces]
    assert sum(len(piece.text) for piece in pieces) < 1000


def random_words(count, kinds):
    return " ".join(str(random.Random(count).randrange(kinds)) for _ in range(count))[:BODY_LENGTH]


SLOW = {
    "few words again and again": ("a b " * 5000, "b a " * 5000),
    "one long word": ("a" * BODY_LENGTH, "b" * BODY_LENGTH),
    "a cycle": (" ".join(str(i % 101) for i in range(1000)), " ".join(str(i * 7 % 101) for i in range(1000))),
    "many short lines": ("a\nb\n" * 5000, "b\na\n" * 5000),
    "random words": (random_words(9999, 100), random_words(9998, 100)),
    "only spaces": (" " * BODY_LENGTH, "\n" * BODY_LENGTH),
}


@pytest.mark.parametrize("name", SLOW)
def test_no_text_takes_long_to_compare(name):
    started = time.process_time()
    diff(*SLOW[name])
    assert time.process_time() - started < 1
