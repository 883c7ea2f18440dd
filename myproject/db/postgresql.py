"""PostgreSQL's part of the Engine (by psycopg): isolation, time limits, and clean connections."""

from functools import partial
from typing import Any

from psycopg import IsolationLevel
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, event

from .failure import CommitRefused
from .postgresql_connection import BoundedConnection, connect
from .postgresql_hosts import LastHostFirst

CONNECT_TIMEOUT_SECONDS = 5
# In UTC, so that every connection computes the same month for a moment. A statement that waits longer for a lock fails,
# and its request is tried again.
SESSION_SETTINGS = "SET timezone = 'UTC'; SET lock_timeout = '5s'"
DO_NOT_WAIT_FOR_LOCKS = "SET LOCAL lock_timeout = '10ms'"

# The next request on the same connection must not meet what a request set, locked or created for its session. This is
# DISCARD ALL, but for the prepared statements: the driver relies on them.
CLEAN_SESSION = (
    "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; "
    "SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES"
)


def connect_args() -> dict[str, Any]:
    """Return the driver's arguments for a new connection."""
    return {"connect_timeout": CONNECT_TIMEOUT_SECONDS}


def set_up(engine: Engine, reading_seconds: float | None = None, silence_seconds: float | None = None) -> None:
    """Listen to the events of `engine`.

    Statements of read-only transactions are limited to `reading_seconds`. A connection is closed if the server does not
    answer within `silence_seconds`, in a read-only transaction after `reading_seconds` more.
    """
    settings = SESSION_SETTINGS
    if reading_seconds is not None:
        # The limit is set for the whole connection, so that reading costs no further statement; `_begin` lifts it for
        # transactions that may write.
        settings += f"; SET statement_timeout = '{reading_seconds}s'"
    event.listen(
        engine,
        "do_connect",
        partial(_connect, settings=settings, silence_seconds=silence_seconds, hosts=LastHostFirst()),
    )
    event.listen(engine, "begin", partial(_limit_silence, reading_seconds=reading_seconds, seconds=silence_seconds))
    event.listen(engine, "begin", partial(_begin, is_limited=reading_seconds is not None))
    event.listen(engine, "commit", _refuse_commit_after_error)
    event.listen(engine, "reset", partial(_reset, settings=settings))


def _connect(
    _dialect: Any,
    _record: Any,
    args: list[Any],
    kwargs: dict[str, Any],
    settings: str,
    silence_seconds: float | None,
    hosts: LastHostFirst,
) -> BoundedConnection:
    connection = connect(silence_seconds, settings, *args, **hosts.order(kwargs))
    hosts.remember(connection)
    return connection


def _limit_silence(connection: Connection, reading_seconds: float | None, seconds: float | None) -> None:
    if seconds is not None and connection.get_execution_options().get("read_only", False):
        # While a statement reads, the server may be silent until its own limit.
        seconds += reading_seconds or 0
    driver: Any = connection.connection.dbapi_connection
    driver.longest_silence = seconds


def _begin(connection: Connection, is_limited: bool) -> None:
    driver: Any = connection.connection.dbapi_connection
    options = connection.get_execution_options()
    if options.get("isolation_level") == "AUTOCOMMIT":
        if is_limited:
            driver.execute("SET statement_timeout = 0")
        return
    is_read_only = options.get("read_only", False)
    # SERIALIZABLE, as if requests came one after the other: of two that read what the other one writes, one fails and
    # is tried again. A read-only transaction sees one snapshot; it neither fails nor makes others fail, and a standby
    # can answer it too.
    driver.isolation_level = IsolationLevel.REPEATABLE_READ if is_read_only else IsolationLevel.SERIALIZABLE
    # None and not False: False would write to a server that default_transaction_read_only has made read-only.
    driver.read_only = is_read_only or None
    if is_limited and not is_read_only:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    if not options.get("wait_for_locks", True):
        connection.exec_driver_sql(DO_NOT_WAIT_FOR_LOCKS)


def _refuse_commit_after_error(connection: Connection) -> None:
    # After an error that the view swallowed, the server answers COMMIT by a ROLLBACK, and reports no error.
    driver: Any = connection.connection.dbapi_connection
    if driver.info.transaction_status == TransactionStatus.INERROR:
        raise CommitRefused(
            "A statement of this transaction has failed, so nothing of it can be committed. "
            "Put a statement that may fail into begin_nested().",
            "a COMMIT after a swallowed error",
        )


def _reset(connection: Any, _record: Any, state: Any, settings: str) -> None:
    if not state.terminate_only:
        connection.rollback()
        connection.autocommit = True
        connection.execute(f"{CLEAN_SESSION}; {settings}")
        connection.autocommit = False
