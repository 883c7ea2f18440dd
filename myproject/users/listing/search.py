"""What a person typed into the search: words, “phrases”, `-exclusions`, and `field:value` terms, understood or noted.

`kim "van der" -test email:@example role:admin age:30-40 joined:2026-01` are seven terms; a row has to meet them all.
"""

import datetime
import re
import unicodedata
from dataclasses import dataclass
from dataclasses import field as field_of
from typing import Any

from ...db.folding import fold
from ...web.i18n import _
from ..models import OLDEST, ROLES

# Longer than any name or address; what is cut off is said.
LONGEST = 400
MOST_TERMS = 20
# Control and format characters, lone surrogates, and what separates words; not what Unicode has no name for yet.
BLANK = {"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"}

# -, then a field and a colon, then a phrase in quotation marks, perhaps not closed, or a word.
TERM = re.compile(r'(?P<minus>-?)(?:(?P<field>\w+):)?(?:["“”](?P<phrase>[^"“”]*)(?:["“”]|$)|(?P<word>[^\s"“”]+))')
FIELDS = {
    fold(name): field
    for field, names in {
        "email": ["email", "이메일"],
        "role": ["role", "역할"],
        "age": ["age", "나이"],
        "joined": ["joined", "가입"],
        "active": ["active", "활동", "활성"],
        "posts": ["posts", "게시물", "글"],
    }.items()
    for name in names
}
CHOICES: dict[str, dict[str, Any]] = {
    "role": {
        "member": "member", "구성원": "member", "editor": "editor", "편집자": "editor",
        "admin": "admin", "administrator": "admin", "관리자": "admin",
    },
    "active": {"yes": True, "예": True, "no": False, "아니요": False},
    "posts": {"yes": True, "예": True, "no": False, "아니요": False},
}  # fmt: skip
UNKNOWN = {
    "role": _("“${text}” is no role: role:member, role:editor or role:admin is."),
    "active": _("“${text}” is neither yes nor no: active:yes or active:no is."),
    "posts": _("“${text}” is neither yes nor no: posts:yes or posts:no is."),
}
# The kinds of people, in the order of KINDS, and what each can be.
EVERY: dict[str, frozenset] = {
    "role": frozenset(ROLES),
    "active": frozenset({True, False}),
    "posts": frozenset({True, False}),
}
AGE = re.compile(r"(?P<low>[0-9]{1,3})?(?:(?P<to>-)(?P<high>[0-9]{1,3})?)?")
DAY = r"[0-9]{4}(?:-[0-9]{1,2}(?:-[0-9]{1,2})?)?"
DAYS = re.compile(rf"(?P<first>{DAY})?(?:(?P<to>\.\.)(?P<last>{DAY})?)?")
END_OF_TIME = datetime.datetime.max.replace(tzinfo=datetime.UTC)


class Misread(ValueError):
    """What was typed cannot be meant so; its argument is a translation string that says what can."""


@dataclass(frozen=True)
class Term:
    """One thing that a row has to meet, or, `excluded`, must not.

    `field` is `text` or one of FIELDS' values; `value` is folded text for `text` and `email`, a frozenset for `role`,
    `active` and `posts`, and a pair, from and to, `None` where open, for `age` (years) and `joined` (moments, the
    second one excluded). `source` is how it was typed; one that was not typed stands in `parameters` of the address.
    """

    field: str
    value: Any
    excluded: bool = False
    source: str = field_of(default="", compare=False)
    parameters: tuple[str, ...] = ()

    @property
    def is_text(self):
        """Whether it is looked for in names and addresses, rather than compared with a column."""
        return self.field in ("text", "email")

    @property
    def last_day(self):
        """The last moment of a `joined` term, `None` where it is open."""
        return self.value[1] and self.value[1] - datetime.timedelta.resolution


