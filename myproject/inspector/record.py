"""What is known of one client request, over all its attempts: what happened when, and what became of it."""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from ..db.changes import combine, describe_counts
from .events import ATTEMPT, FLUSH, STATEMENT, Attempt, Change, Connection, Event, Statement
from .suspects import Suspect, find_suspects
from .timeline import describe
from .transactions import DatabaseTransaction, split_transactions

MOST_EVENTS = 1000
MOST_LATE_EVENTS = 200
MOST_CHANGES = 200


@dataclass
class Diagnosis:
    """What the wiring of the application has done wrong with a request, and what to do about it."""

    sentence: str
    advice: str


@dataclass(repr=False, eq=False)
class Record:
    """What happened in one request, or in one block of a test."""

    method: str = ""
    path: str = ""
    request_id: str = ""
    # What became of it: a word of db/outcome.py, and a sentence that begins with it.
    kind: str = ""
    sentence: str = ""
    diagnoses: Sequence[Diagnosis] = ()
    attempts: list[Attempt] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    # All statements, also those that `events` has no room for.
    statement_count: int = 0
    # Events that were counted, but not kept.
    left_out: int = 0
    most_events: int = MOST_EVENTS
    depth: int = 0
    # Whether the transaction manager is ending its transaction.
    is_ending: bool = False
    # Whether the body of the answer, which may still use the database, is being sent.
    is_sending: bool = False
    started: float = field(default_factory=time.perf_counter)
    first_events: list[Event] = field(default_factory=list)
    late_events: deque[Event] = field(default_factory=lambda: deque(maxlen=MOST_LATE_EVENTS))
    # What listeners have to remember between two events, by objects of SQLAlchemy.
    pending: dict[Any, Any] = field(default_factory=dict)
    # How many changes there were before each savepoint.
    savepoints: WeakKeyDictionary[Any, int] = field(default_factory=WeakKeyDictionary)

    def add(self, event: Event) -> None:
        """Keep `event`, which happens now; of too many, keep the first ones, and the last that are no statements."""
        event.at_ms, event.attempt, event.depth = self.elapsed_ms, self.attempt.number, self.depth
        self.statement_count += event.kind == STATEMENT
        if len(self.first_events) < self.most_events:
            self.first_events.append(event)
            return
        is_kept = event.kind != FLUSH and not isinstance(event, Statement)
        self.left_out += not is_kept or len(self.late_events) == MOST_LATE_EVENTS
        if is_kept:
            self.late_events.append(event)

    def move_to_end(self, event: Event) -> None:
        """Let `event` happen now. In a record that is full, it stays where it is."""
        if event in self.first_events and not self.late_events:
            self.first_events.remove(event)
            self.first_events.append(event)
            event.at_ms = self.elapsed_ms

    def add_change(self, change: Change) -> None:
        """Keep what a flush has written, up to a limit."""
        change.attempt = self.attempt.number
        if len(self.changes) < MOST_CHANGES:
            self.changes.append(change)

    def begin_attempt(self, number: int, most: int) -> None:
        """Note that the next attempt begins."""
        self.attempts.append(Attempt(number, most))
        self.depth = 0
        self.add(Event(ATTEMPT, f"{number} of {most}"))

    @property
    def attempt(self) -> Attempt:
        """The last attempt."""
        return self.attempts[-1] if self.attempts else Attempt()

    @property
    def status(self) -> int | None:
        """The status of the answer; None if there is none yet, or if an error left the application."""
        return self.attempt.status

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds since the beginning."""
        return (time.perf_counter() - self.started) * 1000

    @property
    def took_ms(self) -> float:
        """Milliseconds from the beginning to the answer of the last attempt."""
        return self.attempt.ended_ms

    @property
    def events(self) -> list[Event]:
        """The events, in their order."""
        return [*self.first_events, *self.late_events]

    @property
    def statements(self) -> list[Statement]:
        """The statements that were kept, without those about the transaction, such as SAVEPOINT."""
        return [event for event in self.events if isinstance(event, Statement) and event.kind == STATEMENT]

    @property
    def sql(self) -> list[str]:
        """The SQL of `statements`."""
        return [statement.text for statement in self.statements]

    @property
    def transactions(self) -> list[DatabaseTransaction]:
        """What happened between each BEGIN and its COMMIT or ROLLBACK."""
        return split_transactions(self.events)

    @property
    def last_transactions(self) -> list[DatabaseTransaction]:
        """Those of the last attempt."""
        return [transaction for transaction in self.transactions if transaction.attempt == self.attempt.number]

    @property
    def written(self) -> str:
        """What the flushes of the last attempt have written, in words: "1 user changed"."""
        changes = [change for change in self.changes if change.attempt == self.attempt.number]
        return describe_counts(combine(((change.model, change.key), change.kind) for change in changes))

    @property
    def commits(self) -> int:
        """How many transactions the database has committed."""
        return sum(transaction.is_committed for transaction in self.transactions)

    @property
    def leaked(self) -> list[Connection]:
        """The connections that were not returned to their pool."""
        return [connection for connection in self.connections if not connection.is_returned]

    @property
    def suspects(self) -> list[Suspect]:
        """Statements that a loop seems to repeat: "N+1 queries"."""
        return find_suspects(self.statements)

    @property
    def summary(self) -> str:
        """How many statements the database was sent, and how it ended: "3 statements, committed"."""
        if self.statement_count == 0:
            return "no statements"
        ends = {"committed": self.commits, "rolled back": any(t.is_lost for t in self.transactions)}
        end = " and ".join(word for word, has_happened in ends.items() if has_happened) or "read-only"
        return f"{self.statement_count} statement{'' if self.statement_count == 1 else 's'}, {end}"

    def __repr__(self) -> str:
        """Return the time line, for a test that fails."""
        return self.as_text()

    def as_text(self) -> str:
        """Return the time line in lines of text."""
        lines = [self.sentence or self.summary, *map(describe, self.events)]
        if self.left_out:
            lines.append(f"… and {self.left_out} events more")
        return "\n".join(lines)
