"""The list on SQLite: whom a view finds, and the rows of a page.

SQLite has no statistics that tell common words from rare ones, so this module measures, and chooses the index.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.operators import custom_op

from ...web.pagination import ALL_ROWS, KeysetCondition, in_order
from ..models import BY_ADDED, BY_AGE, BY_JOINED, BY_NAME, users
from . import rows
from .criteria import Criteria, Part, Word
from .rows import Hits, listed, named, of_kind, one_by_one

# More trigrams exclude hardly anybody else and take longer to look up.
MOST_TRIGRAMS = 24
# One or two letters that begin more trigrams in use are common.
MOST_TRIGRAMS_OF_LETTERS = 200
LAST_LETTER = "\U0010ffff"
# How many entries of an index SQLite reads in the time that one row of the table takes.
ROW_COST = 8

# The index of words, and the trigrams that it has: see indexes.py.
trigrams = sa.table("users_trigrams", sa.column("rowid", sa.Integer))
trigrams_in_use = sa.table("users_trigrams_used", sa.column("term"))
rowid = trigrams.c.rowid


@dataclass(frozen=True)
class _Index:
    """A way to the users: `entries` selects ids from an index alone, `people` those of them who meet all else, too.

    `cost` compares the time that it takes among many users.
    """

    entries: sa.Select[Any]
    people: sa.Select[Any]
    cost: float


def find_hits(connection: sa.Connection, criteria: Criteria, limit: int) -> Hits:
    """Return whom the criteria find, counted up to `limit`."""
    people = _select_people(connection, criteria)
    first = people.limit(limit)
    if not criteria.checks(criteria.keys):
        return Hits(people, rows.count_up_to(connection, first), None)
    [id_] = first.subquery().c
    number, ids = connection.execute(sa.select(sa.func.count(), sa.func.json_group_array(id_))).one()
    return Hits(people, number, ids if number <= min(rows.FEW_HITS, limit - 1) else None)


def read_rows(
    connection: sa.Connection, criteria: Criteria, hits: Hits, edge: KeysetCondition, ascending: bool, limit: int
) -> Sequence[sa.Row[Any]]:
    """Return up to `limit` rows beyond the `edge`, sorted by the keys, which each row has last."""
    if hits.number == 0:
        return []
    if hits.ids is not None:
        return connection.execute(_select_sorted(criteria, is_hit(hits), edge, ascending, limit)).all()
    if criteria.keys is BY_ADDED and hits.people.selected_columns[0] is rowid:
        return connection.execute(_select_by_words(criteria, hits.people, edge, ascending, limit)).all()
    parts = _select_in_order(criteria, edge, ascending, rows.MOST_ROWS_IN_ORDER)
    found = rows.read_in_order(connection, criteria, parts, ascending, limit)
    if found is None:
        return connection.execute(_select_sorted(criteria, is_hit(hits), edge, ascending, limit)).all()
    return found


def read_next(
    connection: sa.Connection, criteria: Criteria, edge: KeysetCondition, ascending: bool, most: int
) -> tuple[rows.Columns, rows.Edge]:
    """Return what `rows.read_next` does of the next `most` users beyond the `edge`."""
    parts = _select_in_order(criteria, edge, ascending, most)
    return rows.read_next(connection, criteria, parts, ascending, most)


def is_hit(hits: Hits) -> sa.ColumnElement[bool]:
    """Return the condition that a user is among the hits."""
    if hits.ids is None:
        return users.c.id.in_(hits.people)
    return users.c.id.in_(sa.select(sa.func.json_each(hits.ids).table_valued("value").c.value))


def _select_people(connection: sa.Connection, criteria: Criteria) -> sa.Select[Any]:
    """Select the ids of the users by the index that has the fewest others."""
    shares = {}
    if criteria.words or len(criteria.ranges) > 1:
        shares = rows.sample_shares(connection, criteria.parts)
    indexes = [*_by_words(connection, criteria, shares), *_by_kinds_and_ranges(criteria, shares)]
    if not indexes:
        people = sa.select(users.c.id).where(*criteria.conditions)
        # An index by name would have the users with a word close together, perhaps at its far end.
        return people.order_by(users.c.id) if criteria.words else people
    if len(indexes) == 1:
        return indexes[0].people
    sizes = [rows.count_up_to(connection, index.entries.limit(rows.FEW_HITS + 1)) for index in indexes]
    if min(sizes) <= rows.FEW_HITS:
        return indexes[sizes.index(min(sizes))].people
    return min(indexes, key=lambda index: index.cost).people


def _by_words(connection: sa.Connection, criteria: Criteria, shares: Mapping[Part, float]) -> list[_Index]:
    """Return the index of words, if the criteria have a rare word."""
    words = rows.words_to_look_up(criteria.words, shares)
    alternatives, proven = _trigrams_of(connection, words)
    if not alternatives:
        return []
    entries = sa.select(rowid).where(sa.literal_column("users_trigrams").op("MATCH")(_expression(alternatives)))
    checks = [part.condition() for part in criteria.parts if part not in proven]
    people = entries.where(sa.exists().where(users.c.id == rowid, *checks)) if checks else entries
    return [_Index(entries, people, ROW_COST * prod(shares[word] for word in words))]


def _by_kinds_and_ranges(criteria: Criteria, shares: Mapping[Part, float]) -> list[_Index]:
    """Return the indexes that have the users of a kind, or within a range, together."""
    orders = [keys for keys in (BY_AGE, BY_JOINED) if criteria.seeks(keys)]
    if criteria.choices and not orders:
        orders = [BY_NAME]
    return [_by_order(criteria, keys, shares) for keys in orders]


def _by_order(criteria: Criteria, keys: tuple[Any, ...], shares: Mapping[Part, float]) -> _Index:
    entries = sa.select(users.c.id).where(*criteria.kind_conditions, *criteria.seeks(keys))
    checks = criteria.checks(keys)
    people = entries.where(*one_by_one([part.condition() for part in checks]))
    # The index by name has the columns to be checked; for another one, SQLite reads the row.
    share = prod(shares.get(part, 1) for part in criteria.parts if part not in checks)
    return _Index(entries, people, share if keys is BY_NAME else share * ROW_COST)


def _expression(alternatives: Sequence[Sequence[str]]) -> str:
    """Return the FTS5 expression for one trigram of each of the `alternatives`."""
    quoted = [[f'"{trigram.replace(chr(34), chr(34) * 2)}"' for trigram in part] for part in alternatives]
    # The empty string has no trigram: nothing matches it.
    return " AND ".join(f"({' OR '.join(part)})" if part else '("")' for part in quoted)


def _trigrams_of(connection: sa.Connection, words: Sequence[Word]) -> tuple[list[Sequence[str]], list[Word]]:
    """Return the trigrams to look up, one of each item, and the words that a text with them has for certain.

    A longer word is not certain: its trigrams may be apart from one another in the text.
    """
    trigrams: list[Sequence[str]] = []
    certain = []
    for word in words:
        if len(word.text) >= 3:
            # Those that overlap tell little more.
            starts = sorted({*range(0, len(word.text) - 2, 3), len(word.text) - 3})
            found: list[Sequence[str]] = [[word.text[at : at + 3]] for at in starts]
        else:
            beginning = _trigrams_beginning(connection, word.text)
            found = [beginning] if len(beginning) < MOST_TRIGRAMS_OF_LETTERS else []
        trigrams += found
        if len(found) == 1 and len(word.text) <= 3 and not word.in_email and len(trigrams) <= MOST_TRIGRAMS:
            certain.append(word)
    return trigrams[:MOST_TRIGRAMS], certain


def _trigrams_beginning(connection: sa.Connection, letters: str) -> Sequence[str]:
    """Return the trigrams in use that begin with one or two letters, as many as tell that they are common."""
    term = trigrams_in_use.c.term
    between = sa.select(term).where(term >= letters, term < letters + LAST_LETTER)
    return connection.scalars(between.limit(MOST_TRIGRAMS_OF_LETTERS)).all()


def _select_sorted(
    criteria: Criteria, condition: sa.ColumnElement[bool], edge: KeysetCondition, ascending: bool, limit: int
) -> sa.Select[Any]:
    """Select rows that meet a condition: all are found first, and then sorted."""
    # SQLite does not use an index to sort by `+ key`: https://www.sqlite.org/optoverview.html
    keys: list[Any] = [sa.UnaryExpression(key, operator=custom_op("+")) for key in criteria.keys]
    found = listed(criteria).where(condition, *edge.conditions)
    return found.order_by(*in_order(keys, ascending)).limit(limit)


def _select_by_words(
    criteria: Criteria, people: sa.Select[Any], edge: KeysetCondition, ascending: bool, limit: int
) -> sa.Select[Any]:
    """Select rows in the order of adding: the index of words is in that order, too."""
    beyond = [rowid > value if ascending else rowid < value for value in edge.values]
    ids = people.where(*beyond).order_by(*in_order([rowid], ascending)).limit(limit)
    return _select_sorted(criteria, users.c.id.in_(ids), ALL_ROWS, ascending, limit)


def _select_in_order(criteria: Criteria, edge: KeysetCondition, ascending: bool, most: int) -> list[Any]:
    """Select up to `most` users beyond the `edge`, for each of its seeks."""
    return [_select_beyond(criteria, seek, ascending).limit(most) for seek in edge.seeks]


def _select_beyond(criteria: Criteria, seek: Sequence[Any], ascending: bool) -> Any:
    """Select users along the index of the order, or along its piece for each kind."""
    keys = criteria.keys
    columns = rows.looked_at(criteria) if criteria.checks(keys) else listed(criteria)
    each = [columns.where(*of_kind(kind), *criteria.seeks(keys), *seek) for kind in criteria.kinds(keys)]
    # All but the last condition of `seek` say that a key equals: SQLite would sort by these keys again.
    first = max(len(seek) - 1, 0)
    if len(each) == 1:
        return each[0].order_by(*in_order(keys[first:], ascending))
    sorted_by: list[Any] = [sa.literal_column(key.name) for key in named(keys)[first:]]
    return sa.union_all(*each).order_by(*in_order(sorted_by, ascending))
