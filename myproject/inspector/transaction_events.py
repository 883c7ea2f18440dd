"""What the transaction manager of a request does: it tells its synchronizers."""

from collections.abc import Callable
from typing import Any

from . import events
from .events import Event
from .record import Record

# What `ITransaction.status` is after a commit. A transaction that aborts keeps the status that it had.
RESULTS = {"Committed": "committed", "Commit failed": "the commit failed"}


class Synchronizer:
    """Adds to a record that a transaction has begun, that it is about to end, and how it has ended."""

    def __init__(self, record: Record) -> None:
        """Take the record. The transaction manager has only a weak reference to its synchronizers."""
        self.record = record
        # How the transaction of the request has ended, and whether it was doomed.
        self.result = ""
        self.has_begun = self.is_doomed = False

    def newTransaction(self, transaction: Any) -> None:
        """Note that a transaction has begun."""
        # The manager tells of the first one late, when this is registered: what was recorded meanwhile came after it.
        if self.has_begun or self.record.events[-1].kind == events.ATTEMPT:
            self.record.add(Event(events.BEGUN))
        self.has_begun = True

    def beforeCompletion(self, transaction: Any) -> None:
        """Note that the transaction is about to end: the data managers vote next."""
        self.is_doomed, self.record.is_ending = transaction.isDoomed(), True
        self.record.add(Event(events.VOTE))

    def afterCompletion(self, transaction: Any) -> None:
        """Note how the transaction has ended, and which hooks it calls now."""
        self.record.is_ending = False
        self.result = RESULTS.get(transaction.status, "aborted")
        self.record.add(Event(events.ENDED, self.result))
        if self.result == "committed":
            for hook, arguments, _keywords in transaction.getAfterCommitHooks():
                self.record.add(Event(events.HOOK, name_hook(hook, arguments)))


def name_hook(hook: Callable[..., Any], arguments: tuple[Any, ...]) -> str:
    """Return the name of a hook, and of the functions that it is given to call."""
    functions = [argument for argument in (hook, *arguments) if callable(argument)]
    names = [getattr(function, "__qualname__", type(function).__qualname__) for function in functions]
    # A private one, such as that of `request.after_commit`, only calls the others.
    return ", ".join([name for name in names if not name.startswith("_")] or names[-1:])
