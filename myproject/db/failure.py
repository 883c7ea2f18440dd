"""What a failed statement means: try again at once, come back later, or mend the code."""

import sqlite3

from pyramid.interfaces import IException
from pyramid_retry import mark_error_retryable
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from zope.interface import alsoProvides, classImplements

# SQLSTATE classes, https://www.postgresql.org/docs/current/errcodes-appendix.html
ROLLED_BACK = "40"  # serialization failures and deadlocks
LOCK_NOT_AVAILABLE = "55P03"
READ_ONLY_SERVER = "25006"
NOT_SUPPORTED = "0A000"
QUERY_CANCELED = "57014"
SHUT_DOWN = ("57P01", "57P02")
# No connection; no disk, memory or connection left; the server stops or starts; a failure of its files.
SERVER_CANNOT = ("08", "53", "57P", "58")

# https://www.sqlite.org/rescode.html
BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
FILE_CANNOT = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}


class IDatabaseUnavailable(IException):
    """An error that says nothing about the request: the database is away, busy or full."""


class IOutcomeUnknown(IDatabaseUnavailable):
    """The connection broke during COMMIT: nobody knows whether the server has committed, so it is not tried again."""


class IReadingTookTooLong(IException):
    """A request that only reads was stopped after its time: see `reading_seconds` of `get_engine`."""


# The pool's own: every connection was in use for too long.
classImplements(NoConnectionFree, IDatabaseUnavailable)


def mark_failures(engine):
    """Mark the errors of `engine` that another attempt may mend, and those that mean that the database is unavailable.

    At their source, so that they are known wherever they happen: also in COMMIT, when zope.sqlalchemy no longer looks.
    """
    event.listen(engine, "handle_error", _mark)
    event.listen(engine, "begin", _committing(False))
    event.listen(engine, "commit", _committing(True))


def _committing(flag):
    def note(connection):
        connection.info["committing"] = flag

    return note


def _mark(context):
    error, connection = context.sqlalchemy_exception, context.connection
    if error is None:
        return
    if _sqlstate(context.original_exception).startswith(SHUT_DOWN):
        # The server has said goodbye, and the driver may not have noticed yet that it has gone.
        context.is_disconnect = True
    reading = connection is not None and connection.get_execution_options().get("read_only", False)
    committing = connection is not None and not connection.invalidated and connection.info.get("committing", False)
    lost_race = _is_lost_race(context.original_exception)
    if context.is_disconnect and committing and not reading:
        alsoProvides(error, IOutcomeUnknown)
    elif lost_race or context.is_disconnect:
        alsoProvides(error, IDatabaseUnavailable)
        mark_error_retryable(error)
    elif reading and _is_stopped(context.original_exception):
        alsoProvides(error, IReadingTookTooLong)
    elif _is_refused(context) or _is_unavailable(context.original_exception, reading):
        alsoProvides(error, IDatabaseUnavailable)


def _is_lost_race(error):
    if isinstance(error, sqlite3.Error):
        return _sqlite_code(error) in BUSY
    state = _sqlstate(error)
    return state.startswith(ROLLED_BACK) or state == LOCK_NOT_AVAILABLE


def _is_stopped(error):
    if isinstance(error, sqlite3.Error):
        return _sqlite_code(error) == sqlite3.SQLITE_INTERRUPT
    return _sqlstate(error) == QUERY_CANCELED


def _is_refused(context):
    # No connection was made. The reason (nobody listens, too many connections, the server starts) has no SQLSTATE.
    return context.connection is None and isinstance(context.sqlalchemy_exception, OperationalError)


def _is_unavailable(error, reading):
    if isinstance(error, sqlite3.Error):
        code = _sqlite_code(error)
        # A safe request that writes is refused as read-only too: that is a defect of ours.
        return code in FILE_CANNOT and not (reading and code == sqlite3.SQLITE_READONLY)
    state = _sqlstate(error)
    if state == NOT_SUPPORTED:
        # A standby, which cannot do SERIALIZABLE; anything else that is not supported is a defect of ours.
        return "standby" in str(error).lower()
    return state.startswith(SERVER_CANNOT) or (state == READ_ONLY_SERVER and not reading)


def _sqlite_code(error):
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary code


def _sqlstate(error):
    return getattr(error, "sqlstate", None) or ""
