"""What SQLite needs in order to keep its word."""

import sqlite3
import time
from functools import partial

from sqlalchemy import Engine, event

from .folding import fold

# After so many of SQLite's instructions, 0.5 ms or so, it is looked whether the time to read is over.
INSTRUCTIONS = 50_000


def connect_args(_reading_seconds=None):
    """Return what the driver needs to connect."""
    # How long a connection waits for the one writer before it gives up as busy, in seconds.
    return {"timeout": 5}


def set_up(engine, reading_seconds=None):
    """Make the connections of `engine` begin, read, for `reading_seconds` at most, and give up as they should."""
    event.listen(engine, "connect", _open)
    event.listen(engine, "begin", partial(_begin, reading_seconds=reading_seconds))
    event.listen(engine, "handle_error", _note_end)
    event.listen(engine, "before_cursor_execute", _refuse_after_end)
    event.listen(engine, "commit", _refuse_after_end)
    event.listen(engine, "rollback", _forget_end)
    event.listen(engine, "reset", _reset)


def _open(connection, _record):
    # The driver would begin by itself before some statements (INSERT) and not before others (DDL, SAVEPOINT,
    # WITH ... UPDATE), which then stay committed after an abort. `_begin` begins before all of them.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    # Readers go on while somebody writes, and the writer while they read.
    connection.execute("PRAGMA journal_mode = WAL")


@event.listens_for(Engine, "connect")
def prepare_for_triggers(connection, _record=None):
    """Give `connection`, one of the driver, what the triggers of the database call: the SQL function `folded`.

    Every engine of the process calls this for each new connection, also one from a plain `create_engine`: without the
    function each INSERT into `users` would fail. Connections of other drivers are left alone.
    """
    if isinstance(connection, sqlite3.Connection):
        connection.create_function("folded", 1, fold, deterministic=True)
        # Without it, REPLACE deletes a row without firing its DELETE triggers.
        connection.execute("PRAGMA recursive_triggers = ON")


def _begin(connection, reading_seconds):
    _forget_end(connection)
    driver = connection.connection.dbapi_connection
    driver.set_progress_handler(None, 0)
    if _is_autocommit(connection):
        return
    # Where it was AUTOCOMMIT for a while, the dialect has let the driver begin by itself again.
    driver.isolation_level = None
    reading = connection.get_execution_options().get("read_only", False)
    # To set it, also to what it is, makes SQLite prepare all its statements anew.
    if driver.execute("PRAGMA query_only").fetchone() != (reading,):
        driver.execute(f"PRAGMA query_only = {'ON' if reading else 'OFF'}")
    if reading:
        if reading_seconds is not None:
            deadline = time.monotonic() + reading_seconds
            driver.set_progress_handler(lambda: time.monotonic() > deadline, INSTRUCTIONS)
        # It takes no lock yet, so it cannot fail, and the driver alone is quicker.
        driver.execute("BEGIN")
    else:
        # A transaction that reads first and takes the write lock later may find its snapshot outdated and fail;
        # with the lock from the start, a read followed by a write loses nobody's update.
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _is_autocommit(connection):
    return connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"


def _note_end(context):
    # A full disk makes SQLite itself roll back the whole transaction, savepoints too, and what is executed then is
    # committed at once, statement by statement: https://www.sqlite.org/lang_transaction.html
    connection = context.connection
    if connection is None or connection.invalidated or _is_autocommit(connection):
        return
    if not connection.connection.dbapi_connection.in_transaction:
        connection.info.setdefault("ended_by", context.sqlalchemy_exception)


def _refuse_after_end(connection, *_):
    if "ended_by" in connection.info:
        raise connection.info["ended_by"]


def _forget_end(connection):
    connection.info.pop("ended_by", None)


def _reset(connection, _record, _state):
    # After a COMMIT that failed, SQLAlchemy takes the transaction for ended while SQLite still holds it open, and
    # its rows would commit with the next request on this connection.
    connection.rollback()
