"""Shows where the words of a search stand in a text, as it is written there."""

from markupsafe import Markup, escape

from ..db.folding import fold


def mark(text, words):
    """Return `text` as HTML in which each place that one of `words`, folded, was found at is in `<mark>`."""
    folded, origin = _folded_with_origin(text)
    marked = set()
    for word in words:
        at = folded.find(word)
        while at >= 0:
            marked.update(origin[at : at + len(word)])
            at = folded.find(word, at + 1)
    if not marked:
        return escape(text)
    runs = ((is_marked, escape(run)) for is_marked, run in _runs(text, marked))
    # Of escaped parts.
    return Markup("".join(f"<mark>{run}</mark>" if is_marked else run for is_marked, run in runs))  # nosec B704


def _folded_with_origin(text):
    """Return `text` folded, and for each of its characters the number of the one in `text` that it comes from."""
    if text.isascii():
        return text.lower(), range(len(text))
    parts = [fold(character) for character in text]
    return "".join(parts), [number for number, part in enumerate(parts) for _ in part]


def _runs(text, marked):
    """Yield (whether it is marked, text) of each run of characters alike; a mark's accent goes with its letter."""
    run, is_marked = "", False
    for number, character in enumerate(text):
        here = number in marked or (is_marked and fold(character) == "")
        if here != is_marked and run:
            yield is_marked, run
            run = ""
        run, is_marked = run + character, here
    yield is_marked, run