def parse(text):
    """Return the terms in `text`, what a person typed, and notes, translation strings, on what was not understood."""
    notes, terms = [], []
    text = "".join(" " if unicodedata.category(character) in BLANK else character for character in text)
    if len(text) > LONGEST:
        notes.append(_("Only the first ${count} characters were searched for.", mapping={"count": LONGEST}))
    for match in TERM.finditer(text[:LONGEST]):
        try:
            term = _term(match)
        except Misread as error:
            notes.append(error.args[0])
            continue
        if term and term not in terms:
            terms.append(term)
    if len(terms) > MOST_TERMS:
        notes.append(_("Only the first ${count} words were searched for.", mapping={"count": MOST_TERMS}))
    return tuple(terms[:MOST_TERMS]), tuple(notes)


def _term(match):
    source, minus, name = match[0], match["minus"], match["field"]
    field = FIELDS.get(fold(name)) if name else None
    value = match["phrase"] if match["phrase"] is not None else match["word"]
    if name and field is None:
        value = f"{name}:{value}"
    if not name and match["word"] and value.endswith(":") and fold(value[:-1]) in FIELDS:
        # A field whose value is still to come.
        return None
    if field in (None, "email"):
        folded = " ".join(fold(value).split())
        return Term(field or "text", folded, bool(minus), source) if folded else None
    read = {"age": ages, "joined": days}.get(field)
    return Term(field, read(value) if read else choice(field, value), bool(minus), source)


def choice(field, text):
    """Return the frozenset of the one value of `field` that `text` names. Raises `Misread`."""
    values = CHOICES[field]
    if fold(text) not in {fold(name) for name in values}:
        raise Misread(UNKNOWN[field] % {"text": text})
    return frozenset(value for name, value in values.items() if fold(name) == fold(text))


def ages(text):
    """Return (from, to) of `30`, `30-40`, `30-` or `-40`, years, both included. Raises `Misread`."""
    match = AGE.fullmatch(text)
    if not match or not (match["low"] or match["high"]):
        raise Misread(_("“${text}” is not an age: age:30 or age:30-40 is.", mapping={"text": text}))
    return ages_between(match["low"], match["high"] if match["to"] else match["low"])


def ages_between(low, high):
    """Return (from, to) of two texts, empty where open. Raises `Misread`."""
    low, high = (_age(text) if text else None for text in (low, high))
    if low is not None and high is not None and low > high:
        raise Misread(
            _(
                "Nobody is from ${low} to ${high} years old. Is ${high} to ${low} meant?",
                mapping={"low": low, "high": high},
            )
        )
    return low, high


def _age(text):
    if not re.fullmatch("[0-9]{1,3}", text) or int(text) > OLDEST:
        raise Misread(
            _("An age is a whole number from 0 to ${oldest}, not “${text}”.", mapping={"oldest": OLDEST, "text": text})
        )
    return int(text)


def days(text):
    """Return (from, before) of `2026`, `2026-01`, `2026-01-31`, or two of them with `..` between. Raises `Misread`."""
    match = DAYS.fullmatch(text)
    if not match or not (match["first"] or match["last"]):
        raise Misread(
            _("“${text}” is not a date: joined:2026-01 or joined:2025..2026-01-31 is.", mapping={"text": text})
        )
    return days_between(match["first"], match["last"] if match["to"] else match["first"])


def days_between(first, last):
    """Return (from, before) of two texts, each a year, a month or a day, empty where open. Raises `Misread`."""
    start, end = span(first)[0] if first else None, span(last)[1] if last else None
    if start and end and start >= end:
        raise Misread(
            _("${first} to ${last} has no day. Is ${last} to ${first} meant?", mapping={"first": first, "last": last})
        )
    return start, end


def span(text):
    """Return the first moment of the year, month or day that `text` names, and the first one after it, in UTC."""
    parts = [int(part) for part in text.split("-")] if re.fullmatch(DAY, text) else []
    try:
        year, month, day = [*parts, 1, 1][:3]
        start = datetime.datetime(year, month, day, tzinfo=datetime.UTC)
    except ValueError:
        raise Misread(_("“${text}” is not in the calendar.", mapping={"text": text})) from None
    try:
        if len(parts) == 1:
            return start, start.replace(year=start.year + 1)
        if len(parts) == 2:
            return start, (start + datetime.timedelta(days=31)).replace(day=1)
        return start, start + datetime.timedelta(days=1)
    except (ValueError, OverflowError):
        return start, END_OF_TIME
