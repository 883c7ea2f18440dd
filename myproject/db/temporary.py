"""Temporary tables: rows that a transaction decides on once, before its statements change what the choice looks at."""

import contextlib
from collections.abc import Iterator

from sqlalchemy import Select, Table, insert, text
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateTable, DropTable


@contextlib.contextmanager
def filled(dbsession: Session, table: Table, rows: Select[*tuple[object, ...]]) -> Iterator[Table]:
    """Give the block `table`, a temporary one that has what `rows` selects now, for its columns in their order.

    It exists for the block and its connection only; a rollback removes it, too.
    """
    dbsession.execute(CreateTable(table))
    dbsession.execute(insert(table).from_select(table.c.keys(), rows))
    if dbsession.get_bind().dialect.name == "postgresql":
        # Without it, PostgreSQL expects few rows, and plans for them.
        dbsession.execute(text(f"ANALYZE {table.name}"))
    yield table
    dbsession.execute(DropTable(table))
