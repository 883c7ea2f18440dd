"""SQLite's part of the Engine: what its connections need for transactions that commit or roll back as a whole."""

import contextlib
import os
import sqlite3
import stat
import time
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, ExceptionContext, event
from sqlalchemy.pool import ConnectionPoolEntry

from .folding import fold, fold_1, initials

# How long a connection waits for the one writer before it gives up as busy.
LOCK_TIMEOUT_SECONDS = 5
# How many VM instructions SQLite runs between deadline checks, about 0.5 ms.
INSTRUCTIONS_PER_DEADLINE_CHECK = 50_000


def connect_args() -> dict[str, Any]:
    """Return the driver's arguments for a new connection."""
    return {"timeout": LOCK_TIMEOUT_SECONDS}


def set_up(engine: Engine, reading_seconds: int | None = None) -> None:
    """Listen to the events of `engine`; read-only transactions are interrupted after `reading_seconds`."""
    event.listen(engine, "do_connect", _create_private_file)
    event.listen(engine, "connect", _open)
    event.listen(engine, "begin", partial(_begin, reading_seconds=reading_seconds))
    event.listen(engine, "handle_error", _note_rollback_by_sqlite)
    event.listen(engine, "before_cursor_execute", _refuse_after_rollback)
    event.listen(engine, "commit", _refuse_after_rollback)
    event.listen(engine, "rollback", _forget_rollback)
    event.listen(engine, "reset", _reset)


@event.listens_for(Engine, "connect")
def prepare_for_triggers(connection: Any, _record: ConnectionPoolEntry | None = None) -> None:
    """Give `connection`, one of the driver, the SQL functions that the triggers and indexes of the database call.

    Every engine of the process calls this for each new connection, also one from a plain `create_engine`: without
    them each INSERT into `users` would fail. Connections of other drivers are left alone.
    """
    if isinstance(connection, sqlite3.Connection):
        connection.create_function("folded", 1, fold_1, deterministic=True)
        connection.create_function("folded_2", 1, fold, deterministic=True)
        connection.create_function("initials", 1, initials, deterministic=True)
        # Without it, REPLACE deletes a row without firing its DELETE triggers.
        connection.execute("PRAGMA recursive_triggers = ON")


def close_to_others(database: str) -> None:
    """Let the owner alone read the file `database` and those beside it, if now everybody can.

    A file that only the owner and a group can read, for instance to back it up, stays as it is.
    """
    for path in (database, f"{database}-wal", f"{database}-shm"):
        with contextlib.suppress(OSError):
            if os.stat(path).st_mode & stat.S_IROTH:
                os.chmod(path, stat.S_IRUSR | stat.S_IWUSR)


def _create_private_file(_dialect: Any, _record: Any, arguments: list[str], options: dict[str, Any]) -> None:
    # SQLite would create a file that everybody can read. The files beside it get the same mode.
    if arguments[0] != ":memory:" and not options.get("uri"):
        with contextlib.suppress(OSError):
            os.close(os.open(arguments[0], os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR))


def _open(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
    # The driver begins by itself before some statements (INSERT) and not before others (DDL, SAVEPOINT,
    # WITH ... UPDATE), which would stay committed after an abort. `_begin` begins before all of them.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    # With the write-ahead log, readers do not wait for the writer, nor the writer for readers.
    connection.execute("PRAGMA journal_mode = WAL")


def _begin(connection: Connection, reading_seconds: int | None) -> None:
    _forget_rollback(connection)
    driver: Any = connection.connection.dbapi_connection
    driver.set_progress_handler(None, 0)
    if _is_autocommit(connection):
        return
    # After a time as AUTOCOMMIT, the dialect has let the driver begin by itself again.
    driver.isolation_level = None
    options = connection.get_execution_options()
    is_read_only = options.get("read_only", False)
    # Setting it, even to its present value, makes SQLite prepare all its statements again.
    if driver.execute("PRAGMA query_only").fetchone() != (is_read_only,):
        driver.execute(f"PRAGMA query_only = {'ON' if is_read_only else 'OFF'}")
    if is_read_only:
        _limit_reading(driver, reading_seconds)
        # This takes no lock yet, so it cannot fail, and the driver alone is faster.
        driver.execute("BEGIN")
        return
    if not options.get("wait_for_locks", True):
        connection.info["busy_timeout"] = driver.execute("PRAGMA busy_timeout").fetchone()[0]
        driver.execute("PRAGMA busy_timeout = 0")
    # A transaction that reads first and takes the write lock later may find its snapshot outdated, and fail. With the
    # lock from the start, a read followed by a write cannot overwrite somebody else's update.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _limit_reading(driver: Any, reading_seconds: int | None) -> None:
    if reading_seconds is not None:
        deadline = time.monotonic() + reading_seconds
        driver.set_progress_handler(lambda: time.monotonic() > deadline, INSTRUCTIONS_PER_DEADLINE_CHECK)


def _is_autocommit(connection: Connection) -> bool:
    return connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"


def _note_rollback_by_sqlite(context: ExceptionContext) -> None:
    # A full disk makes SQLite itself roll back the whole transaction, with its savepoints. Each statement executed
    # afterwards would be committed at once: https://www.sqlite.org/lang_transaction.html
    connection = context.connection
    if connection is None or connection.invalidated or _is_autocommit(connection):
        return
    driver: Any = connection.connection.dbapi_connection
    if not driver.in_transaction:
        connection.info.setdefault("rolled_back_by", context.sqlalchemy_exception)


def _refuse_after_rollback(connection: Connection, *_: Any) -> None:
    if "rolled_back_by" in connection.info:
        raise connection.info["rolled_back_by"]


def _forget_rollback(connection: Connection) -> None:
    connection.info.pop("rolled_back_by", None)


def _reset(connection: sqlite3.Connection, record: ConnectionPoolEntry, _state: Any) -> None:
    # After a COMMIT that failed, SQLAlchemy believes that the transaction has ended. SQLite still has it open, and
    # would commit its rows with the next request on this connection.
    connection.rollback()
    if "busy_timeout" in record.info:
        connection.execute(f"PRAGMA busy_timeout = {record.info.pop('busy_timeout')}")
