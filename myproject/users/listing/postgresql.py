"""The list on PostgreSQL: whom a view finds, and the rows of a page.

The planner's statistics choose the index; this module only keeps it from reading all users for a few.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from ...web.pagination import KeysetCondition, in_order
from ..models import users
from . import rows
from .criteria import Criteria, Part, Word
from .indexes import LETTERS
from .rows import Hits, named, of_kind, one_by_one

# Plans for the very words of a search: a plan for any words would read all users to find a few. No JIT: to compile
# takes longer than what is compiled.
PLANNER_SETTINGS = sa.text(
    "SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('jit', 'off', true)"
)


def find_hits(connection: sa.Connection, criteria: Criteria, limit: int) -> Hits:
    """Return whom the criteria find, counted up to `limit`."""
    if criteria.conditions:
        connection.execute(PLANNER_SETTINGS)
    people = sa.select(users.c.id).where(*_conditions(connection, criteria))
    first = people.limit(limit)
    if not criteria.checks(criteria.keys):
        return Hits(people, rows.count_up_to(connection, first), None)
    [id_] = first.subquery().c
    # An array of many ids takes long to write out.
    ids = sa.case((sa.func.count() <= min(rows.FEW_HITS, limit - 1), sa.cast(sa.func.array_agg(id_), sa.Text)))
    return Hits(people, *connection.execute(sa.select(sa.func.count(), ids)).one())


def read_rows(
    connection: sa.Connection, criteria: Criteria, hits: Hits, edge: KeysetCondition, ascending: bool, limit: int
) -> Sequence[sa.Row[Any]]:
    """Return up to `limit` rows beyond the `edge`, sorted by the keys, which each row has last."""
    if hits.number == 0:
        return []
    if hits.ids is not None:
        is_hit = users.c.id == sa.any_(sa.cast(sa.literal(hits.ids, sa.Text), sa.ARRAY(sa.Integer)))
        return connection.execute(_select_sorted(criteria, is_hit, edge, ascending, limit)).all()
    part = _select_in_order(criteria, edge, ascending, limit)
    found = rows.read_in_order(connection, criteria, [part], ascending, limit)
    if found is None:
        return connection.execute(_select_sorted(criteria, hits.people.whereclause, edge, ascending, limit)).all()
    return found


def _conditions(connection: sa.Connection, criteria: Criteria) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of the criteria, such that the indexes of words are asked for rare words only."""
    if not criteria.words:
        return criteria.conditions
    letters = [Word(letter) for letter in sorted(set("".join(word.text for word in criteria.words)))]
    shares = rows.sample_shares(connection, [*criteria.words, *letters])
    leading = rows.rare_words(criteria.words, shares)
    checks = [word.condition() for word in criteria.words if word not in leading]
    return [
        *(part.condition() for part in criteria.parts if part in leading or part not in criteria.words),
        *_having_letters(leading, shares),
        *(one_by_one(checks) if leading else checks),
    ]


def _having_letters(words: Sequence[Word], shares: Mapping[Part, float]) -> list[sa.ColumnElement[bool]]:
    """Return the condition that a text has the rare letters of the words, if these have no trigram to look up."""
    text = "".join(word.text for word in words)
    if any(re.search(r"\w{3}", word.text) for word in words):
        return []
    rare = sorted({letter for letter in text if shares[Word(letter)] <= rows.COMMON_SHARE})
    return [LETTERS.op("@>")(sa.cast(rare, sa.ARRAY(sa.Text)))] if rare else []


def _select_sorted(
    criteria: Criteria, is_hit: Any, edge: KeysetCondition, ascending: bool, limit: int
) -> sa.Select[Any]:
    """Select the rows that are hits: all are found first, and then sorted."""
    # The planner does not look through an OFFSET, so it cannot prefer to read all users in order.
    found = rows.listed(criteria.keys).where(is_hit, *edge.conditions).offset(0).subquery()
    keys = list(found.c)[len(rows.SHOWN_COLUMNS) :]
    return sa.select(found).order_by(*in_order(keys, ascending)).limit(limit)


def _select_in_order(criteria: Criteria, edge: KeysetCondition, ascending: bool, limit: int) -> Any:
    """Select users along the index of the order, or along its piece for each kind."""
    keys, columns = criteria.keys, rows.select_from_order(criteria)
    most = rows.MOST_ROWS_IN_ORDER if criteria.checks(keys) else limit
    each = [
        columns.where(*of_kind(kind), *criteria.seeks(keys), *edge.conditions)
        .order_by(*in_order(keys, ascending))
        .limit(most)
        for kind in criteria.kinds(keys)
    ]
    if len(each) == 1:
        return each[0]
    # Only if each part is sorted by itself, the planner sees that an index has the users of a kind in this order.
    sorted_by: list[Any] = [sa.literal_column(key.name) for key in named(keys)]
    merged = sa.union_all(*(sa.select(part.subquery()) for part in each))
    return merged.order_by(*in_order(sorted_by, ascending)).limit(most)
