"""The difference between two texts, word by word, in bounded time; what is equal is shortened."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

# difflib's time grows with the square of what it compares. More words are compared line by line, more lines not at all.
MOST_WORDS, MOST_LINES = 1000, 400
# Characters of an equal text that are shown beside a difference.
CONTEXT = 60

Operation = Literal["equal", "delete", "insert", "cut"]


@dataclass(frozen=True)
class Piece:
    """A part of both texts (`equal`), of the first (`delete`), of the second (`insert`), or one left out (`cut`)."""

    operation: Operation
    text: str


def diff(before: str, after: str) -> list[Piece]:
    """Return the pieces that lead from `before` to `after`, in their order."""
    first, second = split_words(before), split_words(after)
    start = count_equal(first, second)
    end = count_equal(first[start:][::-1], second[start:][::-1])
    middle = first[start : len(first) - end], second[start : len(second) - end]
    head, tail = "".join(first[:start]), "".join(first[len(first) - end :])
    pieces = [Piece("equal", head), *compare(*middle), Piece("equal", tail)]
    return shorten([piece for piece in pieces if piece.text])


def split_words(text: str) -> list[str]:
    """Return the words of `text`, each with the spaces after it: together they are the text."""
    return re.findall(r"\s+|\S+\s*", text)


def count_equal(first: Sequence[str], second: Sequence[str]) -> int:
    """Return how many items both begin with."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((number for number, (one, other) in pairs if one != other), min(len(first), len(second)))


def compare(first: Sequence[str], second: Sequence[str]) -> Iterator[Piece]:
    """Yield the pieces between two lists of words: of many words, those of the lines that differ."""
    if max(len(first), len(second)) <= MOST_WORDS:
        yield from match(first, second)
        return
    lines = ["".join(words).splitlines(keepends=True) for words in (first, second)]
    if max(map(len, lines)) > MOST_LINES:
        lines = [["".join(first)], ["".join(second)]]
    removed = ""
    for piece in match(*lines):
        if piece.operation == "delete":
            removed = piece.text
        elif piece.operation == "insert":
            yield from compare_words(removed, piece.text)
        else:
            yield piece


def compare_words(before: str, after: str) -> Iterator[Piece]:
    """Yield the pieces between two texts by words, or both as a whole if they have many."""
    first, second = split_words(before), split_words(after)
    is_short = max(len(first), len(second)) <= MOST_WORDS
    yield from match(first, second) if is_short else match([before], [after])


def match(first: Sequence[str], second: Sequence[str]) -> Iterator[Piece]:
    """Yield the pieces between two lists; for each difference what was deleted, then what was inserted."""
    for operation, start, end, other_start, other_end in SequenceMatcher(None, first, second).get_opcodes():
        if operation == "equal":
            yield Piece("equal", "".join(first[start:end]))
        else:
            yield Piece("delete", "".join(first[start:end]))
            yield Piece("insert", "".join(second[other_start:other_end]))


def shorten(pieces: Sequence[Piece]) -> list[Piece]:
    """Return `pieces` without what is equal and far from any difference."""
    shortened: list[Piece] = []
    for number, piece in enumerate(pieces):
        shortened += shorten_equal(piece, number > 0, number < len(pieces) - 1)
    return shortened


def shorten_equal(piece: Piece, is_after: bool, is_before: bool) -> list[Piece]:
    """Return `piece`, or its ends if it is a long equal one: those after and before a difference."""
    if piece.operation != "equal" or len(piece.text) <= 3 * CONTEXT:
        return [piece]
    start = piece.text[:CONTEXT] if is_after else ""
    end = piece.text[-CONTEXT:] if is_before else ""
    kept = [Piece("equal", start), Piece("cut", " … "), Piece("equal", end)]
    return [part for part in kept if part.text]
