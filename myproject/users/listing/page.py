"""A page of the list together with its count, from either database."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, CompoundSelect, Connection, Row, func, literal, select, union_all
from sqlalchemy.orm import Session

from ...web.pagination import ALL_ROWS, PAGE_SIZE, KeysetCondition, Page, read_page, rows_beyond
from ..models import BY_AGE, BY_JOINED, KINDS, users
from . import postgresql, sqlite
from .criteria import Criteria, criteria_of
from .rows import FEW_HITS_OF_PART, Hits, find_many, of_kind
from .search import CHOICES
from .view import View

# The one place that chooses between the databases.
DATABASES: Mapping[str, ModuleType] = {"sqlite": sqlite, "postgresql": postgresql}
# Larger numbers are exact only on demand: to count this many takes a few milliseconds at most.
LARGEST_EXACT_COUNT = 10_000


@dataclass(frozen=True)
class Count:
    """A number of users: exact, or a lower bound (“more than”)."""

    number: int
    is_exact: bool = True


def read_list(
    dbsession: Session,
    view: View,
    zone: ZoneInfo,
    cursor: str | None = None,
    *,
    start: Any = None,
    size: int = PAGE_SIZE,
    exactly: bool = False,
) -> tuple[Page, Count]:
    """Return a page of a view, and the number of users in the whole view, also a large one if asked `exactly`.

    The days of the view are those of `zone`. The page is the one that `cursor` names, or begins at `start`, a value of
    the first key. Its rows have what `criteria.SHOWN_COLUMNS` names. Raises `HTTPBadRequest` for an invalid cursor.
    """
    connection = dbsession.connection()
    database, criteria = DATABASES[connection.dialect.name], criteria_of(view, zone)
    hits = database.find_hits(connection, criteria, LARGEST_EXACT_COUNT + 1)
    read, keys = partial(database.read_rows, connection, criteria, hits), criteria.keys
    if view.is_ranked:
        read, keys = partial(_read_ranked, connection, criteria, hits), criteria.ranked_keys
    page = read_page(read, keys, cursor, start=start, descending=criteria.descending, size=size, list_name=view.query)
    if exactly and hits.number > LARGEST_EXACT_COUNT:
        return page, Count(connection.scalar(select(func.count()).select_from(hits.people.subquery())) or 0)
    return page, _count(hits.number)


def matches_of(dbsession: Session, view: View, zone: ZoneInfo) -> ColumnElement[bool]:
    """Return the SQL condition that a user is in the view, for a statement about all of them."""
    connection = dbsession.connection()
    database = DATABASES[connection.dialect.name]
    condition: ColumnElement[bool] = database.is_hit(database.find_hits(connection, criteria_of(view, zone), 1))
    return condition


def _read_ranked(
    connection: Connection, criteria: Criteria, hits: Hits, edge: KeysetCondition, ascending: bool, limit: int
) -> Sequence[Row[Any]]:
    """Return up to `limit` rows of a ranked list beyond the `edge`: a few are sorted, many are read part by part."""
    database = DATABASES[connection.dialect.name]
    if hits.ids is not None:
        ranked = replace(criteria, keys=criteria.ranked_keys)
        found: Sequence[Row[Any]] = database.read_rows(connection, ranked, hits, edge, ascending, limit)
        return found
    rows: list[Row[Any]] = []
    part_of_edge, values = edge.values[:1], edge.values[1:]
    for begins in (False, True) if ascending else (True, False):
        if part_of_edge == (ascending,) and begins != ascending:
            continue
        is_of_edge = part_of_edge == (begins,)
        beyond = rows_beyond(criteria.keys, values, ascending=ascending) if is_of_edge else ALL_ROWS
        part = criteria.ranked(begins)
        hits = find_many(connection, part) or database.find_hits(connection, part, FEW_HITS_OF_PART + 1)
        rows += database.read_rows(connection, part, hits, beyond, ascending, limit - len(rows))
        if len(rows) == limit:
            break
    return rows


def count_choices(dbsession: Session, view: View, zone: ZoneInfo) -> dict[str, dict[Any, Count]] | None:
    """Return {field: {value: Count}}: the users in the view if another role, activity or posts were chosen.

    `None` where the users without these filters are too many to count, and no index counts them.
    """
    others = replace(view, terms=tuple(term for term in view.terms if term.field not in CHOICES))
    kinds = _count_kinds(dbsession, criteria_of(others, zone))
    if kinds is None:
        return None
    # The terms that are typed stay when another filter is chosen.
    typed = replace(view, terms=tuple(term for term in view.terms if not term.parameters))
    allowed = {field: view.allowed(field) for field in CHOICES}
    return {
        field: {
            value: _count(_sum_kinds(kinds, {**allowed, field: {value} & typed.allowed(field)})) for value in values
        }
        for field, values in CHOICES.items()
    }


def _count(number: int) -> Count:
    return Count(number) if number <= LARGEST_EXACT_COUNT else Count(LARGEST_EXACT_COUNT, is_exact=False)


def _sum_kinds(kinds: Sequence[Sequence[Any]], allowed: Mapping[str, Container[Any]]) -> int:
    """Return the number of users of those kinds, (role, active, has posts, users), whose values are allowed."""
    return sum(
        number
        for *kind, number in kinds
        if all(value in allowed[field] for field, value in zip(CHOICES, kind, strict=True))
    )


def _count_kinds(dbsession: Session, criteria: Criteria) -> Sequence[Sequence[Any]] | None:
    """Return (role, active, has posts, users) of each kind, each counted as far as LARGEST_EXACT_COUNT, or `None`."""
    connection = dbsession.connection()
    keys = next((keys for keys in (BY_AGE, BY_JOINED) if criteria.seeks(keys)), BY_JOINED)
    if not criteria.checks(keys):
        return connection.execute(_select_numbers_of_kinds(criteria, keys)).all()
    database = DATABASES[connection.dialect.name]
    hits = database.find_hits(connection, criteria, LARGEST_EXACT_COUNT + 1)
    if hits.number > LARGEST_EXACT_COUNT:
        return None
    return connection.execute(select(*KINDS, func.count()).where(database.is_hit(hits)).group_by(*KINDS)).all()


def _select_numbers_of_kinds(criteria: Criteria, keys: tuple[Any, ...]) -> CompoundSelect[Any]:
    """Select the number of users of each kind, read from the piece that the index in the order of `keys` has of it."""
    numbers = []
    for kind in product(*criteria.kind_values):
        people = select(users.c.id).where(*of_kind(kind), *criteria.seeks(keys)).order_by(*keys)
        number = select(func.count()).select_from(people.limit(LARGEST_EXACT_COUNT + 1).subquery())
        numbers.append(select(*(literal(value) for value in kind), number.scalar_subquery()))
    return union_all(*numbers)
