"""Rows for an answer of any length, read page by page, so that a slow client holds no connection."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVarTuple

from sqlalchemy import Row, Select, tuple_
from sqlalchemy.orm import Session, sessionmaker
from transaction import TransactionManager

from .session import get_tm_session

Columns = TypeVarTuple("Columns")


def stream_rows(
    factory: sessionmaker[Session], query: Select[*tuple[Any, ...]], keys: Sequence[Any], size: int = 1000
) -> Iterator[Sequence[Any]]:
    """Yield the rows of `query`, a select of columns, in the order of `keys`, with at most `size` rows in memory.

    `keys` are columns of `query`, together unique and not null. Each page of `size` rows is read in a short read-only
    transaction of its own, and its connection is returned before the first of its rows is yielded. A row that exists
    from the first page to the last with unchanged keys is yielded exactly once. Each page shows one snapshot, later
    pages show later ones.
    """
    query = query.add_columns(*keys).order_by(*keys).limit(size)
    page = read_rows(factory, query)
    while page:
        yield from (row[: -len(keys)] for row in page)
        if len(page) < size:
            return
        page = read_rows(factory, query.where(tuple_(*keys) > tuple_(*page[-1][-len(keys) :])))


def read_rows(factory: sessionmaker[Session], query: Select[*Columns]) -> Sequence[Row[*Columns]]:
    """Return the rows of `query`, a select of columns, read in a short read-only transaction of its own."""
    tm = TransactionManager(explicit=True)
    with tm:
        return get_tm_session(factory, tm, read_only=True).execute(query).all()
