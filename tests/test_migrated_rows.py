"""Each migration and its downgrade keep the rows, also those that use the whole length and range of each column."""

import datetime
import warnings

import alembic.command
import pytest
import sqlalchemy
from alembic.script import ScriptDirectory
from sqlalchemy import Boolean, DateTime, Integer, MetaData, String, insert, select

from myproject.models import Base
from myproject.schema import MIGRATIONS

SCRIPTS = [*ScriptDirectory(str(MIGRATIONS)).walk_revisions()][::-1]
FIRST_MOMENT = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
LAST_MOMENT = datetime.datetime(2100, 12, 31, 23, 59, 59, 999_999, tzinfo=datetime.UTC)
# Filled by triggers.
DERIVED = {"users.search_text", "users.has_posts"}
# Filled by triggers of the other tables.
DERIVED_TABLES = {"history_entries", "history_changes"}
# (least, greatest) values where a CHECK allows less than the type; texts as their lengths.
RANGES = {
    "users.age": (0, 150),
    "users.email": (1, 316),
    "users.role": ("member", "admin"),
    "posts.body": (1, 20_000),
    "saved_views.query": (0, 2000),
    "selections.query": (0, 8192),
    "receipts.location": (0, 500),
    "stored_figures.figures": (1, 10_000),
    "security_events.facts": (0, 1000),
    "security_events.number": (1, 2**31 - 1),
}
# Open links, whose makers nobody knows, end with this upgrade; and with its downgrade.
ENDED = {"0013": {"password_links.user_id", "password_links.token", "password_links.created_at"}}


def test_every_table_of_the_models_is_filled(outside):
    assert {table.name for table in reflected(outside)} == set(Base.metadata.tables)


@pytest.mark.parametrize(
    ("before", "revision"), [(script.down_revision or "base", script.revision) for script in SCRIPTS]
)
def test_a_migration_and_its_downgrade_keep_the_rows(before, revision, empty, config):
    if before != "base":
        alembic.command.upgrade(config(empty), before)
    fill(empty, 1)
    old = contents(empty)
    alembic.command.upgrade(config(empty), revision)
    assert changed(old, contents(empty)) == ENDED.get(revision, set())
    fill(empty, 2)
    new = contents(empty)
    alembic.command.downgrade(config(empty), before)
    assert changed(new, contents(empty)) == ENDED.get(revision, set())
    alembic.command.upgrade(config(empty), revision)
    assert contents(empty).keys() == new.keys()


def test_all_migrations_are_downgraded_and_upgraded_with_rows(empty, config):
    alembic.command.upgrade(config(empty), "head")
    fill(empty, 1)
    alembic.command.downgrade(config(empty), SCRIPTS[0].revision)
    # A connection of SQLite that has stayed open compiles its INSERT once more for the triggers that are no more.
    empty.dispose()
    fill(empty, 2)
    old = contents(empty)
    alembic.command.upgrade(config(empty), "head")
    assert changed(old, contents(empty)) == set()
    alembic.command.downgrade(config(empty), "base")
    assert contents(empty) == {}


def reflected(engine):
    """Return the tables of the models that the database has now, as it has them, those that others name first."""
    with warnings.catch_warnings():
        # Indexes over expressions are not reflected.
        warnings.simplefilter("ignore", sqlalchemy.exc.SAWarning)
        metadata = MetaData()
        metadata.reflect(engine, only=lambda name, _: name in Base.metadata.tables)
    return metadata.sorted_tables


def fill(engine, number):
    """Add to each table a row of the least values and one of the greatest, with the ids `number * 2` and one more."""
    with engine.begin() as connection:
        for table in (table for table in reflected(engine) if table.name not in DERIVED_TABLES):
            for is_greatest in (False, True):
                columns = [column for column in table.columns if str(column) not in DERIVED]
                row = {column.name: value_of(column, number * 2 + is_greatest, is_greatest) for column in columns}
                connection.execute(insert(table).values(row))


def value_of(column, row_id, is_greatest):
    """Return the least or the greatest value of a column, for the row with this id."""
    if column.foreign_keys or (column.primary_key and isinstance(column.type, Integer)):
        return row_id
    if column.nullable and not is_greatest:
        return None
    value = range_of(column)[is_greatest]
    if isinstance(column.type, String) and isinstance(value, int):
        value = text_of(row_id, value)
    return f"{value}@b.c" if str(column) == "users.email" else value


def range_of(column):
    """Return the least and the greatest value of a column; for a text of any content, its lengths."""
    ranges = {Boolean: (False, True), DateTime: (FIRST_MOMENT, LAST_MOMENT), Integer: (1, 1_000_000)}
    if str(column) in RANGES:
        return RANGES[str(column)]
    if isinstance(column.type, String):
        return 1, column.type.length or 10_000
    return next(values for kind, values in ranges.items() if isinstance(column.type, kind))


def text_of(row_id, length):
    """Return a text of `length` characters of three bytes each, another one for each row, that is hard to compress."""
    return "".join(chr(0xAC00 + (row_id * 1009 + position * position * 31) % 11172) for position in range(length))


def contents(engine):
    """Return {table.column: {key of the row: value}} of every table of the models."""
    found = {}
    with engine.connect() as connection:
        for table in reflected(engine):
            rows = connection.execute(select(table)).mappings().all()
            key = next(iter(table.primary_key.columns)).name
            for column in table.columns:
                found[str(column)] = {row[key]: row[column.name] for row in rows}
    return found


def changed(before, after):
    """Return the columns of both in which a value of `before` is another one, or missing, in `after`."""
    return {
        column
        for column in before.keys() & after.keys() - DERIVED
        if any(after[column].get(key, "missing") != value for key, value in before[column].items())
    }
