"""What can happen in a request, as the inspector keeps it: plain texts and numbers, no object of the application."""

from dataclasses import dataclass

# The kinds of events.
ATTEMPT = "attempt"  # an attempt of the request begins
BEGUN = "transaction begun"  # by the transaction manager: an object of Python
TAKEN = "connection taken"
BEGIN = "BEGIN"
STATEMENT = "statement"
CONTROL = "control"  # SAVEPOINT, SET, PRAGMA, ...: a statement about the transaction or the connection
FLUSH = "flush"
DROPPED = "dropped"  # objects left the Session without being saved
VOTE = "vote"  # the transaction manager asks its data managers to commit or to abort
COMMIT = "COMMIT"
ROLLBACK = "ROLLBACK"
RETURNED = "connection returned"
ENDED = "transaction ended"
HOOK = "after the commit"
ERROR = "error"
ANSWER = "answer"


@dataclass
class Event:
    """Something that happened `at_ms` milliseconds after the beginning of the record."""

    kind: str
    text: str = ""
    # A small number for each time that a connection was taken from a pool.
    connection: int | None = None
    # The line of the application that led to it: "users/views.py:42".
    place: str = ""
    # Why it failed.
    error: str = ""
    at_ms: float = 0.0
    attempt: int = 1
    # How many flushes and savepoints are around it.
    depth: int = 0


@dataclass
class Statement(Event):
    """SQL; `text` is the SQL itself."""

    parameters: str = ""
    # How many rows of parameters it was executed with (executemany).
    parameter_sets: int = 1
    # None if it was not sent, because a listener refused it, or if it is still running.
    took_ms: float | None = None
    # None if the driver does not tell.
    rows: int | None = None
    is_write: bool = False
    # What the code has loaded by reading an attribute: "User.posts".
    lazy_load: str = ""


@dataclass
class Connection:
    """A connection that was taken from a pool."""

    number: int
    # The URL of the database, without its password.
    database: str
    # "sqlite", "postgresql", ...
    dialect: str
    place: str = ""
    is_returned: bool = False


@dataclass
class Change:
    """What a flush has written of one object. The values are texts, clipped; secrets are masked."""

    kind: str  # "added", "changed" or "deleted"
    model: str  # "saved view"
    key: str
    # Before and after; empty where there was or is no value.
    values: dict[str, tuple[str, str]]
    # On which it was written.
    connection: int | None = None
    attempt: int = 1


@dataclass
class Attempt:
    """One attempt of the request, counted from 1."""

    number: int = 1
    most: int = 1
    ended_ms: float = 0.0
    # Of the answer; None if an error left the application.
    status: int | None = None
    # By what it has failed, in words: "serialization failure".
    error: str = ""
