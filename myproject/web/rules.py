"""Rules of values: functions from a submitted text to its value, or to the message why it is not valid.

They know no form and no request, so that forms, imports and scripts share them. A rule is called with the text alone;
`functools.partial` sets its limits.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from pyramid.i18n import TranslationString

from .i18n import _

Rule = Callable[[str], Any]

# Embeddings, overrides and isolates of UAX 9: they turn around the text after them, also that of the page. The marks
# U+200E, U+200F and U+061C are allowed: Arabic and Hebrew keyboards type them, and they only affect their neighbours.
DIRECTION_CONTROLS = r"\u202a-\u202e\u2066-\u2069"
# What is pasted without being seen, and is taken away: these, soft hyphens, zero-width spaces, word joiners, byte order
# marks and the like. The joiners of emojis and of Persian stay.
UNSEEN = re.compile(rf"[{DIRECTION_CONTROLS}\u00ad\u180e\u200b\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb]")
# What nobody sees, though Unicode counts it as letters, marks and symbols: fillers and variation selectors.
BLANK = re.compile(r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
# Tabs, line feeds, other controls and blanks with a width that stand for a space, and those that end a line.
SPACING = re.compile(r"[\t-\r\x1c-\x1f\x85\u2028\u2029\u2800\u3164\uffa0]")
LINE_ENDS = re.compile(r"\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
# Accents and other marks, of Unicode's categories Mn and Me, on one letter. Scripts need up to four: Greek with
# separate accents, Hebrew, Thai, Tibetan. Hundreds paint over other rows.
MARKS_ON_A_LETTER = 4


class Invalid(ValueError):
    """A text is not valid; `message` says what to do about it, as a translation string."""

    def __init__(self, message: TranslationString) -> None:
        super().__init__(message)
        self.message = message


def required(rule: Rule) -> Rule:
    """Return `rule` as one that refuses a text without a value."""

    def parse(text: str) -> Any:
        value = rule(text)
        if value is None:
            raise Invalid(_("Fill in this field."))
        return value

    return parse


def visible_text(text: str) -> str | None:
    """Return `text` without the spaces around it and what cannot be seen, or `None` if nothing of it is visible."""
    text = UNSEEN.sub("", text).strip()
    return text if any(map(_is_visible, text)) else None


def without_invisible_characters(text: str) -> str:
    """Return `text` without spaces around it and whatever cannot be seen: joiners, direction marks and blanks too."""
    text = BLANK.sub("", SPACING.sub(" ", text))
    return "".join(character for character in text if unicodedata.category(character) != "Cf").strip()


def parse_line(text: str, *, length: int) -> str | None:
    """Return one line of text, at most `length` characters, without the spaces around it; `None` if it is empty."""
    return _parse_text(SPACING.sub(" ", text), length, "")


def parse_code(text: str, *, length: int) -> str | None:
    """Return one line of text that is compared letter by letter, such as an email: nothing invisible is part of it."""
    return parse_line(without_invisible_characters(text), length=length)


def parse_prose(text: str, *, length: int) -> str | None:
    """Return text of several lines, each ending in a line feed; browsers send CR LF."""
    return _parse_text(LINE_ENDS.sub("\n", text), length, "\n\t")


def _parse_text(text: str, length: int, allowed_controls: str) -> str | None:
    line = visible_text(text)
    if line is None:
        return None
    if len(line) > length:
        raise Invalid(_("Enter at most ${max} characters.", mapping={"max": f"{length:,}"}))
    _refuse_controls(line, allowed_controls)
    if _most_marks(line) > MARKS_ON_A_LETTER:
        raise Invalid(_("Use at most ${max} accents on one letter.", mapping={"max": MARKS_ON_A_LETTER}))
    return line


def parse_whole_number(text: str, *, lowest: int, highest: int) -> int | None:
    """Return the whole number from `lowest` to `highest` that `text` gives in ASCII digits; `None` if it is empty."""
    digits = without_invisible_characters(text)
    if not digits:
        return None
    _refuse_controls(digits, "")
    # int() alone would accept '３０', '1_0' and a million digits too.
    if not re.fullmatch(r"-?[0-9]{1,9}", digits) or not lowest <= int(digits) <= highest:
        raise Invalid(_("Enter a whole number from ${min} to ${max}.", mapping={"min": lowest, "max": highest}))
    return int(digits)


def parse_choice(text: str, *, choices: Mapping[str, Any]) -> str:
    """Return `text` if it is one of the keys of `choices`."""
    if text not in choices:
        raise Invalid(_("Choose an option from the list."))
    return text


def parse_boolean(text: str) -> bool:
    """Return whether `text` says yes; an empty one, as of a checkbox that is not ticked, says no."""
    answers = {"y": True, "yes": True, "true": True, "on": True, "1": True,
               "": False, "n": False, "no": False, "false": False, "off": False, "0": False}  # fmt: skip
    return answers[parse_choice(text.strip().lower(), choices=answers)]


def _refuse_controls(text: str, allowed: str) -> None:
    # PostgreSQL stores no NUL, and no page shows the others.
    if any(unicodedata.category(character) == "Cc" for character in text if character not in allowed):
        raise Invalid(_("Remove the invisible control characters from this field."))


def _most_marks(text: str) -> int:
    """Return the greatest number of marks that follow a letter of `text`."""
    most = marks = 0
    for category in map(unicodedata.category, text):
        if category in ("Mn", "Me"):
            marks += 1
            most = max(most, marks)
        # Neither an invisible character nor a mark with a width of its own begins another letter.
        elif category not in ("Cf", "Mc"):
            marks = 0
    return most


def _is_visible(character: str) -> bool:
    return unicodedata.category(character)[0] not in "CZ" and not BLANK.match(character)
