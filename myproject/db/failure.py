"""What a failed statement means: try again now, come back later, or a defect of the code."""

import sqlite3
from collections.abc import Callable

from pyramid.interfaces import IException
from pyramid_retry import IRetryableError, mark_error_retryable
from sqlalchemy import Connection, Engine, ExceptionContext, event
from sqlalchemy.exc import DBAPIError, InvalidRequestError, NotSupportedError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from zope.interface import alsoProvides, classImplements

# SQLSTATEs and their classes, https://www.postgresql.org/docs/current/errcodes-appendix.html
TRANSACTION_ROLLBACK_CLASS = "40"  # serialization failures and deadlocks
LOCK_NOT_AVAILABLE = "55P03"
READ_ONLY_SERVER = "25006"
NOT_SUPPORTED = "0A000"
QUERY_CANCELED = "57014"
DEADLOCK_DETECTED = "40P01"
SHUTDOWN_STATES = ("57P01", "57P02")
# No connection; no disk, memory or connection left; the server stops or starts; a failure of its files.
UNAVAILABLE_CLASSES = ("08", "53", "57P", "58")

# A line of psycopg's message after several servers were tried; what each of them said follows it.
SEVERAL_TRIED = "Multiple connection attempts failed. All failures were:"

# https://www.sqlite.org/rescode.html
LOCKED_CODES = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
UNUSABLE_FILE_CODES = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_NOTADB,
}


class IDatabaseUnavailable(IException):
    """The database is away, busy or full. The error says nothing about the request."""


class IOutcomeUnknown(IDatabaseUnavailable):
    """The connection broke during COMMIT. The server may have committed, so the request is not tried again."""


class IReadingTookTooLong(IException):
    """A read-only request was stopped after its time limit: see `reading_seconds` of `get_engine`."""


class CommitRefused(InvalidRequestError):
    """A COMMIT was refused because it would have lost what the view believed to be saved; `what` says in short why."""

    what: str

    def __init__(self, message: str, what: str) -> None:
        """Take the message, which says what to do instead, and the short reason."""
        super().__init__(message)
        self.what = what


# Every connection of the pool was in use for too long.
classImplements(PoolTimeoutError, IDatabaseUnavailable)


def describe_failure(error: BaseException) -> str:
    """Return in one line, without its full stop, why the database is unavailable; of any other error, only its class.

    The message of another error may quote a value of the request.
    """
    return message_of(error) if IDatabaseUnavailable.providedBy(error) else type(error).__qualname__


def name_lost_race(error: BaseException) -> str:
    """Return by what an attempt that may be made again has failed: "serialization failure"; empty for other errors."""
    if not IRetryableError.providedBy(error):
        return ""
    if not isinstance(error, DBAPIError):
        return "lost race"
    cause = error.orig
    state = _sqlstate(cause)
    if isinstance(cause, sqlite3.Error) or state == LOCK_NOT_AVAILABLE:
        return "lock that was not free in time"
    if state == DEADLOCK_DETECTED:
        return "deadlock"
    return "serialization failure" if state.startswith(TRANSACTION_ROLLBACK_CLASS) else "broken connection"


def message_of(error: BaseException) -> str:
    """Return the first line of the driver's message, without its full stop; SQLAlchemy's has the statement, too.

    If several servers were tried, return what each of them said.
    """
    first, *others = str(error.orig if isinstance(error, DBAPIError) else error).split("\n")
    if SEVERAL_TRIED not in others:
        return first.rstrip(".")
    return "; ".join(line.removeprefix("- ") for line in others if line.startswith("- host: "))


def mark_failures(engine: Engine) -> None:
    """Mark the errors of `engine` that another attempt may avoid, and those of a database that is unavailable.

    Marked at the engine, they are known wherever they happen, also in COMMIT, which zope.sqlalchemy does not examine.
    """
    event.listen(engine, "handle_error", _mark)
    event.listen(engine, "begin", _note_committing(False))
    event.listen(engine, "commit", _note_committing(True))


def _note_committing(is_committing: bool) -> Callable[[Connection], None]:
    def note(connection: Connection) -> None:
        connection.info["is_committing"] = is_committing

    return note


def _mark(context: ExceptionContext) -> None:
    error, cause = context.sqlalchemy_exception, context.original_exception
    if error is None:
        return
    context.is_disconnect = context.is_disconnect or _is_of_no_more_use(context)
    if context.is_disconnect and _is_committing_writes(context.connection):
        alsoProvides(error, IOutcomeUnknown)
    elif context.is_disconnect or _is_lost_race(cause):
        alsoProvides(error, IDatabaseUnavailable)
        mark_error_retryable(error)
    elif _is_read_only(context.connection) and _is_interrupted(cause):
        alsoProvides(error, IReadingTookTooLong)
    elif _is_unavailable(context):
        alsoProvides(error, IDatabaseUnavailable)


def _is_of_no_more_use(context: ExceptionContext) -> bool:
    if _sqlstate(context.original_exception).startswith(SHUTDOWN_STATES):
        # The server has announced its end; the driver may not have noticed yet that the connection is closed.
        return True
    # The server takes no writes any more, and the URL asks for one that does: a new connection looks for it.
    engine = context.engine
    return _is_read_only_server(context) and engine is not None and "target_session_attrs" in engine.url.query


def _is_read_only_server(context: ExceptionContext) -> bool:
    return _sqlstate(context.original_exception) == READ_ONLY_SERVER and not _is_read_only(context.connection)


def _is_committing_writes(connection: Connection | None) -> bool:
    if connection is None or connection.invalidated or _is_read_only(connection):
        return False
    return connection.info.get("is_committing", False)


def _is_read_only(connection: Connection | None) -> bool:
    return connection is not None and connection.get_execution_options().get("read_only", False)


def _is_lost_race(cause: BaseException) -> bool:
    if isinstance(cause, sqlite3.Error):
        return _primary_code(cause) in LOCKED_CODES
    state = _sqlstate(cause)
    return state.startswith(TRANSACTION_ROLLBACK_CLASS) or state == LOCK_NOT_AVAILABLE


def _is_interrupted(cause: BaseException) -> bool:
    if isinstance(cause, sqlite3.Error):
        return _primary_code(cause) == sqlite3.SQLITE_INTERRUPT
    return _sqlstate(cause) == QUERY_CANCELED


def _is_unavailable(context: ExceptionContext) -> bool:
    if context.connection is None and isinstance(context.sqlalchemy_exception, OperationalError | NotSupportedError):
        # The connection was refused. The reasons (no server, too many connections, a pooler, ...) have no SQLSTATE.
        return True
    cause, is_read_only = context.original_exception, _is_read_only(context.connection)
    if isinstance(cause, sqlite3.Error):
        code = _primary_code(cause)
        # A safe request that writes is refused with SQLITE_READONLY too, but that is a defect of the code.
        return code in UNUSABLE_FILE_CODES and not (is_read_only and code == sqlite3.SQLITE_READONLY)
    state = _sqlstate(cause)
    if state == NOT_SUPPORTED:
        # A standby cannot do SERIALIZABLE. Anything else that is not supported is a defect of the code.
        return "standby" in str(cause).lower()
    return state.startswith(UNAVAILABLE_CLASSES) or _is_read_only_server(context)


def _primary_code(cause: sqlite3.Error) -> int:
    return getattr(cause, "sqlite_errorcode", 0) & 0xFF


def _sqlstate(cause: BaseException | None) -> str:
    return getattr(cause, "sqlstate", None) or ""
