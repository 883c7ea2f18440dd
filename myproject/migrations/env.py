"""Run the migrations on the database of the ini file, each in its own transaction unless it says otherwise."""

import warnings
from typing import Any, Literal

from alembic import context
from alembic.runtime.migration import MigrationContext
from pyramid.paster import get_appsettings, setup_logging
from sqlalchemy import Connection
from sqlalchemy.pool import NullPool

from myproject.db import UTCDateTime, get_engine
from myproject.db.sqlite import close_to_others
from myproject.history.recording import find_lost_triggers
from myproject.models import Base
from myproject.settings import database_url


def database_type(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Return the database's own type to write into a migration: a type of the project may change later."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UTCDateTime) else False


def is_compared(item: Any, name: str | None, kind: str, *_: Any) -> bool:
    """Return whether Alembic should compare `item`: both databases have it.

    Only SQLite has tables for its triggers, only PostgreSQL has several kinds of indexes.
    """
    if kind == "table" and name is not None:
        only_here = ("users_administered", "users_trigrams", "history_open", "history_never")
        return not name.startswith(only_here) and not name.endswith("_replaced")
    if kind == "index" and context.get_context().dialect.name == "sqlite":
        return not item.dialect_options["postgresql"]["using"]
    return True


def check_result(ctx: MigrationContext, step: Any, heads: Any, run_args: Any) -> None:
    """Raise an error before a migration commits if its result is not sound."""
    connection: Any = ctx.connection
    refuse_orphans(connection)
    if step.is_upgrade and step.up_revision_id == context.get_head_revision():
        refuse_unrecorded_tables(connection)


def refuse_orphans(connection: Connection) -> None:
    """Raise an error if there are rows on SQLite whose foreign keys name no row."""
    if connection.dialect.name == "sqlite":
        orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if orphans:
            raise RuntimeError(f"the migration left rows whose foreign keys name no row: {orphans}")


def refuse_unrecorded_tables(connection: Connection) -> None:
    """Raise an error if a trigger is missing by which changes are recorded.

    Alembic's batch mode, for instance, makes a table of SQLite again without its triggers.
    """
    lost = find_lost_triggers(connection)
    if lost:
        raise RuntimeError(f"the migration has dropped triggers of the history: {', '.join(lost)}")


def run_migrations() -> None:
    """Migrate the database to the requested revision; a migration that fails changes nothing."""
    ini: Any = context.config.config_file_name
    setup_logging(ini)
    engine = get_engine(database_url(get_appsettings(ini)), poolclass=NullPool)
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            close_to_others(engine.url.database or "")
            # SQLite changes a table by making a new one and dropping the old one. With foreign keys on, that would
            # delete the rows that refer to it, or be refused. Without legacy_alter_table, SQLite would check the
            # triggers that name the table while it does not exist. Both can be set only outside a transaction.
            driver: Any = connection.connection
            driver.execute("PRAGMA foreign_keys = OFF")
            driver.execute("PRAGMA legacy_alter_table = ON")
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=True,
            transactional_ddl=True,
            transaction_per_migration=True,
            on_version_apply=check_result,
            include_object=is_compared,
            render_item=database_type,
        )
        # Alembic cannot compare indexes over expressions on SQLite; tests/test_migrations.py does.
        warnings.filterwarnings("ignore", ".*expression-based index")
        with context.begin_transaction():
            context.run_migrations()


run_migrations()
