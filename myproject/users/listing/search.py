"""The text of a search: words, “phrases”, `-exclusions` and `field:value` terms, parsed, or noted if not understood.

`kim "van der" -test email:@example role:admin age:30-40 joined:2026-01` has seven terms; a row has to match them all.
"""

import calendar
import datetime
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field as field_of
from itertools import chain, combinations
from typing import Any

from pyramid.i18n import TranslationString

from ...db.folding import fold
from ...web.i18n import _
from ..models import OLDEST, ROLES

# Characters of a search that are read: more than any name or address has.
LONGEST_SEARCH = 400
MOST_TERMS = 20
# Unicode categories that separate words: control characters, lone surrogates, separators. Unassigned characters do not:
# a newer Unicode may have names for them.
SEPARATING_CATEGORIES = {"Cc", "Cs", "Zl", "Zp", "Zs"}
# Format characters that are part of what is seen: they join the parts of an emoji, or separate letters.
JOINERS = "\u200c\u200d"

FIELD_NAMES = {
    "email": ["email", "e-mail", "mail", "이메일", "메일", "mailto"],
    "role": ["role", "역할"],
    "age": ["age", "나이"],
    "joined": ["joined", "가입"],
    "active": ["active", "활동", "활성"],
    "posts": ["posts", "게시글", "게시물", "글"],
}
FIELDS = {fold(name): field for field, names in FIELD_NAMES.items() for name in names}

# As phones and other keyboards type them.
QUOTES = '"“”„‟«»＂'
COLONS = ":："
# An address as mail programs copy it, with a name before it; or a minus sign, a field and a colon, each optional, then
# a phrase in quotation marks, perhaps not closed, or a word. After the colon there may be a space, and before that of a
# known field.
TERM = re.compile(
    rf"""
    (?:[{QUOTES}][^{QUOTES}]*[{QUOTES}] | (?!-\S)[^\s<>＜{COLONS}{QUOTES}]+(?:\s+[^\s<>＜{COLONS}{QUOTES}]+)*)? \s*
        [<＜] (?P<address>[^\s<>]+[@＠][^\s<>＞]+) [>＞]
    | (?P<minus>-?)
        (?:(?P<field>(?i:{"|".join(chain(*FIELD_NAMES.values()))})(?=\s*[{COLONS}])|\w+(?=[{COLONS}]))
            \s*[{COLONS}](?:\s+(?!-?\w+[{COLONS}]))?)?
        (?:[{QUOTES}](?P<phrase>[^{QUOTES}]*)(?:[{QUOTES}]|$) | (?P<word>[^\s{QUOTES}]+))
""",
    re.VERBOSE,
)
# What stands around words that are copied from a list, and around addresses that are copied from a text.
PUNCTUATION = ",;，；、"
AROUND_ADDRESSES = "<>()[]{}|'‘’.,:;!?＜＞（），；、。"
# The values of each filter by the names that a search and an address call them by.
CHOICE_NAMES: dict[str, dict[str, Any]] = {
    "role": {
        "member": "member", "구성원": "member", "editor": "editor", "편집자": "editor",
        "admin": "admin", "administrator": "admin", "관리자": "admin",
    },
    "active": {"yes": True, "예": True, "no": False, "아니요": False},
    "posts": {"yes": True, "예": True, "no": False, "아니요": False},
}  # fmt: skip
# All values of each filter, in the order of the columns of `models.KINDS`.
CHOICES: dict[str, frozenset[Any]] = {
    "role": frozenset(ROLES),
    "active": frozenset({True, False}),
    "posts": frozenset({True, False}),
}
UNKNOWN_CHOICE = {
    "role": _("Unknown role “${text}” was ignored. Use role:member, role:editor or role:admin."),
    "active": _("Unknown value “${text}” was ignored. Use active:yes or active:no."),
    "posts": _("Unknown value “${text}” was ignored. Use posts:yes or posts:no."),
}
UNKNOWN_FIELD = _(
    "“${name}:” was ignored. Leave out the colon, or use email:, role:, age:, joined:, active: or posts:."
)
EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
AGE = re.compile(r"(?P<low>[0-9]{1,3})?(?:(?P<to>-)(?P<high>[0-9]{1,3})?)?")
DAY = r"[0-9]{4}(?:-[0-9]{1,2}(?:-[0-9]{1,2})?)?"
DAYS = re.compile(rf"(?P<first>{DAY})?(?:(?P<to>\.\.)(?P<last>{DAY})?)?")

