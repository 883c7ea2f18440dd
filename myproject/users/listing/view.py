"""The view of the list that an address describes: which users, in which order.

The list, its saved views, and whatever is done to all users of a view start from the same `View`. Addresses are read
and written here only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

from pyramid.httpexceptions import HTTPBadRequest
from pyramid.i18n import TranslationString

from ...db.folding import fold
from ...web.days import start_of_day, start_of_next_day
from ...web.i18n import _
from ...web.rules import without_invisible_characters
from ..models import BY_ACTIVE, BY_ADDED, BY_AGE, BY_EMAIL, BY_JOINED, BY_NAME, BY_ROLE
from .search import CHOICE_NAMES, CHOICES, Misread, Term, parse, read_age_range, read_choice, read_day_range, read_days

ORDERS: dict[str, tuple[Any, ...]] = {
    "name": BY_NAME,
    "email": BY_EMAIL,
    "age": BY_AGE,
    "role": BY_ROLE,
    "active": BY_ACTIVE,
    "joined": BY_JOINED,
    "added": BY_ADDED,
}
# A search lists the newest first: in the order of names, everybody who has a word may be at the far end.
DEFAULT_SORT, DEFAULT_SORT_OF_WORDS = "name", "-added"
READ_RANGE = {"age": read_age_range, "joined": read_day_range}
PARAMETERS = ("q", *CHOICES, "age_from", "age_to", "joined_from", "joined_to", "sort")
# Both databases sort it after every other letter.
LAST_LETTER = "\U0010ffff"


@dataclass(frozen=True)
class View:
    """The parameters of the address that choose users and order, the terms that they mean, and notes for the page.

    `notes` are translation strings about what was not understood.
    """

    parameters: tuple[tuple[str, str], ...] = ()
    terms: tuple[Term, ...] = ()
    notes: tuple[TranslationString, ...] = ()

    @cached_property
    def values(self) -> dict[str, str]:
        """The parameters as a dictionary."""
        return dict(self.parameters)

    @property
    def q(self) -> str:
        """The text of the search."""
        return self.values.get("q", "")

    @cached_property
    def sort(self) -> str:
        """The order as in the address, `name` or `-name`."""
        if "sort" in self.values:
            return self.values["sort"]
        return DEFAULT_SORT_OF_WORDS if any(term.is_text for term in self.terms) else DEFAULT_SORT

    @property
    def is_ranked(self) -> bool:
        """Whether users come first of whom each word of the search begins a word of the name: if no order is chosen.

        Parts of addresses are not asked for that.
        """
        return "sort" not in self.values and any(term.counts_for_rank for term in self.terms)

    @property
    def order(self) -> str:
        """The name of the column to sort by."""
        return self.sort.removeprefix("-")

    @property
    def descending(self) -> bool:
        """Whether the last comes first."""
        return self.sort.startswith("-")

    @property
    def keys(self) -> tuple[Any, ...]:
        """The columns to sort by, together unique."""
        return ORDERS[self.order]

    def query_with(self, **changes: str | None) -> str:
        """Return the query string of this view with other parameters; `None` removes one."""
        return urlencode({name: text for name, text in {**self.values, **changes}.items() if text is not None})

    @cached_property
    def query(self) -> str:
        """The query string of this view."""
        return self.query_with()

    def narrowed(self, text: str) -> "View":
        """Return the view of those of these users who match another search, too."""
        # An address in angle brackets would take words before it for a name.
        parts = sorted(filter(None, (self.q, text)), key=lambda part: not part.endswith((">", "＞")))
        return read_view({**self.values, "q": " ".join(parts)})

    def query_from(self, text: str) -> str:
        """Return the query string of this view, opened at a place, with the panel that leads to others."""
        return self.query_with(**{"from": text}, panel="places")

    def query_without(self, term: Term) -> str:
        """Return the query string of this view without one of its terms."""
        if term.parameters:
            return self.query_with(**dict.fromkeys(term.parameters))
        rest = [other.source for other in self.terms if not other.parameters and other is not term]
        # As in `narrowed`.
        rest.sort(key=lambda source: not source.endswith((">", "＞")))
        return self.query_with(q=" ".join(rest) or None)

    def words_in(self, *fields: str) -> list[str]:
        """Return the folded words that the terms `text` or `email` search for, to mark them in a text."""
        return [term.value for term in self.terms if term.field in fields and not term.excluded]

    def allowed(self, field: str) -> frozenset[Any]:
        """Return the values of `role`, `active` or `posts` that all terms together allow."""
        allowed = CHOICES[field]
        for term in self.terms:
            if term.field == field:
                allowed = allowed - term.value if term.excluded else allowed & term.value
        return allowed


def read_view(parameters: Mapping[str, str]) -> View:
    """Return the View that the parameters of an address describe; mistyped values become notes.

    Raises `HTTPBadRequest` for values that no form or link of the site sends.
    """
    given = {
        name: text.strip() if name == "q" else without_invisible_characters(text) for name, text in parameters.items()
    }
    values = {name: given[name] for name in PARAMETERS if given.get(name)}
    if values.get("sort", DEFAULT_SORT).removeprefix("-") not in ORDERS:
        raise HTTPBadRequest(_("The list cannot be sorted by this. Choose one of the columns."))
    terms, notes = parse(values.get("q", ""))
    chosen = tuple(_read_filter(field, values[field]) for field in CHOICES if field in values)
    ranges, more_notes = _read_ranges(values)
    return View(tuple(values.items()), (*terms, *chosen, *ranges), (*notes, *more_notes))


def _read_filter(field: str, text: str) -> Term:
    if text not in CHOICE_NAMES[field]:
        raise HTTPBadRequest(_("The list cannot be filtered by this. Choose one of the filters."))
    return Term(field, read_choice(field, text), parameters=(field,))


def _read_ranges(values: Mapping[str, str]) -> tuple[list[Term], list[TranslationString]]:
    terms, notes = [], []
    for field, read in READ_RANGE.items():
        names = f"{field}_from", f"{field}_to"
        if any(name in values for name in names):
            try:
                terms.append(Term(field, read(*(values.get(name, "") for name in names)), parameters=names))
            except Misread as error:
                notes.append(error.args[0])
    return terms, notes


def read_query(query: str) -> View:
    """Return the View that a query string describes, as `read_view` does."""
    return read_view(dict(parse_qsl(query)))


def read_start(view: View, text: str, zone: ZoneInfo) -> tuple[Any, TranslationString | None]:
    """Return the value of the first key at which a page begins that is to start at `text`, and a note if it cannot.

    `text` is the beginning of a name or an address, an age, or a year, month or day in `zone`. Both are `None` if it is
    empty.
    """
    text = text.strip()
    if not text:
        return None, None
    if view.order in ("name", "email"):
        letters = fold(text.replace("\0", ""))[:100]
        if view.order == "name":
            letters = " " + letters
        return (letters + LAST_LETTER if view.descending else letters), None
    try:
        if view.order == "age":
            return read_age_range(text, "")[0], None
        if view.order == "joined":
            first, last = read_days(text)
            end = start_of_next_day(last, zone) - datetime.resolution
            return (end if view.descending else start_of_day(first, zone)), None
    except Misread as error:
        return None, error.args[0]
    return None, _("To jump to a place in the list, sort it by name, email, age or date joined.")
