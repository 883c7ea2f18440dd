"""The list on PostgreSQL: whom a view finds, and the rows of a page.

The planner's statistics choose the index; this module only keeps it from reading all users for a few.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ...web.pagination import KeysetCondition, in_order
from ..models import users
from . import rows
from .criteria import Criteria, Part, Word
from .indexes import LETTERS
from .rows import Hits, named, of_kind, one_by_one

# Plans for the very words of a search: a plan for any words would read all users to find a few. No JIT: to compile
# takes longer than what is compiled. Rows that are not side by side cost little more: they are in memory, or on an SSD.
PLANNER_SETTINGS = sa.text(
    "SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('jit', 'off', true),"
    " set_config('random_page_cost', '1.1', true)"
)
# A chunk of a long list is read along the index, however much of the list it is, and those users of it that meet all
# checks are looked up one by one: the planner would rather read the whole table for each chunk.
SETTINGS_OF_CHUNK = sa.text(f"{PLANNER_SETTINGS}, set_config('enable_sort', 'off', true)")
SETTINGS_OF_CHECKED_CHUNK = sa.text(f"{PLANNER_SETTINGS}, set_config('enable_hashjoin', 'off', true)")


def find_hits(connection: sa.Connection, criteria: Criteria, limit: int) -> Hits:
    """Return whom the criteria find, counted up to `limit`."""
    if criteria.conditions:
        connection.execute(PLANNER_SETTINGS)
    people = _select_people(connection, criteria)
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
        return connection.execute(_select_sorted(criteria, is_hit(hits), edge, ascending, limit)).all()
    most = rows.MOST_ROWS_IN_ORDER if criteria.checks(criteria.keys) else limit
    part = _select_in_order(criteria, edge, ascending, most)
    found = rows.read_in_order(connection, criteria, [part], ascending, limit)
    if found is None:
        return connection.execute(_select_sorted(criteria, is_hit(hits), edge, ascending, limit)).all()
    return found


def read_next(
    connection: sa.Connection, criteria: Criteria, edge: KeysetCondition, ascending: bool, most: int
) -> tuple[rows.Columns, rows.Edge]:
    """Return what `rows.read_next` does of the next `most` users beyond the `edge`."""
    if criteria.checks(criteria.keys):
        connection.execute(SETTINGS_OF_CHECKED_CHUNK)
        part = _select_in_order(criteria, edge, ascending, most)
    else:
        connection.execute(SETTINGS_OF_CHUNK)
        part = _select_along(rows.listed(criteria), criteria, edge, ascending, most)
    return rows.read_next(connection, criteria, [part], ascending, most)


def is_hit(hits: Hits) -> sa.ColumnElement[bool]:
    """Return the condition that a user is among the hits."""
    if hits.ids is None:
        where = hits.people.whereclause
        return sa.true() if where is None else where
    return users.c.id == sa.any_(sa.cast(sa.literal(hits.ids, sa.Text), sa.ARRAY(sa.Integer)))


def _select_people(connection: sa.Connection, criteria: Criteria) -> sa.Select[Any]:
    """Select the ids of the users, such that the indexes of words are asked for rare words only."""
    indexed, letters = _look_up(connection, criteria.words) if criteria.words else ([], [])
    parts: list[Part] = [*criteria.ranges, *indexed]
    texts: list[Part] = [*criteria.words, *criteria.lacking, *criteria.among]
    checks = one_by_one([part.condition() for part in texts if part not in indexed])
    has_letters = [LETTERS.op("@>")(sa.cast(letters, sa.ARRAY(sa.Text)))] if letters else []
    conditions = [*criteria.kind_conditions, *(part.condition() for part in parts), *has_letters]
    people = sa.select(users.c.id).where(*conditions, *checks)
    # An index by name would have the users with a word close together, perhaps at its far end.
    return people.order_by(users.c.id) if checks and not conditions else people


def _look_up(connection: sa.Connection, words: Sequence[Word]) -> tuple[list[Word], list[str]]:
    """Return the words to ask the index of trigrams for, or, if there are none, rare letters of the words."""
    pieces = {piece: _piece(piece) for word in words for piece in (*word.text, *_pieces(word))}
    shares = rows.sample_shares(connection, [*words, *pieces.values()])
    rare = {text for text, piece in pieces.items() if shares[piece] <= rows.COMMON_SHARE}
    found = rows.words_to_look_up(words, shares)
    indexed = [word for word in found if rare.intersection(_pieces(word))]
    return indexed, [] if indexed else sorted(rare.intersection("".join(word.text for word in found)))


@dataclass(frozen=True)
class _Beginning:
    """Letters that begin a word, as the index has words: also after an @, a full stop or a hyphen."""

    text: str
    column = "search_text"

    def condition(self, row: Any) -> sa.ColumnElement[bool]:
        """Return the condition that a row has the word."""
        return row.search_text.regexp_match(rf"\m{self.text}")


def _piece(text: str) -> Word | _Beginning:
    return _Beginning(text.strip()) if re.fullmatch(r" \w+", text) else Word(text)


def _pieces(word: Word) -> list[str]:
    """Return the parts of a word that have trigrams in the index: three or more letters, or two after a space."""
    return re.findall(r" \w{2,}|\w{3,}", word.text)


def _select_sorted(
    criteria: Criteria, condition: sa.ColumnElement[bool], edge: KeysetCondition, ascending: bool, limit: int
) -> sa.Select[Any]:
    """Select rows that meet a condition: all are found first, and then sorted."""
    # The planner does not look through an OFFSET, so it cannot prefer to read all users in order.
    found = rows.listed(criteria).where(condition, *edge.conditions).offset(0).subquery()
    keys = list(found.c)[-len(criteria.keys) :]
    return sa.select(found).order_by(*in_order(keys, ascending)).limit(limit)


def _select_in_order(criteria: Criteria, edge: KeysetCondition, ascending: bool, most: int) -> Any:
    """Select up to `most` users beyond the `edge` along the index of the order, or along its piece for each kind."""
    keys, people = criteria.keys, _select_along(rows.looked_at(criteria), criteria, edge, ascending, most)
    if criteria.checks(keys):
        return people
    # Read from the index alone, or the planner may prefer to sort all rows beyond the edge.
    found = people.subquery()
    shown = rows.listed(criteria).join(found, users.c.id == found.c.id)
    return shown.order_by(*in_order(keys, ascending))


def _select_along(
    columns: sa.Select[Any], criteria: Criteria, edge: KeysetCondition, ascending: bool, most: int
) -> Any:
    """Select up to `most` users, of `columns` with the keys, piece by piece of the index."""
    keys = criteria.keys
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
