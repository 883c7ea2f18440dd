"""Marks the words of a search in a text."""

import re
from collections.abc import Collection, Iterable, Iterator

from markupsafe import Markup, escape

from ...db.folding import SPACES, fold_characters, initials


def mark(text: str, words: Collection[str]) -> Markup:
    """Return `text` as HTML, escaped, with `<mark>` around each place where one of `words`, folded, is found."""
    if not words:
        return escape(text)
    parts, shown = [], 0
    for start, end in _merge(sorted(_places(text, words))):
        parts.append(escape(text[shown:start]) + Markup("<mark>%s</mark>") % text[start:end])
        shown = end
    return Markup("").join([*parts, escape(text[shown:])])


def _places(text: str, words: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each place of a word, in characters of `text`."""
    letters = _letters(text)
    for found in (letters, [(letter, index) for letter, index in letters if initials(letter)]):
        folded = "".join(letter for letter, _ in found)
        for word in words:
            at = folded.find(word)
            while at >= 0:
                yield found[at][1], _end_with_accents(text, found[at + len(word) - 1][1] + 1)
                at = folded.find(word, at + 1)


def _letters(text: str) -> list[tuple[str, int]]:
    """Return the letters of `text` folded, each with the index of its character in `text`."""
    parts = [fold_characters(character) for character in text]
    letters = [(letter, index) for index, part in enumerate(parts) for letter in re.sub(SPACES, " ", part)]
    # Several spaces count as one.
    beside = zip(letters, [("", 0), *letters], strict=False)
    return [letter for letter, before in beside if letter[0] != " " or before[0] != " "]


def _end_with_accents(text: str, end: int) -> int:
    # An accent that is a character of its own belongs to the letter before it.
    while not text.isascii() and end < len(text) and fold_characters(text[end]) == "":
        end += 1
    return end


def _merge(places: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return sorted `places` with those that touch or overlap as one."""
    merged: list[tuple[int, int]] = []
    for start, end in places:
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged
