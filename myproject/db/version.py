"""The version of a record: a number that the database raises with each change, whichever program writes.

Triggers do it, and not SQLAlchemy's `version_id_col`, which Core statements, SQL text and other programs pass by. A
write may set a higher version itself, but never a lower one. On SQLite, a row that REPLACE puts in the place of another
one continues its version: `…_replaced` remembers it, since the old row is gone when the new one is there.
"""

from collections.abc import Collection
from typing import Annotated

from sqlalchemy import Connection, FetchedValue
from sqlalchemy.orm import mapped_column

from .base import Base
from .triggers import create_with_table

Version = Annotated[int, mapped_column(server_default="1", server_onupdate=FetchedValue())]

# A change of these columns is no change of what people entered.
NEVER_COUNTED = {"id", "version", "created_at", "updated_at"}

SQLITE_UPDATE = """
CREATE TRIGGER {table}_version AFTER UPDATE OF {columns}, version ON {table}
WHEN NEW.version <= OLD.version AND (NEW.version < OLD.version OR ({new}) IS NOT ({old})) BEGIN
    UPDATE {table} SET version = OLD.version + 1 WHERE id = NEW.id;
END
"""
# An upsert fires BEFORE INSERT as well, and may leave what it remembers: a version that is too old changes nothing.
SQLITE_REPLACE = (
    "CREATE TABLE {table}_replaced (id INTEGER NOT NULL PRIMARY KEY, version INTEGER NOT NULL)",
    """
CREATE TRIGGER {table}_version_replaced BEFORE INSERT ON {table}
WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id) BEGIN
    DELETE FROM {table}_replaced WHERE id = NEW.id;
    INSERT INTO {table}_replaced SELECT id, version FROM {table} WHERE id = NEW.id;
END
""",
    """
CREATE TRIGGER {table}_version_insert AFTER INSERT ON {table}
WHEN EXISTS (SELECT 1 FROM {table}_replaced WHERE id = NEW.id AND version >= NEW.version) BEGIN
    UPDATE {table} SET version = (SELECT version + 1 FROM {table}_replaced WHERE id = NEW.id) WHERE id = NEW.id;
END
""",
)
POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION raise_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := greatest(NEW.version, OLD.version + 1);
    RETURN NEW;
END $$
"""
POSTGRESQL_UPDATE = """
CREATE TRIGGER {table}_version BEFORE UPDATE ON {table} FOR EACH ROW
WHEN (NEW.version < OLD.version OR ({new}) IS DISTINCT FROM ({old}))
EXECUTE FUNCTION raise_version()
"""


def keep_version(model: type[Base], *, but_for: Collection[str] = ()) -> None:
    """Let the database raise `version` with each change of a column, `but_for` those that nobody enters."""
    name = model.__tablename__
    columns = [column.name for column in model.__table__.columns if column.name not in NEVER_COUNTED.union(but_for)]
    sqlite, postgresql = (
        [*replacement_triggers(dialect, name), update_trigger(dialect, name, columns)]
        for dialect in ("sqlite", "postgresql")
    )
    create_with_table(model.__table__, sqlite=sqlite, postgresql=postgresql)


def replace_update_trigger(connection: Connection, table: str, columns: Collection[str]) -> None:
    """Let a change of `columns` raise the version from now on: for a migration that adds or drops a column."""
    dialect = connection.dialect.name
    connection.exec_driver_sql(f"DROP TRIGGER {table}_version" + (f" ON {table}" if dialect == "postgresql" else ""))
    connection.exec_driver_sql(update_trigger(dialect, table, columns))


def update_trigger(dialect: str, table: str, columns: Collection[str]) -> str:
    """Return the statement that creates the trigger `{table}_version`: a change of `columns` raises the version."""
    new, old = (", ".join(f"{row}.{name}" for name in columns) for row in ("NEW", "OLD"))
    template = {"sqlite": SQLITE_UPDATE, "postgresql": POSTGRESQL_UPDATE}[dialect]
    return template.format(table=table, columns=", ".join(columns), new=new, old=old)


def replacement_triggers(dialect: str, table: str) -> list[str]:
    """Return the other statements that a versioned table needs; they do not depend on its columns."""
    if dialect == "postgresql":
        return [POSTGRESQL_FUNCTION]
    return [statement.format(table=table) for statement in SQLITE_REPLACE]
