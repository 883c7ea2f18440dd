"""Runs the migrations on the database of the ini file, each in a transaction of its own unless it says otherwise."""

import warnings

from alembic import context
from pyramid.paster import get_appsettings, setup_logging
from sqlalchemy.pool import NullPool

from myproject.db import UTCDateTime, get_engine
from myproject.models import Base
from myproject.settings import database_url


def plain_type(kind, item, _context):
    """Write a migration with the database's own types: the project's may change later, a migration may not."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UTCDateTime) else False


def is_ours(item, name, kind, *_):
    """Leave out what only one database has: tables that SQLite's triggers keep, PostgreSQL's own kinds of indexes."""
    if kind == "table":
        return not name.startswith("users_trigrams")
    if kind == "index" and context.get_context().dialect.name == "sqlite":
        return not item.dialect_options["postgresql"]["using"]
    return True


def refuse_orphans(ctx, step, heads, run_args):
    """Raise an error, before the migration commits, where it leaves rows on SQLite that point to nothing."""
    if ctx.dialect.name == "sqlite":
        orphans = ctx.connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if orphans:
            raise RuntimeError(f"the migration left rows that point to nothing: {orphans}")


def run_migrations():
    """Bring the database to the revision asked for; a migration that fails leaves it as it was before that one."""
    ini = context.config.config_file_name
    setup_logging(ini)
    engine = get_engine(database_url(get_appsettings(ini)), poolclass=NullPool)
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            # SQLite changes a table by making a new one and dropping the old: with foreign keys on, that would
            # delete or refuse the rows that point to it, and what names the table, as triggers of others do, would
            # be looked at while it is away. It can be switched only outside a transaction.
            connection.connection.execute("PRAGMA foreign_keys = OFF")
            connection.connection.execute("PRAGMA legacy_alter_table = ON")
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=True,
            transactional_ddl=True,
            transaction_per_migration=True,
            on_version_apply=refuse_orphans,
            include_object=is_ours,
            render_item=plain_type,
        )
        # Alembic cannot compare indexes over expressions on SQLite; tests/test_migrations.py does.
        warnings.filterwarnings("ignore", ".*expression-based index")
        with context.begin_transaction():
            context.run_migrations()


run_migrations()
