"""The records that an undo puts back: decided once, before its first statement changes what the rules look at."""

from collections.abc import Collection
from contextlib import AbstractContextManager

from sqlalchemy import Column, FromClause, Integer, MetaData, String, Subquery, Table, select
from sqlalchemy.orm import Session

from ...db.temporary import filled
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


def chosen_steps(
    dbsession: Session, steps: Subquery, outcomes: Collection[Outcome]
) -> AbstractContextManager[FromClause]:
    """Return a context with a temporary table of those of the `steps` whose outcome is one of `outcomes`."""
    columns = [steps.c[column.name] for column in CHOSEN.c]
    return filled(dbsession, CHOSEN, select(*columns).where(steps.c.outcome.in_(outcomes)))
