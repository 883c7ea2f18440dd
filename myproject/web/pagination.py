"""Keyset paging: pages that cost the same at any depth, from the last row shown to the next.

A cursor is the key of a row at the edge of a page and the side on which to go on, so it stays valid when rows are
added or deleted. See https://use-the-index-luke.com/no-offset.
"""

import base64
import datetime
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pyramid.httpexceptions import HTTPBadRequest
from sqlalchemy import ColumnElement, Row, Select, literal, tuple_
from sqlalchemy.orm import Session

from ..db.lookup import LARGEST_ID
from .i18n import _

PAGE_SIZE = 25
# The cursor of the last page of any list.
LAST_PAGE = "last"

Condition = ColumnElement[bool]

compact_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True)
class KeysetCondition:
    """Rows after (or before) a given row, whose keys are `values`, as SQL conditions.

    `seeks` says the same as `conditions` in parts, the nearest rows first. Each part seeks one place of an index:
    SQLite cannot seek "equal in the first key and beyond in the second, or beyond in the first" at once.
    """

    conditions: tuple[Condition, ...] = ()
    seeks: tuple[tuple[Condition, ...], ...] = ((),)
    values: tuple[Any, ...] = ()


ALL_ROWS = KeysetCondition()


@dataclass(frozen=True)
class Page:
    """The rows of one page and the cursors of its neighbours, `None` where there is none.

    `is_beyond_end` is true if the page is empty because its cursor lies after the last row.
    """

    rows: list[Any]
    previous: str | None
    next: str | None
    is_beyond_end: bool


# Called as `read(condition, ascending, limit)`: returns up to `limit` rows that meet the condition, sorted by the keys,
# each with the values of the keys last.
ReadRows = Callable[[KeysetCondition, bool, int], Sequence[Row[Any]]]


def page_of(
    dbsession: Session,
    query: Select[Any],
    keys: Sequence[Any],
    cursor: str | None = None,
    *,
    descending: bool = False,
    size: int = PAGE_SIZE,
) -> Page:
    """Return the Page of `query`, a select of one entity, that `cursor` names.

    `keys` are the columns to sort by, all in one direction, together unique and not null. Without a cursor it is the
    first page, with `LAST_PAGE` the last one. Raises `HTTPBadRequest` for an invalid cursor.
    """

    def read(condition: KeysetCondition, ascending: bool, limit: int) -> Sequence[Row[Any]]:
        rows = query.add_columns(*keys).where(*condition.conditions)
        return dbsession.execute(rows.order_by(*in_order(keys, ascending)).limit(limit)).all()

    page = read_page(read, keys, cursor, descending=descending, size=size)
    return replace(page, rows=[entity for entity, *_ in page.rows])


def read_page(
    read: ReadRows,
    keys: Sequence[Any],
    cursor: str | None = None,
    *,
    start: Any = None,
    descending: bool = False,
    size: int = PAGE_SIZE,
    list_name: str = "",
) -> Page:
    """Return the Page that `cursor` names, of the rows that `read` returns.

    Without a cursor the page begins at `start`, a value of the first key, or else with the first row. A cursor is valid
    for one list only, told apart by `list_name`. Raises `HTTPBadRequest` for an invalid cursor.
    """
    is_before, edge = _parse_cursor(cursor, keys, list_name)
    condition = rows_beyond(keys, edge, ascending=descending == is_before) if edge else ALL_ROWS
    if start is not None and not cursor:
        condition = _rows_from(keys[0], start, ascending=not descending)
    rows, has_previous, has_next = _read_rows(read, condition, is_before, descending, size)
    return Page(
        rows=rows,
        previous=_write_cursor("before", rows[0][-len(keys) :], list_name) if has_previous else None,
        next=_write_cursor("after", rows[-1][-len(keys) :], list_name) if has_next else None,
        is_beyond_end=not rows and not is_before and condition is not ALL_ROWS,
    )


def in_order(keys: Sequence[Any], ascending: bool) -> list[Any]:
    """Return `keys` to sort by, all in one direction."""
    return [key.asc() if ascending else key.desc() for key in keys]


def _read_rows(
    read: ReadRows, condition: KeysetCondition, is_before: bool, descending: bool, size: int
) -> tuple[list[Any], bool, bool]:
    """Return the rows of a page in the order of the list, and whether there are rows before and after them."""
    rows = list(read(condition, descending == is_before, size + 1))
    has_more = len(rows) > size
    if is_before and condition is not ALL_ROWS and not has_more:
        # The start of the list: show a whole first page, however few rows are before the cursor now.
        return _read_rows(read, ALL_ROWS, False, descending, size)
    if not rows:
        return [], False, False
    is_beside = condition is not ALL_ROWS
    return (rows[:size][::-1], has_more, is_beside) if is_before else (rows[:size], is_beside, has_more)


def rows_beyond(keys: Sequence[Any], edge: Sequence[Any], ascending: bool) -> KeysetCondition:
    """Return the condition that a row comes after the one whose keys are `edge`, in this direction."""
    values = [literal(value, key.type) for key, value in zip(keys, edge, strict=True)]
    seeks = []
    for number in reversed(range(len(keys))):
        key, value = keys[number], values[number]
        equal = [key == value for key, value in zip(keys[:number], values[:number], strict=True)]
        seeks.append((*equal, key > value if ascending else key < value))
    row, edge_row = tuple_(*keys), tuple_(*values)
    return KeysetCondition((row > edge_row if ascending else row < edge_row,), tuple(seeks), tuple(edge))


def _rows_from(key: Any, value: Any, ascending: bool) -> KeysetCondition:
    start = literal(value, key.type)
    conditions = (key >= start if ascending else key <= start,)
    return KeysetCondition(conditions, (conditions,), (value,))


def _write_cursor(side: str, edge: Sequence[Any], list_name: str) -> str:
    values = [value.isoformat() if isinstance(value, datetime.datetime) else value for value in edge]
    text = compact_json([_checksum(list_name), side, *values])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _parse_cursor(cursor: str | None, keys: Sequence[Any], list_name: str) -> tuple[bool, list[Any]]:
    """Return whether the page lies before the cursor's row, and that row's keys, `[]` for the first and last page."""
    if not cursor or cursor == LAST_PAGE:
        return cursor == LAST_PAGE, []
    try:
        text = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode()
        checksum, side, *edge = json.loads(text)
        if checksum != _checksum(list_name) or side not in ("before", "after"):
            raise ValueError(text)
        return side == "before", [_valid_key(value, key) for value, key in zip(edge, keys, strict=True)]
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise HTTPBadRequest(
            _("This link to a page of the list is not complete. Start again from the first page.")
        ) from None


def _checksum(list_name: str) -> int:
    # Keeps the cursor of one list from being used in another. It is no secret.
    return zlib.crc32(list_name.encode())


def _valid_key(value: Any, key: Any) -> Any:
    """Return `value`, as JSON has it, as a value of the column `key`. Raises `ValueError` if no row can have it."""
    key_type = key.type.python_type
    if key_type is datetime.datetime:
        moment = datetime.datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError(value)
        return moment.astimezone(datetime.UTC)
    if type(value) is not key_type:
        raise ValueError(value)
    if isinstance(value, int) and abs(value) > LARGEST_ID:
        raise ValueError(value)
    # Both databases refuse a NUL, and `encode` a lone surrogate.
    if isinstance(value, str) and "\0" in value.encode().decode():
        raise ValueError(value)
    return value
