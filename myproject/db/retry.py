"""Another attempt for a request that lost a race: the database undid it, and it may well succeed now."""

import random
import sqlite3
import time

from pyramid_retry import IBeforeRetry, mark_error_retryable
from sqlalchemy import event

# The wait before attempt n + 1 is drawn from 0 to FIRST_WAIT * 2 ** n, and never longer than LONGEST_WAIT; seconds.
# "Full jitter", https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
FIRST_WAIT = 0.02
LONGEST_WAIT = 1.0


def includeme(config):
    """Attempt a request `retry.attempts` times (setting, 3 where it is not given), with growing, jittered waits."""
    config.include("pyramid_retry")
    config.add_subscriber(_wait_before_retry, IBeforeRetry)


def mark_retryable_errors(engine):
    """Mark the errors of `engine` that another attempt may mend, at their source.

    So they are known wherever they happen: also in COMMIT, when zope.sqlalchemy no longer looks.
    """

    @event.listens_for(engine, "handle_error")
    def mark(context):
        if context.sqlalchemy_exception is not None and is_retryable(context.original_exception):
            mark_error_retryable(context.sqlalchemy_exception)


def is_retryable(error):
    """Return whether the database rolled back because of others' work, not because of this request's own.

    SQLSTATE class 40 is "transaction rollback": serialization failures and deadlocks
    (https://www.postgresql.org/docs/current/errcodes-appendix.html).
    """
    if isinstance(error, sqlite3.Error):
        # The low byte is the primary result code, https://www.sqlite.org/rescode.html
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return (getattr(error, "sqlstate", None) or "").startswith("40")


def _wait_before_retry(retry):
    longest = min(LONGEST_WAIT, FIRST_WAIT * 2 ** retry.environ["retry.attempt"])
    time.sleep(random.uniform(0, longest))
