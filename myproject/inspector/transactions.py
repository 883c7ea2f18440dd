"""The transactions of the database in a record: what happened between a BEGIN and its COMMIT or ROLLBACK."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from .events import BEGIN, COMMIT, RETURNED, ROLLBACK, STATEMENT, Event, Statement


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
    open_by_connection: dict[int | None, DatabaseTransaction] = {}
    for event in events:
        if event.kind in (COMMIT, ROLLBACK, RETURNED):
            if event.connection in open_by_connection:
                open_by_connection.pop(event.connection).end = event
        elif event.kind == BEGIN or isinstance(event, Statement):
            if event.connection not in open_by_connection:
                # A statement without BEGIN belongs to a transaction that was begun before the record.
                open_by_connection[event.connection] = DatabaseTransaction(event.connection, event.attempt)
                found.append(open_by_connection[event.connection])
            if isinstance(event, Statement):
                open_by_connection[event.connection].statements.append(event)
    return found


def count_statements(statements: Iterable[Statement]) -> int:
    """Return how many of `statements` are about rows."""
    return sum(statement.kind == STATEMENT for statement in statements)
