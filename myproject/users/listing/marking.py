"""Marks the words of a search in a text."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from markupsafe import Markup, escape

from ...db.folding import fold


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
    folded, origin = _folded_with_origin(text)
    for word in words:
        at = folded.find(word)
        while at >= 0:
            yield origin[at], _end_with_accents(text, origin[at + len(word) - 1] + 1)
            at = folded.find(word, at + 1)


def _folded_with_origin(text: str) -> tuple[str, Sequence[int]]:
    """Return `text` folded, and for each of its characters the index of its character in `text`."""
    if text.isascii():
        return text.lower(), range(len(text))
    parts = [fold(character) for character in text]
    return "".join(parts), [index for index, part in enumerate(parts) for _ in part]


def _end_with_accents(text: str, end: int) -> int:
    # An accent that is a character of its own belongs to the letter before it.
    while not text.isascii() and end < len(text) and fold(text[end]) == "":
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
