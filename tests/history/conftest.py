"""Fixtures for the tests of the ledger."""

import pytest
import sqlalchemy
from sqlalchemy.orm import Session, selectinload

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
