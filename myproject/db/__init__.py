"""Gives each request one Session and one transaction: `config.include("myproject.db")`.

A request meets the files in this order:

    transaction.py        begins the request's transaction, and commits or aborts it by the answer
    session.py            makes `request.dbsession`, joined to that transaction
    standby.py            lets safe requests read from a standby; replication.py asks how far it is
    engine.py             connects to the database; sqlite.py and postgresql*.py hold what each one needs
    failure.py            what a failed statement means: try again, come back later, or a defect
    retry.py              tries a request again after the database has rolled it back in favour of another one
    after_transaction.py  work after the transaction: `request.after_commit`, `request.in_own_transaction`
    after_answer.py       writes after the answer was sent: `request.after_answer`
    outcome.py            what has become of all that: `request.outcome`

Beside these: stream.py reads rows for answers of any length, lookup.py loads the row that a URL names, base.py has
`Base` for the models and the type of a moment in time, folding.py folds text for searches, constraints.py tells which
constraint a write has violated, triggers.py creates triggers with a table, version.py lets the database count the
changes of a record, changes.py tells what a Session has written.
"""

from pyramid.config import Configurator

from .base import Base, UTCDateTime
from .engine import engine_from_config, get_engine
from .failure import IDatabaseUnavailable, IOutcomeUnknown, IReadingTookTooLong, describe_failure, message_of
from .lookup import get_or_404, to_id
from .session import get_session_factory, get_tm_session
from .stream import read_rows, reading, stream_pages, stream_rows

__all__ = [
    "Base",
    "IDatabaseUnavailable",
    "IOutcomeUnknown",
    "IReadingTookTooLong",
    "UTCDateTime",
    "describe_failure",
    "engine_from_config",
    "get_engine",
    "get_or_404",
    "get_session_factory",
    "get_tm_session",
    "message_of",
    "read_rows",
    "reading",
    "stream_pages",
    "stream_rows",
    "to_id",
]


def includeme(config: Configurator) -> None:
    """Add to each request `tm`, `dbsession`, `after_commit`, `in_own_transaction`, `after_answer` and `outcome`.

    Settings: `sqlalchemy.url`, the database; `sqlalchemy.pool_size` and other options of the engine, see engine.py;
    `reading.longest_seconds`, the time limit of a safe request's statements; `database.longest_silence`, how long to
    wait for PostgreSQL's answer beyond that; `retry.attempts` and `retry.longest_wait`, see retry.py.
    `reading.url` and `reading.longest_lag`, a standby to read from, see standby.py.
    `registry["before_connecting"]` may be set before: a function that is called before each new connection.
    """
    config.include(".retry")
    config.include(".outcome")
    config.include(".transaction")
    config.include(".session")
    config.include(".standby")
    config.include(".after_transaction")
    config.include(".after_answer")
    config.include(".constraints")
