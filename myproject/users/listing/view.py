"""A view of the list: who is asked for, and in which order. It is written in the address, and read from it here alone.

The list, its saved views, and whatever is done to all the people of a view start from the same `View`.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from urllib.parse import parse_qsl, urlencode

from pyramid.httpexceptions import HTTPBadRequest

from ...db.folding import fold
from ...web.i18n import _
from ..models import BY_ACTIVE, BY_ADDED, BY_AGE, BY_EMAIL, BY_JOINED, BY_NAME, BY_ROLE
from .search import CHOICES, EVERY, Misread, Term, ages_between, choice, days_between, parse, span

ORDERS = {
    "name": BY_NAME,
    "email": BY_EMAIL,
    "age": BY_AGE,
    "role": BY_ROLE,
    "active": BY_ACTIVE,
    "joined": BY_JOINED,
    "added": BY_ADDED,
}
# Where something is searched for, whoever was added last comes first: the words of a search crowd together in the
# order of the names, and a page of many a search would begin with a long way through others. SQLite finds those with
# the words themselves in the order in which they were added; the day of joining has an index for each kind.
SEARCHED, SEARCHED_AMONG, LISTED = "-added", "-joined", "name"
BETWEEN = {"age": ages_between, "joined": days_between}
PARAMETERS = ("q", *EVERY, "age_from", "age_to", "joined_from", "joined_to", "sort")
# Beyond every letter: a database compares it as the last.
AFTER_ALL = "\U0010ffff"


@dataclass(frozen=True)
class View:
    """Who is asked for, and in which order: the parameters of the address that say so, and what they were read as."""

    parameters: tuple[tuple[str, str], ...] = ()
    terms: tuple[Term, ...] = ()
    notes: tuple = ()

    @cached_property
    def chosen(self):
        """The parameters as a dictionary."""
        return dict(self.parameters)

    @property
    def q(self):
        """What was typed into the search."""
        return self.chosen.get("q", "")

    @cached_property
    def sort(self):
        """The order, `name` or `-name`."""
        if "sort" in self.chosen:
            return self.chosen["sort"]
        by_text = [term.is_text for term in self.terms]
        return LISTED if not any(by_text) else SEARCHED if all(by_text) else SEARCHED_AMONG

    @property
    def order(self):
        """The column to sort by."""
        return self.sort.removeprefix("-")

    @property
    def descending(self):
        """Whether the last comes first."""
        return self.sort.startswith("-")

    @property
    def keys(self):
        """The columns to sort by, together unique."""
        return ORDERS[self.order]

    def having(self, **changes):
        """Return the query string of this view with other parameters; `None` leaves one out."""
        parameters = {**self.chosen, **changes}
        return _encoded(tuple([pair for pair in parameters.items() if pair[1] is not None]))

    @cached_property
    def query(self):
        """The query string of this view."""
        return self.having()

    def starting_at(self, text):
        """Return the query string of this view, opened at a place, with the way to others."""
        return self.having(**{"from": text}, panel="places")

    def words(self, *fields):
        """Return the words, folded, that are looked for by the terms `text` or `email`."""
        return [term.value for term in self.terms if term.field in fields and not term.excluded]

    def without(self, term):
        """Return the query string of this view without one of its terms."""
        if term.parameters:
            return self.having(**dict.fromkeys(term.parameters))
        rest = " ".join(other.source for other in self.terms if not other.parameters and other is not term)
        return self.having(q=rest or None)

    def of(self, field):
        """Return the value of `field` that all terms together allow: for `role`, `active` and `posts`."""
        allowed = EVERY[field]
        for term in self.terms:
            if term.field == field:
                allowed = allowed - term.value if term.excluded else allowed & term.value
        return allowed


# A page has ten links, most of them the same as on other pages.
_encoded = lru_cache(4096)(urlencode)


def read_view(parameters):
    """Return the View that `parameters`, those of an address, describe; what a person may mistype becomes a note.

    Raises `HTTPBadRequest` where something stands there that no page of ours writes.
    """
    given = {name: text.strip() for name, text in parameters.items()}
    chosen = {name: given[name] for name in PARAMETERS if given.get(name)}
    if chosen.get("sort", LISTED).removeprefix("-") not in ORDERS:
        raise HTTPBadRequest(_("The list cannot be sorted by that. Choose one of the columns."))
    terms, notes = parse(chosen.get("q", ""))
    terms, notes = list(terms), list(notes)
    for field in EVERY:
        if field in chosen:
            if chosen[field] not in CHOICES[field]:
                raise HTTPBadRequest(_("The list cannot be narrowed by that. Choose one of the filters."))
            terms.append(Term(field, choice(field, chosen[field]), parameters=(field,)))
    for field, read in BETWEEN.items():
        names = f"{field}_from", f"{field}_to"
        if any(name in chosen for name in names):
            try:
                terms.append(Term(field, read(*(chosen.get(name) for name in names)), parameters=names))
            except Misread as error:
                notes.append(error.args[0])
    return View(tuple(chosen.items()), tuple(terms), tuple(notes))


def read_query(query):
    """Return the View that `query`, a query string, describes, as `read_view` does."""
    return read_view(dict(parse_qsl(query)))


def start_of(view, text):
    """Return the value of the first key at which a page begins that is to start at `text`, and a note if it cannot.

    A letter or the beginning of a name or an address, an age, or a year, month or day; nothing for an empty text.
    """
    text = text.strip()
    if not text:
        return None, None
    if view.order in ("name", "email"):
        letter = fold(text.replace("\0", ""))[:100]
        return (letter + AFTER_ALL if view.descending else letter), None
    try:
        if view.order == "age":
            return ages_between(text, "")[0], None
        if view.order == "joined":
            first, after = span(text)
            return (after - datetime.resolution if view.descending else first), None
    except Misread as error:
        return None, error.args[0]
    return None, _("Only lists by name, email, age and day of joining can be opened at a place.")
