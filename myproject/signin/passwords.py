"""Passwords: which ones are refused, and how those that were chosen are kept as hashes."""

import functools
import re
import secrets
import unicodedata
from itertools import pairwise
from pathlib import Path

import argon2
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from ..web.i18n import _

SHORTEST = 12
LONGEST = 1024
COMMON = Path(__file__).with_name("common_passwords.txt")
# Keys that lie side by side, and the columns that people go down: 1qaz2wsx.
ROWS = ("1234567890-=", "!@#$%^&*()_+", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./")
COLUMNS = ("1qaz", "2wsx", "3edc", "4rfv", "5tgb", "6yhn", "7ujm")
NEIGHBOURS = {pair for keys in ROWS + COLUMNS for pair in (*pairwise(keys), *pairwise(keys[::-1]))}
# The keys of Hangul on a Korean keyboard (KS X 5002), in Unicode's order.
INITIALS = "r r s e e f a q q t t d w w c z x v g"
VOWELS = "k o i o j p u p h hk ho hl y n nj np nl b m ml l"
FINALS = "r r rt s sw sg e f fr fa fq ft fx fv fg a q qt t t d w c z x v g"
HANGUL_KEYS = {
    **dict(enumerate(INITIALS.split(), 0x1100)),
    **dict(enumerate(VOWELS.split(), 0x1161)),
    **dict(enumerate(FINALS.split(), 0x11A8)),
}


def normalize(password):
    """Return `password` in NFKC: the same whether a Mac sent it decomposed or Windows composed.

    Source: NIST SP 800-63B-3, 5.1.1.2, which allows NFKC. Revision 4 names NFC; NFKC also makes the full-width letters
    of an East Asian keyboard plain ones. Another form would lock out those whose password it changes.
    """
    # A million accents take minutes to normalise. At most four characters become one, so what is cut is too long still.
    return unicodedata.normalize("NFKC", password[: 4 * (LONGEST + 1)])


class Hasher:
    """Argon2id (RFC 9106) with `time_cost` passes over `memory_cost` KiB in `parallelism` threads."""

    def __init__(self, time_cost, memory_cost, parallelism):
        self._argon2 = argon2.PasswordHasher(time_cost, memory_cost, parallelism)
        # Of bytes that nobody knows: it matches no password, and takes as long as one that could.
        self._nobodys = self._argon2.hash(secrets.token_bytes())

    def hash(self, password):
        """Return the hash to keep of `password`, one that `refusal` lets pass; raise ValueError if it is too long."""
        password = normalize(password)
        if len(password) > LONGEST:
            raise ValueError(f"A password has at most {LONGEST} characters.")
        return self._argon2.hash(_encode(password))

    def verify(self, password, hash):
        """Return whether `hash` is of `password`; `None`, for nobody's, takes as long and is not.

        Every call computes one hash, so that its time does not tell which accounts there are.
        """
        secret = normalize(password)
        known = hash if hash is not None and len(secret) <= LONGEST else self._nobodys
        try:
            return self._argon2.verify(known, _encode(secret[:LONGEST]))
        except VerifyMismatchError:
            return False
        except (InvalidHashError, VerificationError, UnicodeEncodeError):
            # Argon2 cannot read it and has computed nothing yet. Nobody's it can: then there is no memory or thread.
            if known is self._nobodys:
                raise
            return self.verify(password, None)

    def needs_rehash(self, hash):
        """Return whether `hash`, which a password was verified against, was made with other parameters."""
        return self._argon2.check_needs_rehash(hash)


def hasher(settings):
    """Return the Hasher of the settings `argon2.time_cost`, `argon2.memory_cost` and `argon2.parallelism`."""
    return Hasher(*(settings[f"argon2.{cost}"] for cost in ("time_cost", "memory_cost", "parallelism")))


def refusal(password, *words):
    """Return the message why `password` cannot become one, or `None`.

    `words` are what others know of the person: name, email, of which also the part before the @; `None` is skipped.
    After NIST SP 800-63B: a length and a list of what is guessed first, no rules on the kinds of characters.
    """
    password = normalize(password)
    if len(password) < SHORTEST:
        return _("At least ${min} characters, please. Several words are easy to remember.", mapping={"min": SHORTEST})
    if len(password) > LONGEST:
        return _("At most ${max} characters, please.", mapping={"max": LONGEST})
    # Not every keyboard types them, and a lone surrogate (Cs) is half a character.
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in password):
        return _("Please remove the control characters from this field.")
    ideas = _ideas(password)
    known = {"myproject", *filter(None, words)}
    if ideas & _forms(known | {word.partition("@")[0] for word in known}):
        return _("This password is guessed from your name, email or this site. Please choose another one.")
    if ideas & _common() or _is_repeated(password.casefold()) or _is_run(_fold(password) or password):
        return _("This password is among those that are guessed first. Please choose another one.")
    return None


def _encode(password):
    # No browser sends a lone surrogate. What does gets an answer like any other, not an error.
    return password.encode("utf-8", "surrogatepass")


@functools.cache
def _common():
    lines = COMMON.read_text(encoding="utf-8").splitlines()
    forms = _forms(line for line in lines if not line.startswith("#"))
    # Three letters are no word: abc of abc123 would refuse 7391-abc-8462 too. Hangul has become its keys.
    return frozenset(form for form in forms if len(form) > 3)


def _forms(words):
    folded = {_fold(word) for word in words}
    return (folded | set(map(_bare, folded))) - {""}


def _ideas(password):
    # What the person may have started from: `password` of `!Password1 Password1 2024`.
    folded = _fold(password)
    core = _bare(folded)
    unit = _unit(core)
    return {folded, core, unit, _bare(unit)}


def _fold(text):
    # Without case, accents, spaces and punctuation. Hangul as its keys: many type 비밀번호 as qlalfqjsgh.
    keys = unicodedata.normalize("NFD", normalize(text)).translate(HANGUL_KEYS)
    return re.sub(r"[\W_]", "", keys.casefold())


def _bare(folded):
    # Without the digits around it; what is all digits stays.
    return re.sub(r"^\d+|\d+$", "", folded) or folded


def _unit(text):
    # What repeated makes `text`, its last time perhaps cut: abc of abcabcab.
    return next((text[:size] for size in range(1, len(text)) if text.startswith(text[size:])), text)


def _is_repeated(password):
    return any(len(_unit(text)) <= min(4, len(text) / 3) for text in (password, _bare(_fold(password))) if text)


def _is_run(text):
    # Of keys or letters side by side, four or more together on average: 1234qwerasdf, but no phrase in any language.
    breaks = sum(abs(ord(a) - ord(b)) > 1 and (a, b) not in NEIGHBOURS for a, b in pairwise(text))
    return 4 * (breaks + 1) <= len(text)