AgeRange = tuple[int | None, int | None]
DayRange = tuple[datetime.date | None, datetime.date | None]


class Misread(ValueError):
    """A term has no meaning; the argument is a translation string that says what would have one."""


@dataclass(frozen=True)
class Term:
    """One condition that a row has to meet or, if `excluded`, must not meet.

    `field` is `text` or one of FIELDS' values. `value` is folded text for `text` and `email`, a frozenset for `role`,
    `active` and `posts`, and a pair, from and to, both included, `None` where open, for `age` (years) and `joined`
    (days of the time zone in which the list is read). `source` is the text of the term in the search; a term of a
    filter has the names of its `parameters` in the address instead. `typed` is the text of `text` and `email` before it
    was folded.
    """

    field: str
    value: Any
    excluded: bool = False
    source: str = field_of(default="", compare=False)
    parameters: tuple[str, ...] = ()
    typed: str = field_of(default="", compare=False)

    @property
    def is_text(self) -> bool:
        """Whether names and addresses are searched for it."""
        return self.field in ("text", "email")

    @property
    def counts_for_rank(self) -> bool:
        """Whether a ranked list asks if it begins a word of the name: not if it is a part of an address."""
        return self.field == "text" and not self.excluded and "@" not in self.value


def parse(text: str) -> tuple[tuple[Term, ...], tuple[TranslationString, ...]]:
    """Return the terms in the text of a search, and notes about what was not understood."""
    terms: list[Term] = []
    notes: list[TranslationString] = []
    text = "".join(map(_as_read, text))
    if len(text) > LONGEST_SEARCH:
        notes.append(
            _(
                "This search is too long. Only the first ${count} characters were used.",
                mapping={"count": LONGEST_SEARCH},
            )
        )
    for match in TERM.finditer(text[:LONGEST_SEARCH]):
        try:
            term = _read_term(match)
        except Misread as error:
            notes.append(error.args[0])
            continue
        if term and term not in terms:
            terms.append(term)
    if _has_several_emails(terms):
        notes.append(_("No user has several emails. Search for one at a time."))
    if len(terms) > MOST_TERMS:
        notes.append(
            _("This search has too many words. Only the first ${count} were used.", mapping={"count": MOST_TERMS})
        )
    return tuple(terms[:MOST_TERMS]), tuple(notes)


def _has_several_emails(terms: Sequence[Term]) -> bool:
    emails = {term.value for term in terms if term.is_text and not term.excluded and EMAIL.fullmatch(term.value)}
    # One may be a part of the other.
    return any(one not in other and other not in one for one, other in combinations(emails, 2))


def _as_read(letter: str) -> str:
    category = unicodedata.category(letter)
    if category == "Cf" and letter not in JOINERS:
        return ""
    return " " if category in SEPARATING_CATEGORIES else letter


def _read_term(match: re.Match[str]) -> Term | None:
    if match["address"]:
        # The name before it may be written in another way.
        address = _read_address(match["address"])
        return Term("email", fold(address), source=match[0], typed=address)
    word = match["word"]
    if not match["field"] and word and word.endswith(tuple(COLONS)) and fold(word[:-1]) in FIELDS:
        # The value of the field is still being typed.
        return None
    text = match["phrase"] if word is None else _read_word(word)
    field, text = _read_field(match["field"] or "", text)
    value = _read_value(field, text)
    return Term(field, value, bool(match["minus"]), _source_of(match), typed=text) if value else None


def _source_of(match: re.Match[str]) -> str:
    """Return the text of the term; a number before a colon is quoted, or it would take the next term for its text."""
    word = match["word"]
    is_open = not match["field"] and word and re.fullmatch(rf"\w+[{COLONS}]", word)
    return f'{match["minus"]}"{word}"' if is_open else match[0]


def _read_word(word: str) -> str:
    return _read_address(word) if "@" in fold(word) else word.strip(PUNCTUATION)


