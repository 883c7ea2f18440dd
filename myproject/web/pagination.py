"""Lists by pages that cost the same at any depth: keyset paging, from the last row shown to the next.

See https://use-the-index-luke.com/no-offset. A cursor is the key of a row at the edge of a page and the side on which
to go on; it holds when rows are added or deleted meanwhile.
"""

import base64
import datetime
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from pyramid.httpexceptions import HTTPBadRequest
from sqlalchemy import bindparam, tuple_

from ..db.lookup import LARGEST_ID
from .i18n import _

PAGE_SIZE = 25
LAST = "last"

compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True)
class Beyond:
    """What of a list lies on one side of a row: conditions to meet, and the same in parts, the nearest first.

    Each part is conditions that seek one place of an index: SQLite cannot seek what is equal to the first of two keys
    and what is beyond it at once. The row's keys stand in them as parameters, whose `values` go with the statement;
    the conditions for other rows are the same objects.
    """

    conditions: tuple
    parts: tuple[tuple, ...]
    values: Mapping


EVERYTHING = Beyond((), ((),), {})


@dataclass(frozen=True)
class Page:
    """The rows of one page, and the cursors of its neighbours, `None` where there is none."""

    rows: list
    previous: str | None
    next: str | None
    # Whether it has no rows because it is beside a place, after the last row or before the first.
    is_beyond_end: bool


def page_of(dbsession, query, keys, cursor=None, *, descending=False, size=PAGE_SIZE):
    """Return the Page of `query`, a select of one entity, that begins or ends beside `cursor`.

    `keys` are the columns to sort by, all in one direction, together unique and not null. Without a `cursor` it is
    the first page, with `LAST` the last one. Raises `HTTPBadRequest` where `cursor` is none of ours.
    """

    def read(beyond, rising, limit):
        rows = query.add_columns(*keys).where(*beyond.conditions).order_by(*in_order(keys, rising)).limit(limit)
        return dbsession.execute(rows, beyond.values).all()

    page = read_page(read, keys, cursor, descending=descending, size=size)
    return replace(page, rows=[entity for entity, *_ in page.rows])


def read_page(read, keys, cursor=None, *, start=None, descending=False, size=PAGE_SIZE, of=""):
    """Return a Page of what `read(beyond, rising, limit)` returns: up to `limit` rows, each with its `keys` last.

    The rows are those `beyond` the cursor, a Beyond, sorted by `keys`, `rising` or falling. Without a `cursor`,
    the page begins at `start`, a value of the first key, or else with the first row. A cursor is good for the list that
    `of` tells apart from others. Raises `HTTPBadRequest` where it is none of ours.
    """
    side, edge = ("after", ()) if not cursor else ("before", ()) if cursor == LAST else _decode(cursor, keys, of)

    def turn(side, beyond):
        rows = read(beyond, descending == (side == "before"), size + 1)
        found = rows[:size] if side == "after" else rows[:size][::-1]
        return found, len(rows) > size

    if start is not None and not cursor:
        at = _at(keys[0], not descending)
        edge, beyond = (start,), Beyond(at, (at,), _values([start]))
    else:
        beyond = _beyond(keys, edge, (side == "after") != descending) if edge else EVERYTHING
    found, more = turn(side, beyond)
    if side == "before" and edge and not more:
        # The start of the list: a whole first page, however few rows stand before the cursor now.
        side, edge = "after", ()
        found, more = turn(side, EVERYTHING)
    has_previous, has_next = (more, bool(edge)) if side == "before" else (bool(edge), more)
    return Page(
        rows=found,
        previous=_encode("before", found[0][-len(keys) :], of) if found and has_previous else None,
        next=_encode("after", found[-1][-len(keys) :], of) if found and has_next else None,
        is_beyond_end=not found and bool(edge),
    )


def _beyond(keys, edge, rising):
    conditions, parts = _beside(tuple(keys), rising)
    return Beyond(conditions, parts, _values(edge))


def _values(edge):
    return {f"edge_{number}": value for number, value in enumerate(edge)}


@lru_cache
def _at(key, rising):
    edge = bindparam("edge_0", type_=key.type)
    return (key >= edge if rising else key <= edge,)


@lru_cache
def _beside(keys, rising):
    edge = [bindparam(f"edge_{number}", type_=key.type) for number, key in enumerate(keys)]
    parts = []
    for number in reversed(range(len(keys))):
        key, value = keys[number], edge[number]
        equal = [key == value for key, value in zip(keys[:number], edge[:number], strict=True)]
        parts.append((*equal, key > value if rising else key < value))
    here, there = tuple_(*keys), tuple_(*edge)
    return (here > there if rising else here < there,), tuple(parts)


def in_order(keys, rising):
    """Return `keys` to sort by, all in one direction."""
    return [key.asc() if rising else key.desc() for key in keys]


def _encode(side, edge, of):
    edge = [value.isoformat() if isinstance(value, datetime.datetime) else value for value in edge]
    text = compact([_mark(of), side, *edge])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor, keys, of):
    try:
        text = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode()
        mark, side, *edge = json.loads(text)
        if mark != _mark(of) or side not in ("before", "after"):
            raise ValueError(text)
        return side, [_value(*pair) for pair in zip(edge, keys, strict=True)]
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise HTTPBadRequest(
            _("This address of a page of the list is not complete. Start from its first page.")
        ) from None


def _mark(of):
    # So that the cursor of one list is not taken for that of another; no secret.
    return zlib.crc32(of.encode())


def _value(value, key):
    kind = key.type.python_type
    if kind is datetime.datetime:
        moment = datetime.datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError(value)
        return moment.astimezone(datetime.UTC)
    if type(value) is not kind:
        raise ValueError(value)
    # What no row holds and a database refuses: larger numbers, NUL, and (ValueError) a lone surrogate.
    if abs(value) > LARGEST_ID if isinstance(value, int) else "\0" in value or (not value.encode() and value):
        raise ValueError(value)
    return value
