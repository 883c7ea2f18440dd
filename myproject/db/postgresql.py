"""PostgreSQL's part of the Engine (by psycopg): isolation, time limits, and clean connections."""

from functools import partial
from typing import Any

from psycopg import IsolationLevel
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import InvalidRequestError

CONNECT_TIMEOUT_SECONDS = 5
# In UTC, so that every connection computes the same month for a moment. A statement that waits longer for a lock fails,
# and its request is tried again.
SESSION_SETTINGS = "-c timezone=UTC -c lock_timeout=5s"
DO_NOT_WAIT_FOR_LOCKS = "SET LOCAL lock_timeout = '10ms'"

# The next request on the same connection must not meet what a request set, locked or created for its session. This is
# DISCARD ALL, but for the prepared statements: the driver relies on them.
CLEAN_SESSION = (
    "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; "
    "SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES"
)


def connect_args(reading_seconds: int | None = None) -> dict[str, Any]:
    """Return the driver's arguments for a new connection; `reading_seconds` limits each statement that only reads."""
    # The limit is set for the whole connection, so that reading costs no further statement; `_begin` lifts it for
    # transactions that may write.
    limit = "" if reading_seconds is None else f" -c statement_timeout={reading_seconds}s"
    return {"connect_timeout": CONNECT_TIMEOUT_SECONDS, "options": SESSION_SETTINGS + limit}


def set_up(engine: Engine, reading_seconds: int | None = None) -> None:
    """Listen to the events of `engine`; statements of read-only transactions are limited to `reading_seconds`."""
    event.listen(engine, "begin", partial(_begin, is_limited=reading_seconds is not None))
    event.listen(engine, "commit", _refuse_commit_after_error)
    event.listen(engine, "reset", _reset)


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
        raise InvalidRequestError(
            "A statement of this transaction has failed, so nothing of it can be committed. "
            "Put a statement that may fail into begin_nested()."
        )


def _reset(connection: Any, _record: Any, state: Any) -> None:
    if not state.terminate_only:
        connection.rollback()
        connection.autocommit = True
        connection.execute(CLEAN_SESSION)
        connection.autocommit = False
