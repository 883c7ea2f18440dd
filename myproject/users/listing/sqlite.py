"""The list on SQLite: whom a view finds, and the rows of a page.

SQLite has no statistics that tell common words from rare ones, so this module measures, and chooses the index.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Integer,
    Row,
    Select,
    UnaryExpression,
    column,
    exists,
    func,
    literal_column,
    select,
    table,
    union_all,
)
from sqlalchemy.sql.operators import custom_op

from ...web.pagination import ALL_ROWS, KeysetCondition, in_order
from ..models import BY_ADDED, BY_AGE, BY_JOINED, KINDS, users
from . import rows
from .criteria import Criteria, Part, Word
from .rows import Hits, listed, looked_at, named, of_kind, one_by_one

# More trigrams exclude hardly anybody else and take longer to look up.
MOST_TRIGRAMS = 24
# One or two letters that begin more trigrams in use are common.
MOST_TRIGRAMS_OF_LETTERS = 200
LAST_LETTER = "\U0010ffff"

# The index of words, and the trigrams that it has: see indexes.py.
trigrams = table("users_trigrams", column("rowid", Integer))
trigrams_in_use = table("users_trigrams_used", column("term"))
rowid = trigrams.c.rowid


def find_hits(connection: Connection, criteria: Criteria, limit: int) -> Hits:
    """Return whom the criteria find, counted up to `limit`."""
    people = _select_people(connection, criteria)
    [id_] = people.limit(limit).subquery().c
    number, ids = connection.execute(select(func.count(), func.json_group_array(id_))).one()
    return Hits(people, number, ids if number <= rows.FEW_HITS else None)


def read_rows(
    connection: Connection, criteria: Criteria, hits: Hits, edge: KeysetCondition, ascending: bool, limit: int
) -> Sequence[Row[Any]]:
    """Return up to `limit` rows beyond the `edge`, sorted by the keys, which each row has last."""
    if hits.number == 0:
        return []
    if hits.ids is not None and criteria.checks(criteria.keys):
        ids = select(func.json_each(hits.ids).table_valued("value").c.value)
        return connection.execute(_select_sorted(criteria, ids, edge, ascending, limit)).all()
    if criteria.keys is BY_ADDED and hits.people.selected_columns[0] is rowid:
        return connection.execute(_select_by_words(criteria, hits.people, edge, ascending, limit)).all()
    most = rows.MOST_ROWS_IN_ORDER if criteria.checks(criteria.keys) else limit
    parts = [_select_in_order(criteria, seek, ascending, most) for seek in edge.seeks]
    found = rows.read_in_order(connection, criteria, parts, ascending, limit)
    if found is None:
        return connection.execute(_select_sorted(criteria, hits.people, edge, ascending, limit)).all()
    return found


def _select_people(connection: Connection, criteria: Criteria) -> Select[Any]:
    """Select the ids of the users by the index that has the fewest others."""
    indexes = [*_by_words(connection, criteria), *_by_kinds_and_ranges(criteria)]
    if not indexes:
        return select(users.c.id).where(*criteria.conditions)
    if len(indexes) == 1:
        return indexes[0][1]
    most = rows.FEW_HITS + 1
    sizes = [
        connection.scalar(select(func.count()).select_from(entries.limit(most).subquery())) for entries, _ in indexes
    ]
    return indexes[sizes.index(min(sizes))][1]


def _by_words(connection: Connection, criteria: Criteria) -> list[tuple[Select[Any], Select[Any]]]:
    """Return the select of the users whose text has the trigrams of rare words, and of those who meet all else too."""
    expression, proven = _match(connection, rows.find_rare_words(connection, criteria.words))
    if not expression:
        return []
    entries = select(rowid).where(literal_column("users_trigrams").op("MATCH")(expression))
    checks = [part.condition() for part in criteria.checks(()) if part not in proven]
    return [(entries, entries.where(exists().where(users.c.id == rowid, *checks)) if checks else entries)]


def _by_kinds_and_ranges(criteria: Criteria) -> list[tuple[Select[Any], Select[Any]]]:
    """Return, for each index, the select of the users of the kinds in its range, and of those who meet all else too."""
    orders = [keys for keys in (BY_AGE, BY_JOINED) if criteria.seeks(keys)]
    if criteria.choices and not orders:
        orders = [BY_JOINED]
    kinds = [column.in_(values) for column, values in zip(KINDS, criteria.kind_values, strict=True)]
    selects = []
    for keys in orders:
        entries = select(users.c.id).where(*(kinds if criteria.choices else []), *criteria.seeks(keys))
        checks = one_by_one([part.condition() for part in criteria.checks(keys)])
        selects.append((entries, entries.where(*checks)))
    return selects


def _match(connection: Connection, words: Sequence[Word]) -> tuple[str, list[Part]]:
    """Return the FTS5 expression for trigrams of the words, "" if there are none, and the words that it proves.

    It proves words of up to three letters; the trigrams of longer ones may be apart from one another.
    """
    long = [word for word in words if len(word.text) >= 3]
    if long:
        alternatives = [[trigram] for word in long for trigram in _trigrams_of(word.text)][:MOST_TRIGRAMS]
        proven = [word for word in long if [word.text] in alternatives]
    else:
        in_use = {word: _trigrams_beginning(connection, word.text) for word in words}
        proven = [word for word, found in in_use.items() if len(found) < MOST_TRIGRAMS_OF_LETTERS]
        alternatives = [in_use[word] for word in proven]
    quoted = [[f'"{trigram.replace(chr(34), chr(34) * 2)}"' for trigram in part] for part in alternatives]
    # The empty string has no trigram: nothing matches it.
    expression = " AND ".join(f"({' OR '.join(part)})" if part else '("" )' for part in quoted)
    return expression, [word for word in proven if not word.in_email]


def _trigrams_of(text: str) -> list[str]:
    """Return trigrams that together have every letter of `text`; those that overlap tell little more."""
    return [text[at : at + 3] for at in sorted({*range(0, len(text) - 2, 3), len(text) - 3})]


def _trigrams_beginning(connection: Connection, letters: str) -> Sequence[str]:
    """Return the trigrams in use that begin with one or two letters, as many as tell that they are common."""
    term = trigrams_in_use.c.term
    between = select(term).where(term >= letters, term < letters + LAST_LETTER)
    return connection.scalars(between.limit(MOST_TRIGRAMS_OF_LETTERS)).all()


def _select_sorted(
    criteria: Criteria, ids: Select[Any], edge: KeysetCondition, ascending: bool, limit: int
) -> Select[Any]:
    """Select the rows of `ids`: all are found first, and then sorted."""
    # SQLite does not use an index to sort by `+ key`: https://www.sqlite.org/optoverview.html
    keys = [UnaryExpression(key, operator=custom_op("+")) for key in criteria.keys]
    found = listed(criteria.keys).where(users.c.id.in_(ids), *edge.conditions)
    return found.order_by(*in_order(keys, ascending)).limit(limit)


def _select_by_words(
    criteria: Criteria, people: Select[Any], edge: KeysetCondition, ascending: bool, limit: int
) -> Select[Any]:
    """Select rows in the order of adding: the index of words is in that order, too."""
    beyond = [rowid > value if ascending else rowid < value for value in edge.values]
    ids = people.where(*beyond).order_by(*in_order([rowid], ascending)).limit(limit)
    return _select_sorted(criteria, ids, ALL_ROWS, ascending, limit)


def _select_in_order(criteria: Criteria, seek: Sequence[Any], ascending: bool, most: int) -> Any:
    """Select what is to be checked of up to `most` users, along the index of the order or its piece for each kind."""
    keys = criteria.keys
    columns = looked_at(keys, criteria.checks(keys))
    each = [select(*columns).where(*of_kind(kind), *criteria.seeks(keys), *seek) for kind in criteria.kinds(keys)]
    # All but the last condition of `seek` say that a key equals: SQLite would sort by these keys again.
    sorted_by = [literal_column(key.name) for key in named(keys)[max(len(seek) - 1, 0) :]]
    return union_all(*each).order_by(*in_order(sorted_by, ascending)).limit(most)
