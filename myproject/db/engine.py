"""The Engine: its pool of connections, each set up so that BEGIN, COMMIT and ROLLBACK mean what they say."""

import sqlalchemy

from . import sqlite
from .failure import mark_failures


def get_engine(url, *, reading_seconds=None, **options):
    """Return an Engine for `url`, of SQLite or, by psycopg, of PostgreSQL; `options` go to `create_engine`.

    A connection with the execution option `read_only` refuses to write, and to read for longer than
    `reading_seconds`: SQLite in its whole transaction, PostgreSQL in one statement. Raises
    `sqlalchemy.exc.ArgumentError` where `url` is not a database URL.
    """
    url = sqlalchemy.make_url(url)
    if url.get_backend_name() == "sqlite":
        # By its short name, "sqlite", zope.sqlalchemy takes it for a database without savepoints.
        return _engine_for(sqlite, url.set(drivername="sqlite+pysqlite"), reading_seconds, options)
    # Imported here, since its driver is an extra.
    from . import postgresql

    return _engine_for(postgresql, url, reading_seconds, options)


def _engine_for(database, url, reading_seconds, options):
    # What people typed is not for the log, which would show it with each statement that fails.
    options = {"hide_parameters": True, **options}
    engine = sqlalchemy.create_engine(url, connect_args=database.connect_args(reading_seconds), **options)
    # First, since what the database needs at the beginning of a transaction may fail.
    mark_failures(engine)
    database.set_up(engine, reading_seconds)
    return engine