def _read_address(text: str) -> str:
    """Return the address in a link, or with the punctuation of a text around it."""
    text = re.sub("^mailto:", "", text.strip(AROUND_ADDRESSES), flags=re.IGNORECASE)
    # After the address, a link has a subject and the like.
    return re.sub(r"([@＠][^?]*)\?.*", r"\1", text)


def _read_field(name: str, text: str) -> tuple[str, str]:
    """Return the field that `name` calls, and its text. Numbers before a colon are part of the text, as in 12:30."""
    field = FIELDS.get(fold(name), "text")
    if field == "text" and name:
        if not name.isdecimal():
            raise Misread(UNKNOWN_FIELD % {"name": name})
        text = f"{name}:{text}"
    return field, text


def _read_value(field: str, text: str) -> Any:
    if field == "age":
        return read_ages(fold(text))
    if field == "joined":
        return read_joined(fold(text))
    return read_choice(field, text) if field in CHOICES else " ".join(fold(text).split())


def read_choice(field: str, text: str) -> frozenset[Any]:
    """Return the frozenset of the one value of `field` that `text` names. Raises `Misread`."""
    values = {fold(name): value for name, value in CHOICE_NAMES[field].items()}
    if fold(text) not in values:
        raise Misread(UNKNOWN_CHOICE[field] % {"text": text})
    return frozenset({values[fold(text)]})


def read_ages(text: str) -> AgeRange:
    """Return (from, to) of `30`, `30-40`, `30-` or `-40`, years, both included. Raises `Misread`."""
    match = AGE.fullmatch(text)
    if not match or not (match["low"] or match["high"]):
        raise Misread(_("“${text}” is not an age and was ignored. Use age:30 or age:30-40.", mapping={"text": text}))
    return read_age_range(match["low"], match["high"] if match["to"] else match["low"])


def read_age_range(first: str, last: str) -> AgeRange:
    """Return (from, to) of two texts, empty where open. Raises `Misread`."""
    low, high = (_read_age(text) if text else None for text in (first, last))
    if low is not None and high is not None and low > high:
        raise Misread(
            _(
                "The age range ${low} to ${high} is reversed and was ignored. Did you mean ${high} to ${low}?",
                mapping={"low": low, "high": high},
            )
        )
    return low, high


def _read_age(text: str) -> int:
    if not re.fullmatch("[0-9]{1,3}", text) or int(text) > OLDEST:
        raise Misread(
            _(
                "“${text}” is not an age and was ignored. Use a whole number from 0 to ${oldest}.",
                mapping={"oldest": OLDEST, "text": text},
            )
        )
    return int(text)


def read_joined(text: str) -> DayRange:
    """Return the first and the last day of `2026`, `2026-01`, `2026-01-31`, or of `2025..2026-01`. Raises `Misread`."""
    match = DAYS.fullmatch(text)
    if not match or not (match["first"] or match["last"]):
        raise Misread(
            _(
                "“${text}” is not a date and was ignored. Use joined:2026-01 or joined:2025..2026-01-31.",
                mapping={"text": text},
            )
        )
    return read_day_range(match["first"], match["last"] if match["to"] else match["first"])


def read_day_range(first: str, last: str) -> DayRange:
    """Return the first and the last day of two texts, each a year, a month or a day, empty where open.

    Raises `Misread`.
    """
    start, end = read_days(first)[0] if first else None, read_days(last)[1] if last else None
    if start and end and start > end:
        raise Misread(
            _(
                "The date range ${first} to ${last} is reversed and was ignored. Did you mean ${last} to ${first}?",
                mapping={"first": first, "last": last},
            )
        )
    return start, end


def read_days(text: str) -> tuple[datetime.date, datetime.date]:
    """Return the first and the last day of the year, month or day that `text` names. Raises `Misread`."""
    parts = [int(part) for part in text.split("-")] if re.fullmatch(DAY, text) else []
    try:
        year, month, day = [*parts, 1, 1][:3]
        first = datetime.date(year, month, day)
    except ValueError:
        raise Misread(
            _("“${text}” is not a date and was ignored. Use a date like 2026-01-31.", mapping={"text": text})
        ) from None
    if len(parts) == 1:
        return first, datetime.date(year, 12, 31)
    if len(parts) == 2:
        return first, datetime.date(year, month, calendar.monthrange(year, month)[1])
    return first, first
