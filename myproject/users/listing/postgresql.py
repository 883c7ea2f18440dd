"""The list on PostgreSQL: whom a view finds, and the rows of a page.

The planner's statistics choose the index; this module only keeps it from reading all users for a few.
"""

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    Text,
    any_,
    cast,
    func,
    literal,
    literal_column,
    select,
    text,
    union_all,
)

from ...web.pagination import KeysetCondition, in_order
from ..models import users
from . import rows
from .criteria import Criteria
from .indexes import LETTERS
from .rows import Hits, looked_at, named, of_kind, one_by_one

# Plans for the very words of a search: a plan for any words would read all users to find a few. No JIT: to compile
# takes longer than what is compiled.
PLANNER_SETTINGS = text(
    "SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('jit', 'off', true)"
)


def find_hits(connection: Connection, criteria: Criteria, limit: int) -> Hits:
    """Return whom the criteria find, counted up to `limit`."""
    if criteria.conditions:
        connection.execute(PLANNER_SETTINGS)
    people = select(users.c.id).where(*_conditions(connection, criteria))
    [id_] = people.limit(limit).subquery().c
    number, ids = connection.execute(select(func.count(), cast(func.array_agg(id_), Text))).one()
    return Hits(people, number, ids if number <= rows.FEW_HITS else None)


def read_rows(
    connection: Connection, criteria: Criteria, hits: Hits, edge: KeysetCondition, ascending: bool, limit: int
) -> Sequence[Row[Any]]:
    """Return up to `limit` rows beyond the `edge`, sorted by the keys, which each row has last."""
    if hits.number == 0:
        return []
    if hits.ids is not None and criteria.checks(criteria.keys):
        is_hit = users.c.id == any_(cast(literal(hits.ids, Text), ARRAY(Integer)))
        return connection.execute(_select_sorted(criteria, is_hit, edge, ascending, limit)).all()
    most = rows.MOST_ROWS_IN_ORDER if criteria.checks(criteria.keys) else limit
    part = _select_in_order(criteria, edge, ascending, most)
    found = rows.read_in_order(connection, criteria, [part], ascending, limit)
    if found is None:
        is_hit = users.c.id.in_(hits.people)
        return connection.execute(_select_sorted(criteria, is_hit, edge, ascending, limit)).all()
    return found


def _conditions(connection: Connection, criteria: Criteria) -> list[ColumnElement[bool]]:
    """Return the conditions of the criteria, such that the indexes of words are asked for rare words only."""
    rare = rows.find_rare_words(connection, criteria.words)
    long = [word for word in rare if len(word.text) >= 3]
    leading = long or rare
    conditions = [part.condition() for part in (*criteria.choices, *criteria.ranges, *leading)]
    if leading and not any(re.search(r"\w{3}", word.text) for word in leading):
        # Without three letters in a row there is no trigram, but an index of single letters.
        letters = sorted(set("".join(word.text for word in leading)))
        conditions.append(LETTERS.op("@>")(cast(letters, ARRAY(Text))))
    checks = [word.condition() for word in criteria.words if word not in leading]
    return [*conditions, *(one_by_one(checks) if leading else checks)]


def _select_sorted(
    criteria: Criteria, is_hit: ColumnElement[bool], edge: KeysetCondition, ascending: bool, limit: int
) -> Select[Any]:
    """Select the rows that are hits: all are found first, and then sorted."""
    # The planner does not look through an OFFSET, so it cannot prefer to read all users in order.
    found = rows.listed(criteria.keys).where(is_hit, *edge.conditions).offset(0).subquery()
    keys = list(found.c)[len(rows.SHOWN_COLUMNS) :]
    return select(found).order_by(*in_order(keys, ascending)).limit(limit)


def _select_in_order(criteria: Criteria, edge: KeysetCondition, ascending: bool, most: int) -> Any:
    """Select what is to be checked of up to `most` users, along the index of the order or its piece for each kind."""
    keys = criteria.keys
    columns = looked_at(keys, criteria.checks(keys))
    conditions = [*criteria.seeks(keys), *edge.conditions]
    # Only if each part is sorted by itself, the planner sees that an index has the users of a kind in this order.
    each = [
        select(
            select(*columns)
            .where(*of_kind(kind), *conditions)
            .order_by(*in_order(keys, ascending))
            .limit(most)
            .subquery()
        )
        for kind in criteria.kinds(keys)
    ]
    sorted_by = [literal_column(key.name) for key in named(keys)]
    return union_all(*each).order_by(*in_order(sorted_by, ascending)).limit(most)
