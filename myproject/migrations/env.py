"""Runs the migrations on the database of the ini file, each run in one transaction."""

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


def run_migrations():
    """Bring the database to the revision asked for, or leave it as it was."""
    ini = context.config.config_file_name
    setup_logging(ini)
    engine = get_engine(database_url(get_appsettings(ini)), poolclass=NullPool)
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            # SQLite changes a table by making a new one and dropping the old: with foreign keys on, that would
            # delete or refuse the rows that point to it. It can be switched only outside a transaction.
            connection.connection.execute("PRAGMA foreign_keys = OFF")
        with connection.begin():
            context.configure(
                connection=connection,
                target_metadata=Base.metadata,
                render_as_batch=True,
                transactional_ddl=True,
                render_item=plain_type,
            )
            # Alembic cannot compare indexes over expressions on SQLite; tests/test_migrations.py does.
            warnings.filterwarnings("ignore", ".*expression-based index")
            context.run_migrations()
            if connection.dialect.name == "sqlite":
                orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
                if orphans:
                    raise RuntimeError(f"the migration left rows that point to nothing: {orphans}")


run_migrations()
