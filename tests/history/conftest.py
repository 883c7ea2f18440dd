"""Fixtures for the tests of the ledger."""

import pytest
import sqlalchemy
from sqlalchemy.orm import Session, selectinload

from myproject.history.context import Origin, tell
from myproject.models import Change, Entry


@pytest.fixture
def entries(outside):
    """Call `entries()`: return the entries since the start of the test with their changes, the first one first."""
    with Session(outside) as session:
        last = session.scalar(sqlalchemy.select(sqlalchemy.func.max(Entry.id)))

    def read():
        with Session(outside, expire_on_commit=False) as session:
            query = sqlalchemy.select(Entry).where(Entry.id > last).order_by(Entry.id)
            return session.scalars(query.options(selectinload(Entry.changes))).all()

    return read


@pytest.fixture
def changes(outside):
    """Call `changes()`: return (table, id, before, after) of each change since the start of the test."""
    with Session(outside) as session:
        last = session.scalar(sqlalchemy.select(sqlalchemy.func.max(Change.id)))

    def read():
        with Session(outside) as session:
            query = sqlalchemy.select(Change).where(Change.id > last).order_by(Change.id)
            return [(row.table_name, row.record_id, row.before, row.after) for row in session.scalars(query)]

    return read


@pytest.fixture
def execute_as(outside):
    """Call `execute_as(statement, …, route="demo", **origin)`: SQL in one transaction whose origin the ledger knows."""

    def run(*statements, route="demo", **origin):
        with outside.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            tell(connection, Origin(route=route, **origin))
            for statement in statements:
                connection.execute(sqlalchemy.text(statement) if isinstance(statement, str) else statement)
            connection.commit()

    return run


@pytest.fixture
def backdate(outside):
    """Call `backdate(entry_id, moment)`: let an entry of the ledger have happened at another moment."""

    def change(entry_id, moment):
        with outside.begin() as connection:
            entries = sqlalchemy.update(Entry).where(Entry.id == entry_id)
            connection.execute(entries.values(created_at=moment))

    return change
