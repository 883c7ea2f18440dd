"""All users of a view, read in chunks along the list, so that a million take no more memory than a thousand."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection
from sqlalchemy.orm import Session, sessionmaker

from ...db import reading
from ...web.pagination import ALL_ROWS, rows_beyond
from ..models import users
from .criteria import Among, Criteria, criteria_of
from .page import DATABASES
from .rows import FEW_HITS, Columns, Edge, by_column
from .view import View

# Users of a chunk, or users that are looked at for one.
CHUNK_SIZE = 3000
LOOKED_AT = 10_000


def stream_list(
    factory: sessionmaker[Session], view: View, zone: ZoneInfo, columns: Sequence[Any], among: Sequence[Among] = ()
) -> Iterator[Columns]:
    """Yield all users of a view in its order, in chunks: the values of each of `columns`, which are columns of `users`.

    With `among`, only those of them who are in these sets.

    Each chunk is read in a short read-only transaction of its own, and its connection is returned before the chunk is
    yielded. A user who is in the view from the first chunk to the last, at the same place of its order, is yielded
    exactly once.
    """
    # The id tells where to go on.
    criteria = replace(criteria_of(view, zone), columns=(*columns, users.c.id), among=tuple(among))
    # The order of a ranked list is descending.
    for part in [criteria.ranked(True), criteria.ranked(False)] if view.is_ranked else [criteria]:
        edge: Edge = ()
        while edge is not None:
            with reading(factory) as dbsession:
                chunk, edge = _read_chunk(dbsession.connection(), part, edge)
            if chunk:
                yield chunk[: len(columns)]


def _read_chunk(connection: Connection, criteria: Criteria, edge: Sequence[Any]) -> tuple[Columns, Edge]:
    """Return the chunk beyond `edge`, keys of a user, and the keys at which to go on, if at any."""
    database, keys, ascending = DATABASES[connection.dialect.name], criteria.keys, not criteria.descending
    beyond = rows_beyond(keys, edge, ascending) if edge else ALL_ROWS
    if not criteria.checks(keys):
        return database.read_next(connection, criteria, beyond, ascending, CHUNK_SIZE)
    if not edge:
        hits = database.find_hits(connection, criteria, FEW_HITS + 1)
        if hits.number <= FEW_HITS:
            return by_column(database.read_rows(connection, criteria, hits, beyond, ascending, FEW_HITS)), None
    return database.read_next(connection, criteria, beyond, ascending, LOOKED_AT)
