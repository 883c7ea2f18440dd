"""What became of a request in any application with pyramid_tm, by what was observed.

An application with `myproject.db` says itself what became of its request: `request.outcome`.
"""

from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError

from ..db.failure import LOCKED_CODES, TRANSACTION_ROLLBACK_CLASS, name_lost_race
from ..db.outcome import COMMITTED, READ_ONLY, ROLLED_BACK, UNUSED, Outcome
from ..db.session import SAFE_METHODS
from .events import COMMIT
from .record import Record

NEVER_MARKED = "the session was never marked as changed"
NOBODY_COMMITTED = "nobody committed"
AFTER_AN_ERROR = "a statement had failed, so the database answered COMMIT by a ROLLBACK"


@dataclass
class Ending:
    """How the last attempt of a request has ended."""

    # Of the answer; None if an error left the application.
    status: int | None = None
    # The header X-Tm of the answer.
    x_tm: str = ""
    # What was raised, also if an exception view has answered.
    error: BaseException | None = None
    # What the transaction manager says: "committed", "aborted", "the commit failed"; empty without one.
    result: str = ""
    has_begun: bool = False
    is_doomed: bool = False


def describe_outcome(record: Record, ending: Ending) -> tuple[str, str]:
    """Return the kind of the outcome, a word of db/outcome.py, and the sentence."""
    kind = kind_of(record)
    if kind == READ_ONLY and _is_aborted_form(record, ending):
        kind = ROLLED_BACK
    outcome = Outcome(kind, attempt=record.attempt.number, most_attempts=record.attempt.most)
    outcome.lost_races = [attempt.error for attempt in record.attempts[:-1]]
    if kind == COMMITTED:
        outcome.changes = record.written
    elif ending.error is not None:
        outcome.detail = race_of(ending.error) or f"an exception, {type(ending.error).__qualname__}"
    elif kind == ROLLED_BACK:
        reason = name_loss(record, ending)
        outcome.detail = reason or _name_abort(ending)
        outcome.kind += f" although the view answered {ending.status}" if reason else ""
    return kind, outcome.sentence


def _is_aborted_form(record: Record, ending: Ending) -> bool:
    # The Session may have held what it had not flushed, which is lost, too.
    return ending.result == "aborted" and record.method not in SAFE_METHODS


def name_failure(error: BaseException) -> str:
    """Return by what an attempt has failed: "serialization failure", or the class of the error."""
    return race_of(error) or type(error).__qualname__


def kind_of(record: Record) -> str:
    """Return what became of the last attempt: a word of db/outcome.py."""
    transactions = record.last_transactions
    if any(transaction.is_committed and transaction.writes for transaction in transactions):
        return COMMITTED
    if any(transaction.is_lost for transaction in transactions):
        return ROLLED_BACK
    return READ_ONLY if any(transaction.statements for transaction in transactions) else UNUSED


def name_loss(record: Record, ending: Ending) -> str:
    """Return why the last attempt has lost what it has written although the view has answered; empty if it has not."""
    lost = [transaction for transaction in record.last_transactions if transaction.is_lost]
    if not lost or ending.error is not None or ending.result not in ("committed", ""):
        return ""
    if lost[0].end is not None and lost[0].end.kind == COMMIT:
        return AFTER_AN_ERROR
    return NEVER_MARKED if ending.result == "committed" else NOBODY_COMMITTED


def _name_abort(ending: Ending) -> str:
    if ending.is_doomed:
        return "the transaction was doomed"
    if ending.x_tm:
        return "the answer has an X-Tm header"
    return f"the view answered {ending.status}"


def race_of(error: BaseException) -> str:
    """Return by what an attempt that may be made again has failed, marked or not; empty for other errors."""
    if not isinstance(error, DBAPIError):
        return name_lost_race(error)
    # Stock wirings do not mark it.
    state, code = getattr(error.orig, "sqlstate", None) or "", getattr(error.orig, "sqlite_errorcode", 0)
    if state.startswith(TRANSACTION_ROLLBACK_CLASS):
        return "deadlock" if state == "40P01" else "serialization failure"
    return "lock that was not free in time" if code & 0xFF in LOCKED_CODES else name_lost_race(error)
