"""Which passwords are refused: short ones, and those that are guessed first.

After NIST SP 800-63B: a minimal length, a list of common passwords and zxcvbn's estimate of how many guesses a password
takes (https://github.com/dwolfhub/zxcvbn-python); no rules on the kinds of characters.
"""

import functools
import re
import threading
import unicodedata
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from pyramid.i18n import TranslationString
from zxcvbn import zxcvbn

from ..web.i18n import _
from ..web.rules import UNSEEN
from .passwords import MAX_LENGTH, normalize

TOO_SIMILAR = _("This password is too similar to your name, your email or the name of this site. Choose another one.")
TOO_COMMON = _("This password is too common. Choose another one.")
# Characters, after normalisation.
MIN_LENGTH = 12
TOO_SHORT = _("Enter at least ${min} characters. Several words are easy to remember.", mapping={"min": MIN_LENGTH})
COMMON_PASSWORDS_FILE = Path(__file__).with_name("common_passwords.txt")
# Shorter words of that file are not looked for: abc of abc123 would refuse 7391-abc-8462 too.
MIN_COMMON_WORD_LENGTH = 4
SITE_NAME = "myproject"
# From here on zxcvbn calls a password "very unguessable", also for people who have stolen its hash.
MIN_GUESSES = 10**10
# zxcvbn takes long for long passwords, and much longer for many different look-alikes of letters, all combinations of
# which it tries. So it reads the beginning, up to the look-alike that is one too many.
ESTIMATED_LENGTH = 40
LOOK_ALIKES = frozenset("4@8({[<6901!|7+$5%2")
MOST_LOOK_ALIKES = 8
# By how much each character after such a look-alike multiplies the guesses; zxcvbn takes as many for one that it does
# not recognise.
GUESSES_PER_CHARACTER = 10
# zxcvbn keeps the personal words of a call in a dictionary that all threads share.
ESTIMATING = threading.Lock()
# Shorter parts of names and emails are in too many words.
MIN_PERSONAL_PART_LENGTH = 3
# Keys in one row of a keyboard, and in the columns that people type downwards: 1qaz2wsx.
KEYBOARD_ROWS = ("1234567890-=", "!@#$%^&*()_+", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./")
KEYBOARD_COLUMNS = ("1qaz", "2wsx", "3edc", "4rfv", "5tgb", "6yhn", "7ujm")
ADJACENT_KEYS = {pair for keys in KEYBOARD_ROWS + KEYBOARD_COLUMNS for pair in (*pairwise(keys), *pairwise(keys[::-1]))}
# The Latin keys of Hangul letters on a Korean keyboard (KS X 5002), in Unicode's order of the letters.
HANGUL_INITIALS = "r r s e e f a q q t t d w w c z x v g"
HANGUL_VOWELS = "k o i o j p u p h hk ho hl y n nj np nl b m ml l"
HANGUL_FINALS = "r r rt s sw sg e f fr fa fq ft fx fv fg a q qt t t d w c z x v g"
HANGUL_KEYS = {
    **dict(enumerate(HANGUL_INITIALS.split(), 0x1100)),
    **dict(enumerate(HANGUL_VOWELS.split(), 0x1161)),
    **dict(enumerate(HANGUL_FINALS.split(), 0x11A8)),
}


def find_problem(password: str, *personal_words: str | None) -> TranslationString | None:
    """Return the message why a person cannot have `password`, or `None` if they can.

    `personal_words` are what others know of the person: name and email; `None` is skipped.
    """
    password = normalize(password)
    return _find_invalid_text(password) or _find_easy_guess(password, personal_words)


def _find_invalid_text(password: str) -> TranslationString | None:
    if len(password) < MIN_LENGTH:
        return TOO_SHORT
    if len(password) > MAX_LENGTH:
        return _("Enter at most ${max} characters.", mapping={"max": MAX_LENGTH})
    # Not every keyboard can type control characters and line separators; a lone surrogate (Cs) is half a character.
    # What cannot be seen is copied along without being noticed, and nobody can type it again.
    categories = map(unicodedata.category, password)
    if UNSEEN.search(password) or any(category in ("Cc", "Cs", "Zl", "Zp") for category in categories):
        return _("Remove the invisible control characters from this field.")
    return None


def _find_easy_guess(password: str, personal_words: Iterable[str | None]) -> TranslationString | None:
    base_words = _base_words(password)
    words = {SITE_NAME, *filter(None, personal_words)}
    email_names = {word.partition("@")[0] for word in words}
    if base_words & _fold_words(words | email_names):
        return TOO_SIMILAR
    if base_words & _common_words() or _is_run(_fold(password) or password):
        return TOO_COMMON
    matches = _matches_of_easy_guess(password, words | email_names)
    if any(map(_is_personal, matches)):
        return TOO_SIMILAR
    return TOO_COMMON if matches else None


def _matches_of_easy_guess(password: str, words: Iterable[str]) -> list[dict[str, Any]]:
    """Return what zxcvbn recognises in a password that takes fewer than MIN_GUESSES; nothing of others."""
    parts = {part for word in words for part in re.split(r"[\W\d_]+", word) if len(part) >= MIN_PERSONAL_PART_LENGTH}
    known = {*words, *(re.sub(r"\W", "", word) for word in words), *parts}
    read = _readable_beginning(password[:ESTIMATED_LENGTH])
    with ESTIMATING:
        estimate = zxcvbn(read, user_inputs=sorted(known))
    guesses = estimate["guesses"] * GUESSES_PER_CHARACTER ** (len(password[:ESTIMATED_LENGTH]) - len(read))
    return estimate["sequence"] if guesses < MIN_GUESSES else []


def _readable_beginning(password: str) -> str:
    """Return `password` up to where it has more than MOST_LOOK_ALIKES different look-alikes of letters."""
    look_alikes: set[str] = set()
    for index, character in enumerate(password):
        look_alikes.update(LOOK_ALIKES.intersection(character))
        if len(look_alikes) > MOST_LOOK_ALIKES:
            return password[:index]
    return password


def _is_personal(match: dict[str, Any]) -> bool:
    """Return whether a match of zxcvbn is one of the person's words, or a repetition of it."""
    return match.get("dictionary_name") == "user_inputs" or any(map(_is_personal, match.get("base_matches", ())))


@functools.cache
def _common_words() -> frozenset[str]:
    lines = COMMON_PASSWORDS_FILE.read_text(encoding="utf-8").splitlines()
    words = _fold_words(line for line in lines if not line.startswith("#"))
    return frozenset(word for word in words if len(word) >= MIN_COMMON_WORD_LENGTH)


def _fold_words(words: Iterable[str]) -> set[str]:
    """Return the folded words, each also without the digits around it."""
    folded = {_fold(word) for word in words}
    return (folded | {_strip_digits(word) for word in folded}) - {""}


def _base_words(password: str) -> set[str]:
    """Return the words that a person may have built `password` from: `password` for `!Pass-word 2024`."""
    folded = _fold(password)
    return {folded, _strip_digits(folded)}


def _fold(text: str) -> str:
    """Return `text` without case, accents, spaces and punctuation, and Hangul as the Latin letters of its keys.

    The keys, because many people type 비밀번호 on the Latin layout, as qlalfqjsgh.
    """
    keys = unicodedata.normalize("NFD", normalize(text)).translate(HANGUL_KEYS)
    return re.sub(r"[\W_]", "", keys.casefold())


def _strip_digits(folded: str) -> str:
    """Return `folded` without the digits at both ends, or unchanged if it has only digits."""
    return re.sub(r"^\d+|\d+$", "", folded) or folded


def _is_run(text: str) -> bool:
    """Return whether `text` consists of runs of adjacent keys or letters, on average four or longer: 1234qwerasdf."""
    breaks = sum(abs(ord(a) - ord(b)) > 1 and (a, b) not in ADJACENT_KEYS for a, b in pairwise(text))
    return 4 * (breaks + 1) <= len(text)
