"""How many people are in a view: exactly where that is cheap or asked for, else about, or more than so many.

Unless asked for, no count looks at more than `MOST` entries of an index.
"""

from dataclasses import dataclass
from math import inf

from sqlalchemy import Select, func, literal, select, union_all
from sqlalchemy.ext.compiler import compiles

from ...web.pagination import EVERYTHING, PAGE_SIZE
from ..models import BY_JOINED, users
from . import finding
from .search import EVERY
from .selecting import EACH_KIND, RANGES, conditions, kept, kinds_of, some_of_kind
from .view import View

MOST_OF_KIND = 1000
# From here on, an estimate of PostgreSQL's planner says more than that there are more than on the page.
ESTIMATED_FROM = 2000


@dataclass(frozen=True)
class Count:
    """A number of people: `exact`, `about` so many, or `more` than so many."""

    number: int
    how: str = "exact"


def count(finder, page, *, size=PAGE_SIZE, exactly=False):
    """Return the Count of the people whom `finder` finds, of whom `page` shows some, `size` at the most."""
    if finder.all is not None:
        return Count(finder.all)
    if exactly or finder.is_few or finder.is_of_kinds or finder.is_small:
        return Count(finder.count())
    estimate = 0 if finder.is_sqlite else estimated(finder)
    if estimate >= ESTIMATED_FROM and (finder.view.terms or estimate > finding.MOST):
        return Count(rounded(estimate), "about")
    if finder.may_be_few and finder.gather_words():
        return Count(finder.count())
    number = finder.up_to(finding.MOST)
    if number is None:
        return beyond_first_page(finder, page, size)
    return Count(number) if number <= finding.MOST else Count(finding.MOST, "more")


def beyond_first_page(finder, page, size):
    """Return a Count of people whom no index counts: their first page tells whether there are more than on it."""
    first = page.rows
    if page.previous or page.is_beyond_end:
        first = finder.rows(EVERYTHING, not finder.view.descending, size + 1)[:size]
    return Count(len(first), "more") if finder.all is None else Count(finder.all)


def estimated(finder):
    """Return how many people PostgreSQL's planner expects: what its statistics say, without a look at the rows."""
    return finder.execute(explained(finder.shape)).scalar()[0]["Plan"]["Plan Rows"]


class Explain(Select):
    """EXPLAIN of a select, on PostgreSQL."""

    inherit_cache = True


@compiles(Explain)
def _explain(element, compiler, **options):
    return f"EXPLAIN (FORMAT JSON) {compiler.visit_select(element, **options)}"


@kept
def explained(shape):
    """Return an Explain of the ids of those in a view of this shape."""
    return Explain(users.c.id).where(*conditions(shape))


def rounded(number):
    """Return `number` as far as an estimate is good for: two digits."""
    return int(float(f"{number:.2g}"))


def choices(dbsession, view):
    """Return {field: {value: Count}}: how many there would be with another role, activity or posts; or `None`.

    It is `None` where only a look at everybody could tell.
    """
    others = View(view.parameters, tuple(term for term in view.terms if term.field not in EVERY))
    cells, most = _cells(dbsession, others)
    if cells is None:
        return None
    allowed = {field: view.of(field) for field in EVERY}
    found: dict[str, dict] = {}
    # What was typed stays when another is chosen.
    typed = View(terms=tuple(term for term in view.terms if not term.parameters))
    for field, value in [(name, value) for name, values in EVERY.items() for value in values]:
        within = {**allowed, field: {value} & typed.of(field)}
        numbers = [
            people
            for *kind, people in cells
            if all(part in within[name] for name, part in zip(EVERY, kind, strict=True))
        ]
        is_more = any(number > most for number in numbers)
        found.setdefault(field, {})[value] = Count(most, "more") if is_more else Count(sum(numbers))
    return found


def _cells(dbsession, view):
    """Return (role, active, has posts, people) of each kind in `view`, and how many of one are counted at the most."""
    finder = finding.Finder(dbsession, view)
    if finder.is_of_kinds:
        return finder.execute(EACH_KIND).all(), inf
    if finder.is_few or finder.is_small:
        return finder.kinds(), inf
    if len(view.terms) > 1 or any(term.is_text or term.excluded for term in view.terms):
        return None, 0
    return finder.execute(number_of_each_kind(finder.shape, MOST_OF_KIND + 1)).all(), MOST_OF_KIND


@kept
def number_of_each_kind(shape, most):
    """Return a select of (role, active, has posts, people) of each kind in a view of one range, or of all."""
    each = []
    keys = next((RANGES[term.field] for term in shape.terms), BY_JOINED)
    for kind in kinds_of(shape):
        people = some_of_kind(kind, keys, conditions(shape), most).subquery()
        number = select(func.count()).select_from(people).scalar_subquery()
        each.append(select(*(literal(value) for value in kind), number))
    return union_all(*each)
