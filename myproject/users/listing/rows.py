"""What the two databases share in finding users and reading the rows of a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect, Row, Select, and_, case, false, func, literal, select, true

from ...web.pagination import in_order
from ..models import KINDS, users
from .criteria import Criteria, Part, Word

# The rows of a chunk by column, and the keys of a user beyond whom others follow, or `None`.
Columns = list[Sequence[Any]]
Edge = Sequence[Any] | None
# Hits up to this number are sorted by themselves; more are looked for in the order of the list.
FEW_HITS = 4000
# Of a part of a ranked list fewer are: they are looked for beside those of the whole list.
FEW_HITS_OF_PART = 1000
# Rows that are looked at in the order of the list before all hits are sorted instead.
MOST_ROWS_IN_ORDER = 20_000
# How many of the newest users are read to estimate how common a word is, and the share from which it is common. If more
# than USELESS_SHARE of all users match all words, reading users in order fills a page sooner than an index of words.
SAMPLE_SIZE, COMMON_SHARE, USELESS_SHARE = 1000, 0.3, 0.1
# From this share on, the rows in the order of the list fill a page soon.
DENSE_SHARE = 0.01


@dataclass(frozen=True)
class Hits:
    """The users whom a view finds: `people`, a select of their ids, and how many they are, as far as counted.

    `ids` are all of them if they are few, in the database's notation: JSON on SQLite, an array on PostgreSQL.
    """

    people: Select[Any]
    number: int
    ids: str | None


def sample_shares(connection: Connection, parts: Sequence[Any]) -> dict[Any, float]:
    """Return the share of the newest users that meets each of the parts, or of what has a condition as they have."""
    newest = _newest_users(parts)
    numbers = [func.count().filter(part.condition(newest.c)) for part in parts]
    size, *found = connection.execute(select(func.count(), *numbers).select_from(newest)).one()
    return {part: number / max(size, 1) for part, number in zip(parts, found, strict=True)}


def find_many(connection: Connection, criteria: Criteria) -> Hits | None:
    """Return the Hits, without counting them, if more than DENSE_SHARE of the newest users are some, else `None`."""
    newest = _newest_users(criteria.parts)
    conditions = [part.condition(newest.c) for part in criteria.parts]
    number = connection.scalar(select(func.count()).select_from(newest).where(*conditions)) or 0
    if number <= DENSE_SHARE * SAMPLE_SIZE:
        return None
    return Hits(select(users.c.id).where(*criteria.conditions), FEW_HITS + 1, None)


def _newest_users(parts: Sequence[Any]) -> Any:
    """Return the subquery for the newest users, with the columns that the parts need."""
    columns = [users.c[name] for name in sorted({part.column for part in parts})]
    return select(*columns).order_by(users.c.id.desc()).limit(SAMPLE_SIZE).subquery()


def words_to_look_up(words: Sequence[Word], shares: Mapping[Part, float]) -> list[Word]:
    """Return the words to ask an index for: those of three and more letters if there are any, none if it is useless."""
    rare = [word for word in words if not word.excluded and shares[word] <= COMMON_SHARE]
    found = [word for word in rare if len(word.text) >= 3] or rare
    return found if prod(shares[word] for word in found) <= USELESS_SHARE else []


def listed(criteria: Criteria) -> Select[Any]:
    """Select the columns of users to read, then the part of a ranked list, then the keys as `key_0`, `key_1`."""
    part = [] if criteria.begins is None else [literal(criteria.begins).label("begins")]
    return select(*criteria.columns, *part, *named(criteria.keys))


def named(keys: tuple[Any, ...]) -> list[Any]:
    """Return `keys` by names that no column has."""
    return [key.label(f"key_{number}") for number, key in enumerate(keys)]


def of_kind(kind: tuple[Any, ...]) -> list[ColumnElement[bool]]:
    """Return the conditions that a user has these values of KINDS; none for `()`."""
    return [column == value for column, value in zip(KINDS, kind, strict=False)]


def one_by_one(conditions: Sequence[ColumnElement[bool]]) -> list[ColumnElement[bool]]:
    """Return the conditions such that the database checks one row after the other for them.

    Neither database looks into a CASE to choose another index, or to sort first.
    """
    return [case((and_(*conditions), true()), else_=false())] if conditions else []


def looked_at(criteria: Criteria) -> Select[Any]:
    """Select the columns that `checks` needs, and the keys of the list."""
    checked = sorted({part.column for part in criteria.checks(criteria.keys)} - {"id"})
    return select(users.c.id, *named(criteria.keys), *(users.c[name] for name in checked))


def read_in_order(
    connection: Connection, criteria: Criteria, parts: Sequence[Any], ascending: bool, limit: int
) -> list[Row[Any]] | None:
    """Return up to `limit` rows of the users in `parts`, selects in the order of the list, one after the other.

    If there are no checks, the parts select rows; otherwise they select the columns to check of up to
    MOST_ROWS_IN_ORDER users. Returns `None` if these users do not fill the page.
    """
    rows: list[Row[Any]] = []
    for part in parts:
        if not criteria.checks(criteria.keys):
            rows += connection.execute(part.limit(limit - len(rows))).all()
            continue
        rows += _read_checked(connection, criteria, part, ascending, limit - len(rows))
        if len(rows) < limit and count_up_to(connection, part) == MOST_ROWS_IN_ORDER:
            return None
    return rows


def read_next(
    connection: Connection, criteria: Criteria, parts: Sequence[Any], ascending: bool, most: int
) -> tuple[Columns, Edge]:
    """Return the rows among the users in `parts`, by column, and the keys of the last user if others may follow.

    The parts are as for `read_in_order`. They are read until one has `most` users.
    """
    if not criteria.checks(criteria.keys):
        return _read_all_next(connection, criteria, parts, most)
    rows: list[Row[Any]] = []
    for part in parts:
        rows += _read_checked(connection, criteria, part, ascending, most)
        last = connection.execute(part.offset(most - 1).limit(1)).first()
        if last is not None:
            return by_column(rows), last[1 : 1 + len(criteria.keys)]
    return by_column(rows), None


def _read_all_next(connection: Connection, criteria: Criteria, parts: Sequence[Any], most: int) -> tuple[Columns, Edge]:
    """Read the rows as tuples of the driver: Rows of SQLAlchemy, each with the keys, would take twice as long."""
    rows: list[Any] = []
    for part in parts:
        limited = part.limit(most - len(rows))
        # Pieces of an index are merged by the keys.
        is_one_piece = isinstance(limited, Select)
        result = connection.execute(limited.with_only_columns(*criteria.columns) if is_one_piece else limited)
        rows += result.cursor.fetchall()
        result.close()
    columns = [
        convert(values, column, connection.dialect)
        for values, column in zip(by_column(rows), criteria.columns, strict=False)
    ]
    if len(rows) < most:
        return columns, None
    last_id = columns[criteria.columns.index(users.c.id)][-1]
    return columns, connection.execute(select(*criteria.keys).where(users.c.id == last_id)).one()


def by_column(rows: Sequence[Sequence[Any]]) -> Columns:
    """Return the values of `rows` by column; `[]` without rows."""
    return list(zip(*rows, strict=True))


def convert(values: Sequence[Any], column: Any, dialect: Dialect) -> Sequence[Any]:
    """Return values of the driver as those of the type of `column`."""
    process = column.type.dialect_impl(dialect).result_processor(dialect, None)
    return values if process is None else [process(value) for value in values]


def _read_checked(
    connection: Connection, criteria: Criteria, part: Any, ascending: bool, limit: int
) -> Sequence[Row[Any]]:
    """Return up to `limit` rows of the users in `part`, a select in the order of the list, that meet the checks."""
    user = part.subquery().c
    met = one_by_one([check.condition(user) for check in criteria.checks(criteria.keys)])
    found = select(user.id).where(*met).limit(limit).subquery()
    shown = listed(criteria).join(found, users.c.id == found.c.id)
    return connection.execute(shown.order_by(*in_order(criteria.keys, ascending))).all()


def count_up_to(connection: Connection, people: Any) -> int:
    """Return the number of users in a select that has a limit."""
    return connection.scalar(select(func.count()).select_from(people.subquery())) or 0
