"""What the wiring of an application has done wrong with a request, and what to do about it."""

from collections.abc import Iterator

from ..db.outcome import COMMITTED
from ..db.session import SAFE_METHODS
from .events import BEGUN, DROPPED, ENDED, TAKEN, VOTE, Event
from .record import Diagnosis, Record
from .stock import AFTER_AN_ERROR, NEVER_MARKED, NOBODY_COMMITTED, Ending, kind_of, name_loss, race_of
from .transactions import DatabaseTransaction

USE_SAVEPOINT = "Put a statement that may fail into a savepoint: with request.dbsession.begin_nested()."
LEAVE_TO_MANAGER = "Leave close(), expunge() and rollback() of the Session to the transaction manager."
ADVICE = {
    AFTER_AN_ERROR: USE_SAVEPOINT,
    NOBODY_COMMITTED: "Include pyramid_tm, and register the Session with zope.sqlalchemy: the answer then commits.",
    NEVER_MARKED: (
        "zope.sqlalchemy notices only what the ORM writes. After a write by Core, SQL text or a bulk method, call "
        'mark_changed(request.dbsession, request.tm), or register the Session with initial_state="changed".'
    ),
}


def diagnose(record: Record, ending: Ending) -> list[Diagnosis]:
    """Return what the wiring has done wrong with the last attempt of the request, and what to do about each."""
    return [
        *_find_lost_writes(record, ending),
        *_find_kept_writes(record, ending),
        *_find_own_commits(record),
        *_find_missing_retry(record, ending),
        *_find_leaks(record),
    ]


def _find_lost_writes(record: Record, ending: Ending) -> Iterator[Diagnosis]:
    answer = f"although the view answered {ending.status}"
    reason = name_loss(record, ending)
    if reason:
        yield Diagnosis(f"rolled back {answer}: {reason}", ADVICE[reason])
    is_success = ending.result == "committed" and ending.status is not None and ending.status < 400
    for event in _events_of(record, DROPPED) if is_success else []:
        # The Session rolls back by itself when a flush fails.
        has_failed = any(transaction.failed_statement for transaction in record.last_transactions)
        advice = USE_SAVEPOINT if has_failed else LEAVE_TO_MANAGER
        yield Diagnosis(f"lost {answer}: {event.text}" + _place(event), advice)


def _find_kept_writes(record: Record, ending: Ending) -> Iterator[Diagnosis]:
    if kind_of(record) != COMMITTED:
        return
    if record.method in SAFE_METHODS:
        yield Diagnosis(
            f"committed although the request is a {record.method}",
            "Browsers, proxies and crawlers send it again as they like: write in a POST, or let the database refuse "
            "(SET TRANSACTION READ ONLY, PRAGMA query_only).",
        )
    if ending.error is not None:
        yield Diagnosis(
            f"committed although {type(ending.error).__qualname__} was raised",
            "Set tm.commit_veto to a function that vetoes if request.exception is not None.",
        )
    elif ending.status is not None and ending.status >= 400:
        yield Diagnosis(
            f"committed although the view answered {ending.status}",
            "Set tm.commit_veto = pyramid_tm.default_commit_veto.",
        )


def _find_own_commits(record: Record) -> Iterator[Diagnosis]:
    for transaction in record.last_transactions:
        if transaction.is_committed and transaction.writes and not _is_voted(record, transaction):
            yield Diagnosis(
                "committed on its own, and not by the transaction manager" + _place(transaction.end),
                "What fails later in the request cannot undo it. Register the Session with zope.sqlalchemy, and leave "
                "commit() to the transaction manager.",
            )


def _find_missing_retry(record: Record, ending: Ending) -> Iterator[Diagnosis]:
    race = "" if ending.error is None else race_of(ending.error)
    if race and record.attempt.number < max(record.attempt.most, 2):
        yield Diagnosis(
            f"not tried again after a {race}",
            "Include pyramid_retry, and mark the error where it happens: a listener for the engine's event "
            '"handle_error" that calls pyramid_retry.mark_error_retryable.',
        )


def _find_leaks(record: Record) -> Iterator[Diagnosis]:
    ends = _events_of(record, ENDED)
    for connection in record.leaked:
        [taken] = [event for event in record.events if event.kind == TAKEN and event.connection == connection.number]
        when = ", which was taken after the transaction had ended" if ends and taken.at_ms > ends[-1].at_ms else ""
        yield Diagnosis(
            f"a connection was not returned to its pool{when}" + _place(taken),
            "Use request.dbsession only within the request's transaction, and another Session in callbacks and tweens "
            "outside of it.",
        )


def _is_voted(record: Record, transaction: DatabaseTransaction) -> bool:
    # Whether the transaction manager was ending its transaction when the database committed.
    is_ending = False
    for event in _events_of(record, BEGUN, VOTE, ENDED):
        if transaction.end is not None and event.at_ms > transaction.end.at_ms:
            break
        is_ending = event.kind == VOTE
    return is_ending


def _events_of(record: Record, *kinds: str) -> list[Event]:
    return [event for event in record.events if event.kind in kinds and event.attempt == record.attempt.number]


def _place(event: Event | None) -> str:
    return f", in {event.place}" if event is not None and event.place else ""
