"""Rows for an answer of any length, read while it is sent, without a connection that a slow client could hold."""

from sqlalchemy import tuple_
from transaction import TransactionManager

from .session import get_tm_session


def stream_rows(factory, query, keys, size=1000):
    """Yield the rows of `query`, a select of columns, in the order of `keys`, `size` of them in memory at a time.

    `keys` are columns of `query`, together unique and not null. Each page of rows is read in a short read-only
    transaction of its own and its connection is given back before the first row of it is yielded: a client that
    stalls or vanishes holds none. The answer is consistent in this sense: a row that is there from the first page to
    the last, its keys unchanged, comes exactly once; each page shows one moment, later pages later ones.
    """
    query = query.add_columns(*keys).order_by(*keys).limit(size)
    page = read_rows(factory, query)
    while page:
        yield from (row[: -len(keys)] for row in page)
        if len(page) < size:
            return
        page = read_rows(factory, query.where(tuple_(*keys) > tuple_(*page[-1][-len(keys) :])))


def read_rows(factory, query):
    """Return the rows of `query`, a select of columns, read in a short transaction of its own, beside any other."""
    tm = TransactionManager(explicit=True)
    with tm:
        return get_tm_session(factory, tm, read_only=True).execute(query).all()
