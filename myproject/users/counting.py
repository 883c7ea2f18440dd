"""How many people are in a view: exactly where that is cheap or asked for, else about, or more than so many.

Unless asked for, no count looks at more than MOST entries of an index, or at the pages of one of MOST_AT_ONCE.
"""

from dataclasses import dataclass

from sqlalchemy import Executable, case, exists, func, literal, or_, select, union_all
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ClauseElement

from .finding import Finder
from .listing import View
from .models import BY_JOINED, users
from .search import EVERY
from .selecting import RANGES, conditions, kept, kinds_of, some_of_kind

# So many entries of an index are counted one by one.
MOST = 10_000
MOST_OF_KIND = 1000
# So many in all SQLite counts in 50 µs: page by page of an index, and not entry by entry.
MOST_AT_ONCE = 100_000
# From here on, an estimate of PostgreSQL's planner says more than that there are more than on the page.
ESTIMATED_FROM = 2000


@dataclass(frozen=True)
class Count:
    """A number of people: `exact`, `about` so many, or `more` than so many."""

    number: int
    how: str = "exact"


def count(finder, page, *, exactly=False):
    """Return the Count of the people whom `finder` finds, of whom `page` shows some."""
    if finder.all is not None:
        return Count(finder.all)
    if exactly or finder.is_few:
        return Count(finder.count())
    estimate = 0 if finder.is_sqlite else estimated(finder)
    if estimate >= ESTIMATED_FROM and (finder.view.terms or estimate > MOST):
        return Count(rounded(estimate), "about")
    if not finder.view.terms:
        number = finder.execute(everybody(MOST, MOST_AT_ONCE if finder.is_sqlite else MOST)).scalar()
        return Count(MOST, "more") if number is None else Count(number)
    if finder.may_be_few and finder.gather_words():
        return Count(finder.count())
    number = finder.up_to(MOST)
    if number is None:
        return Count(len(page.rows), "more")
    return Count(number) if number <= MOST else Count(MOST, "more")


@kept
def everybody(most, most_at_once):
    """Return a select of how many people there are, or NULL where they are more than `most` and than `most_at_once`."""
    largest = select(func.max(users.c.id)).scalar_subquery()
    more = exists(select(users.c.id).offset(most).limit(1))
    number = select(func.count()).select_from(users).scalar_subquery()
    return select(case((or_(largest <= most_at_once, ~more), number)))


def estimated(finder):
    """Return how many people PostgreSQL's planner expects: what its statistics say, without a look at the rows."""
    those = select(users.c.id).where(*conditions(finder.shape))
    return finder.execute(Explain(those)).scalar()[0]["Plan"]["Plan Rows"]


def rounded(number):
    """Return `number` as far as an estimate is good for: two digits."""
    return int(float(f"{number:.2g}"))


class Explain(Executable, ClauseElement):
    """EXPLAIN of a statement, on PostgreSQL."""

    inherit_cache = False

    def __init__(self, statement):
        self.statement = statement


@compiles(Explain)
def _explain(element, compiler, **options):
    return f"EXPLAIN (FORMAT JSON) {compiler.process(element.statement, **options)}"


def choices(dbsession, view):
    """Return {field: {value: Count}}: how many there would be with another role, activity or posts; or `None`.

    It is `None` where only a look at everybody could tell.
    """
    others = View(view.parameters, tuple(term for term in view.terms if term.field not in EVERY))
    cells = _cells(dbsession, others)
    if cells is None:
        return None
    allowed = {field: view.of(field) for field in EVERY}
    found: dict[str, dict] = {}
    for field, value in [(name, value) for name, values in EVERY.items() for value in values]:
        within = {**allowed, field: {value}}
        numbers = [
            people
            for *kind, people in cells
            if all(part in within[name] for name, part in zip(EVERY, kind, strict=True))
        ]
        how = "more" if any(number > MOST_OF_KIND for number in numbers) else "exact"
        found.setdefault(field, {})[value] = Count(MOST_OF_KIND if how == "more" else sum(numbers), how)
    return found


def _cells(dbsession, view):
    """Return (role, active, has posts, people) of each kind of people in `view`, MOST_OF_KIND + 1 at the most."""
    finder = Finder(dbsession, view)
    if finder.is_few:
        return finder.kinds()
    if len(view.terms) > 1 or any(term.is_text or term.excluded for term in view.terms):
        return None
    return finder.execute(number_of_each_kind(finder.shape, MOST_OF_KIND + 1)).all()


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
