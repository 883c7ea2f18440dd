"""What PostgreSQL, by psycopg, needs in order to keep its word."""

from functools import partial

from psycopg import IsolationLevel
from psycopg.pq import TransactionStatus
from sqlalchemy import event
from sqlalchemy.exc import InvalidRequestError

# In UTC, so that the month of a moment is the same to all. Who waits for a lock that long is tried again.
OPTIONS = "-c timezone=UTC -c lock_timeout=5s"

# What a request set, locked or made for its session alone must not meet the next one on its connection: all of
# DISCARD ALL but the prepared statements, which the driver believes to be there.
CLEAN = (
    "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; "
    "SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES"
)


def connect_args(reading_seconds=None):
    """Return what the driver needs to connect; no statement that only reads takes longer than `reading_seconds`."""
    # The limit is the whole connection's, so that those who read need not ask for it; `_begin` lifts it for others.
    limit = "" if reading_seconds is None else f" -c statement_timeout={reading_seconds}s"
    # Seconds for the server to accept a connection.
    return {"connect_timeout": 5, "options": OPTIONS + limit}


def set_up(engine, reading_seconds=None):
    """Make the connections of `engine` begin, commit and go back to the pool as they should."""
    event.listen(engine, "begin", partial(_begin, is_limited=reading_seconds is not None))
    event.listen(engine, "commit", _commit)
    event.listen(engine, "reset", _reset)


def _begin(connection, is_limited):
    driver = connection.connection.dbapi_connection
    if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
        if is_limited:
            driver.execute("SET statement_timeout = 0")
        return
    reading = connection.get_execution_options().get("read_only", False)
    # As if requests came one after the other: of two that read what the other writes, one fails and is tried again.
    # Those that only read see one moment, and neither fail nor make others fail; a standby answers them too.
    driver.isolation_level = IsolationLevel.REPEATABLE_READ if reading else IsolationLevel.SERIALIZABLE
    # Not False: that would write to a server that was set to be read-only, by default_transaction_read_only.
    driver.read_only = reading or None
    if is_limited and not reading:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")


def _commit(connection):
    # After an error that the view swallowed, the server would answer COMMIT by a ROLLBACK, and say nothing.
    if connection.connection.dbapi_connection.info.transaction_status == TransactionStatus.INERROR:
        raise InvalidRequestError(
            "A statement of this transaction has failed, so nothing of it can be committed. "
            "Put a statement that may fail into begin_nested()."
        )


def _reset(connection, _record, state):
    if not state.terminate_only:
        connection.rollback()
        connection.autocommit = True
        connection.execute(CLEAN)
        connection.autocommit = False
