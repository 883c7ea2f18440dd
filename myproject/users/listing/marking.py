"""Shows where the words of a search stand in a text, as it is written there."""

from markupsafe import Markup, escape

from ...db.folding import fold
from ...web.rendering import BETWEEN, in_one


def mark(texts, words):
    """Return `texts` as a column of HTML, each place that one of `words`, folded, was found at in `<mark>`."""
    whole = in_one(texts)
    if whole.isascii():
        return _mark(whole, words)
    # What is not ASCII is folded letter by letter.
    return Markup(in_one([_mark(text, words) for text in whole.split(BETWEEN)]))  # nosec B704


def _mark(text, words):
    folded, origin = _folded_with_origin(text)
    places = []
    for word in words:
        at = folded.find(word)
        while at >= 0:
            places.append((origin[at], _with_accents(text, origin[at + len(word) - 1] + 1)))
            at = folded.find(word, at + 1)
    escaped = escape(text)
    if not places:
        return escaped
    # In most texts there is nothing to escape, and to do it part by part takes the longest.
    html = str if len(escaped) == len(text) else escape
    parts, shown = [], 0
    for start, end in _joined(places):
        parts += [html(text[shown:start]), "<mark>", html(text[start:end]), "</mark>"]
        shown = end
    # Of escaped parts.
    return Markup("".join([*parts, html(text[shown:])]))  # nosec B704


def _folded_with_origin(text):
    """Return `text` folded, and for each of its characters the number of the one in `text` that it comes from."""
    if text.isascii():
        return text.lower(), range(len(text))
    parts = [fold(character) for character in text]
    return "".join(parts), [number for number, part in enumerate(parts) for _ in part]


def _with_accents(text, end):
    # An accent goes with the letter that it follows.
    while not text.isascii() and end < len(text) and fold(text[end]) == "":
        end += 1
    return end


def _joined(places):
    """Return `places`, pairs from and to, sorted, those that touch as one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(places):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined
