"""Stores refusals after the answer, and of each kind a limited number a minute: the others are counted.

Strangers cause these events as often as they like. So nobody waits for them to be stored, and neither the table nor
the memory grows with their number: in each minute, each process stores `STORED_REFUSALS_PER_MINUTE` events of a kind;
one more row for the minute has the number of the others, of all processes. A process that ends, or that hears of no
other refusal, may leave up to half of the others unwritten: the number is a lower bound.
"""

import datetime
from collections import Counter
from dataclasses import dataclass, field
from threading import Lock
from typing import NamedTuple

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from ...db.base import utcnow
from ...users.models import User
from ...web.events import RefusalReported
from .models import SecurityEvent
from .storing import add_late_event, make_event

# For each kind, in each process.
STORED_REFUSALS_PER_MINUTE = 20


def store_refusal(refusal: RefusalReported) -> None:
    """Let the refusal be stored, or counted, after the answer; it is lost if the database is busy then."""
    stored_refusals: StoredRefusals = refusal.request.registry["stored_refusals"]
    # Made now, because the request forgets the person when it ends.
    event = make_event(refusal.request, refusal.kind, refusal.facts)
    refusal.request.after_answer(lambda dbsession: stored_refusals.store(dbsession, event, refusal.email))


@dataclass
class Minute:
    """The refusals of a minute, by kind: stored one by one, counted in a row, and counted here alone so far."""

    begins_at: datetime.datetime
    stored: Counter[str] = field(default_factory=Counter)
    written: Counter[str] = field(default_factory=Counter)
    unwritten: Counter[str] = field(default_factory=Counter)

    def is_due(self, kind: str) -> bool:
        """Return whether to write the number now: each time that it has doubled, so that a flood causes few writes."""
        return self.unwritten[kind] >= max(1, self.written[kind])

    def take_unwritten(self, kind: str) -> "Others":
        """Return the others of `kind` that are to be written now, and count them as written."""
        number = self.unwritten.pop(kind)
        self.written[kind] += number
        return Others(self.begins_at, kind, number)


class Others(NamedTuple):
    """A number of refusals of one kind to add to the row of a minute."""

    begins_at: datetime.datetime
    kind: str
    number: int


class StoredRefusals:
    """Knows what this process has stored in the present minute."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.forget()

    def forget(self) -> None:
        """Start again, as in a new process."""
        self.minute = Minute(_minute_of(utcnow()))

    def store(self, dbsession: Session, event: SecurityEvent, email: str | None = None) -> None:
        """Store the event, or count it, and write the numbers that are due.

        `email` is what was entered to name an account: the event is about its user, if there is one.
        """
        is_stored, due = self._count(event.kind)
        try:
            for others in due:
                _write_others(dbsession, others)
            if is_stored:
                if email is not None:
                    event.user_id = dbsession.scalar(select(User.id).where(func.lower(User.email) == email.lower()))
                add_late_event(dbsession, event)
                dbsession.flush()
        except Exception:
            self._count_unwritten(due, Counter({event.kind: int(is_stored)}))
            raise

    def _count(self, kind: str) -> tuple[bool, list[Others]]:
        """Count a refusal; return whether to store it, and the numbers of others to write."""
        with self.lock:
            due, now = [], _minute_of(utcnow())
            if self.minute.begins_at != now:
                due = [self.minute.take_unwritten(each) for each in list(self.minute.unwritten)]
                self.minute = Minute(now)
            is_stored = self.minute.stored[kind] < STORED_REFUSALS_PER_MINUTE
            (self.minute.stored if is_stored else self.minute.unwritten)[kind] += 1
            if self.minute.is_due(kind):
                due.append(self.minute.take_unwritten(kind))
            return is_stored, due

    def _count_unwritten(self, due: list[Others], dropped: Counter[str]) -> None:
        """Count what could not be written with the others of the present minute."""
        with self.lock:
            for others in due:
                dropped[others.kind] += others.number
            self.minute.unwritten.update(+dropped)


def _minute_of(moment: datetime.datetime) -> datetime.datetime:
    return moment.replace(second=0, microsecond=0)


def _write_others(dbsession: Session, others: Others) -> None:
    """Add to the number in the row of the minute, which another process may have written."""
    event = SecurityEvent
    row = update(event).where(
        event.kind == others.kind, event.happened_at == others.begins_at, event.number.is_not(None)
    )
    added = row.values(number=event.number + others.number).returning(event.id)
    if dbsession.scalar(added, execution_options={"synchronize_session": False}) is None:
        dbsession.add(event(kind=others.kind, happened_at=others.begins_at, number=others.number))
        dbsession.flush()
