"""Rows for an answer of any length, read page by page, so that a slow client holds no connection."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, TypeVarTuple

from sqlalchemy import Row, Select, tuple_
from sqlalchemy.orm import Session, sessionmaker
from transaction import TransactionManager

from .session import get_tm_session

Columns = TypeVarTuple("Columns")


def stream_rows(
    factory: sessionmaker[Session],
    query: Select[*tuple[Any, ...]],
    keys: Sequence[Any],
    size: int = 1000,
    *,
    descending: bool = False,
) -> Iterator[Sequence[Any]]:
    """Yield the rows of `query` one by one, as `stream_pages` reads them."""
    for page in stream_pages(factory, query, keys, size, descending=descending):
        yield from (row[: -len(keys)] for row in page)


def stream_pages(
    factory: sessionmaker[Session],
    query: Select[*tuple[Any, ...]],
    keys: Sequence[Any],
    size: int,
    *,
    descending: bool = False,
) -> Iterator[Sequence[Row[Any]]]:
    """Yield the rows of `query`, a select of columns, in the order of `keys`, in pages of at most `size` rows.

    `keys` are columns of `query`, all sorted in one direction, together unique and not null; each row has them last.
    Each page is read in a short read-only transaction of its own, and its connection is returned before it is yielded.
    A row that exists from the first page to the last with unchanged keys is yielded exactly once. Each page shows one
    snapshot, later pages show later ones.
    """
    order = [key.desc() if descending else key.asc() for key in keys]
    query = query.add_columns(*keys).order_by(*order).limit(size)
    page = read_rows(factory, query)
    while page:
        yield page
        if len(page) < size:
            return
        row, last = tuple_(*keys), tuple_(*page[-1][-len(keys) :])
        page = read_rows(factory, query.where(row < last if descending else row > last))


def read_rows(factory: sessionmaker[Session], query: Select[*Columns]) -> Sequence[Row[*Columns]]:
    """Return the rows of `query`, a select of columns, read in a short read-only transaction of its own."""
    with reading(factory) as dbsession:
        return dbsession.execute(query).all()


@contextlib.contextmanager
def reading(factory: sessionmaker[Session]) -> Iterator[Session]:
    """Give the block a Session in a read-only transaction of its own, which ends with the block."""
    tm = TransactionManager(explicit=True)
    with tm:
        yield get_tm_session(factory, tm, read_only=True)
