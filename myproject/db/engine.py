"""The Engine: its pool of connections, and what each database needs in order to keep its word."""

import sqlalchemy
from sqlalchemy import event

from .retry import mark_retryable_errors

# How long a connection to SQLite waits for the one writer before it gives up as busy, in seconds.
SQLITE_LOCK_TIMEOUT = 5


def get_engine(url, **options):
    """Return an Engine for `url`, set up so that BEGIN, COMMIT and ROLLBACK mean what they say.

    `options` go to `create_engine`. A connection with the execution option `read_only` refuses to write. Raises
    `sqlalchemy.exc.ArgumentError` where `url` is not a database URL.
    """
    url = sqlalchemy.make_url(url)
    if url.drivername == "sqlite":
        # By this short name, zope.sqlalchemy takes it for a database without savepoints.
        url = url.set(drivername="sqlite+pysqlite")
    connect_args = {"timeout": SQLITE_LOCK_TIMEOUT} if url.get_backend_name() == "sqlite" else {}
    engine = sqlalchemy.create_engine(url, connect_args=connect_args, **options)
    mark_retryable_errors(engine)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _open_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        event.listen(engine, "reset", _reset_sqlite)
    return engine


def _open_sqlite(connection, _record):
    # The driver would begin by itself before some statements (INSERT) and not before others (DDL, SAVEPOINT,
    # WITH ... UPDATE), which then stay committed after an abort. `_begin_sqlite` begins before all of them.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    # Readers go on while somebody writes, and the writer while they read.
    connection.execute("PRAGMA journal_mode = WAL")


def _begin_sqlite(connection):
    reading = connection.get_execution_options().get("read_only", False)
    connection.connection.execute(f"PRAGMA query_only = {'ON' if reading else 'OFF'}")
    # A transaction that reads first and takes the write lock later may find its snapshot outdated and fail;
    # with the lock from the start, a read followed by a write loses nobody's update.
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _reset_sqlite(connection, _record, _state):
    # After a COMMIT that failed, SQLAlchemy takes the transaction for ended while SQLite still holds it open, and
    # its rows would commit with the next request on this connection.
    connection.rollback()
