"""Gives each request one Session and one transaction; `config.include("myproject.db")` is all it takes.

A request meets the files in this order:

    transaction.py        begins the request's transaction, and commits or aborts it by the answer
    session.py            makes `request.dbsession`, joined to that transaction
    engine.py             what each database needs in order to keep its word
    failure.py            what a failed statement means: try again, come back later, or a defect
    retry.py              tries a request again when the database undid it in favour of another
    after_transaction.py  what waits for its end: `request.after_commit`, `request.in_own_transaction`

and, beside requests, stream.py, for answers of any length, lookup.py, for the row behind a URL, and base.py: `Base`
for the models, and the type of a moment in time.
"""

from .base import Base, UTCDateTime
from .engine import get_engine
from .failure import IDatabaseUnavailable, IOutcomeUnknown, IReadingTookTooLong
from .lookup import get_or_404, to_id
from .session import get_session_factory, get_tm_session
from .stream import read_rows, stream_rows

__all__ = [
    "Base",
    "IDatabaseUnavailable",
    "IOutcomeUnknown",
    "IReadingTookTooLong",
    "UTCDateTime",
    "get_engine",
    "get_or_404",
    "get_session_factory",
    "get_tm_session",
    "read_rows",
    "stream_rows",
    "to_id",
]


def includeme(config):
    """Add `request.tm`, `request.dbsession`, `request.after_commit` and `request.in_own_transaction`.

    Settings: `sqlalchemy.url`, the database; `reading.longest_seconds`, for which a safe request may read;
    `retry.attempts` and `retry.longest_wait`, see retry.py.
    """
    config.include(".retry")
    config.include(".transaction")
    config.include(".session")
    config.include(".after_transaction")
