"""Lists by pages that cost the same at any depth: keyset paging, from the last row shown to the next.

See https://use-the-index-luke.com/no-offset. A cursor is the key of a row at the edge of a page and the side on which
to go on; it holds when rows are added or deleted meanwhile.
"""

import base64
import json
from dataclasses import dataclass

from pyramid.httpexceptions import HTTPBadRequest
from sqlalchemy import tuple_

from .db.lookup import LARGEST_ID
from .i18n import _

PAGE_SIZE = 25


@dataclass(frozen=True)
class Page:
    """The rows of one page, and the cursors of its neighbours, `None` where there is none."""

    rows: list
    previous: str | None
    next: str | None


def page_of(dbsession, query, keys, cursor=None, *, descending=False, size=PAGE_SIZE):
    """Return the Page of `query`, a select of one entity, that begins or ends beside `cursor`.

    `keys` are the columns to sort by, all in one direction, together unique and not null. Without a `cursor` it is
    the first page. Raises `HTTPBadRequest` where `cursor` is none of ours.
    """
    side, edge = _decode(cursor, keys) if cursor else ("after", ())
    found, more = _rows_beside(dbsession, query, keys, side, edge, descending, size)
    if side == "before" and not more:
        # The start of the list: a whole first page, however few rows stand before the cursor now.
        side, edge = "after", ()
        found, more = _rows_beside(dbsession, query, keys, side, edge, descending, size)
    has_previous = more if side == "before" else bool(edge)
    has_next = more if side == "after" else True
    return Page(
        rows=[row[0] for row in found],
        previous=_encode("before", found[0][1:]) if found and has_previous else None,
        next=_encode("after", found[-1][1:]) if found and has_next else None,
    )


def _rows_beside(dbsession, query, keys, side, edge, descending, size):
    rising = descending == (side == "before")
    query = query.add_columns(*keys).order_by(*(key.asc() if rising else key.desc() for key in keys))
    if edge:
        query = query.where(tuple_(*keys) > tuple_(*edge) if rising else tuple_(*keys) < tuple_(*edge))
    rows = dbsession.execute(query.limit(size + 1)).all()
    found, more = rows[:size], len(rows) > size
    return found if side == "after" else found[::-1], more


def _encode(side, edge):
    return base64.urlsafe_b64encode(json.dumps([side, *edge], ensure_ascii=False).encode()).decode().rstrip("=")


def _decode(cursor, keys):
    try:
        text = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode()
        side, *edge = json.loads(text)
        if side not in ("before", "after") or not all(_fits(*pair) for pair in zip(edge, keys, strict=True)):
            raise ValueError(text)
    except (ValueError, TypeError, RecursionError):
        raise HTTPBadRequest(
            _("This address of a page of the list is not complete. Start from its first page.")
        ) from None
    return side, edge


def _fits(value, key):
    if type(value) is not key.type.python_type:
        return False
    # What no row holds and a database refuses: larger numbers, NUL, and (ValueError) a lone surrogate.
    return abs(value) <= LARGEST_ID if isinstance(value, int) else "\0" not in value and bool(value.encode())
