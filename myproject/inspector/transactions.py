"""The transactions of the database in a record: what happened between a BEGIN and its COMMIT or ROLLBACK."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from .events import BEGIN, COMMIT, RETURNED, ROLLBACK, Event, Statement


@dataclass
class DatabaseTransaction:
    """A transaction of the database, on one connection."""

    connection: int | None
    attempt: int
    # Also those about the transaction, such as SAVEPOINT.
    statements: list[Statement] = field(default_factory=list)
    # Its COMMIT or ROLLBACK, or the return of its connection; None if it is still open.
    end: Event | None = None

    @property
    def is_committed(self) -> bool:
        """Whether it has committed."""
        return self.end is not None and self.end.kind == COMMIT and not self.end.error

    @property
    def writes(self) -> list[Statement]:
        """The statements that have written."""
        return [statement for statement in self.statements if statement.is_write and not statement.error]

    @property
    def is_lost(self) -> bool:
        """Whether something was written that was not committed."""
        return bool(self.writes) and not self.is_committed

    @property
    def failed_statement(self) -> Statement | None:
        """The first statement that has failed, if no rollback to a savepoint has undone the failure."""
        failed = None
        for statement in self.statements:
            if statement.error:
                failed = failed or statement
            elif statement.text.upper().startswith("ROLLBACK TO"):
                failed = None
        return failed


def split_transactions(events: Iterable[Event]) -> list[DatabaseTransaction]:
    """Return the transactions of the database among `events`, in the order of their beginning."""
    found: list[DatabaseTransaction] = []
    last: dict[int | None, DatabaseTransaction] = {}
    for event in events:
        # A statement without BEGIN belongs to a transaction that was begun before the record.
        if event.kind == BEGIN or (isinstance(event, Statement) and event.connection not in last):
            last[event.connection] = DatabaseTransaction(event.connection, event.attempt)
            found.append(last[event.connection])
        if isinstance(event, Statement):
            # Also after its COMMIT: a listener may send something before the COMMIT itself.
            last[event.connection].statements.append(event)
        elif event.kind in (COMMIT, ROLLBACK, RETURNED) and event.connection in last:
            last[event.connection].end = last[event.connection].end or event
    return found
