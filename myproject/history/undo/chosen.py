"""The records that an undo puts back: decided once, before its first statement changes what the rules look at."""

import contextlib
from collections.abc import Collection, Iterator

from sqlalchemy import Column, FromClause, Integer, MetaData, String, Subquery, Table, insert, select, text
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateTable, DropTable

from ..models import TABLE_NAME_LENGTH, Values
from .rules import Outcome

# Exists only during an undo, and only for its connection.
CHOSEN = Table(
    "history_undo",
    MetaData(),
    Column("table_name", String(TABLE_NAME_LENGTH), primary_key=True),
    Column("record_id", Integer, primary_key=True, autoincrement=False),
    Column("action", String(10), nullable=False),
    Column("before", Values),
    Column("after", Values),
    prefixes=["TEMPORARY"],
)


@contextlib.contextmanager
def chosen_steps(dbsession: Session, steps: Subquery, outcomes: Collection[Outcome]) -> Iterator[FromClause]:
    """Yield a table of those of the `steps` whose outcome is one of `outcomes`; a rollback removes it, too."""
    dbsession.execute(CreateTable(CHOSEN))
    columns = [steps.c[column.name] for column in CHOSEN.c]
    chosen = select(*columns).where(steps.c.outcome.in_(outcomes))
    dbsession.execute(insert(CHOSEN).from_select(CHOSEN.c.keys(), chosen))
    if dbsession.get_bind().dialect.name == "postgresql":
        # Without it, PostgreSQL expects few rows, and plans for them.
        dbsession.execute(text(f"ANALYZE {CHOSEN.name}"))
    yield CHOSEN
    dbsession.execute(DropTable(CHOSEN))
