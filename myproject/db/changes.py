"""What a Session has written through the ORM, in words: "1 user changed, 2 posts deleted"."""

import re
from collections import Counter
from collections.abc import Hashable, Iterable
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import inspect
from sqlalchemy.orm import Session, SessionTransaction

CHANGES_KEY = "myproject.changes"
SAVEPOINTS_KEY = "myproject.savepoints"
ADDED, CHANGED, DELETED = "added", "changed", "deleted"
BEGINNING_OF_WORD = re.compile("(?<=[a-z])(?=[A-Z])")


def note_flush(session: Session, _context: Any) -> None:
    """Remember what a flush has written: a listener for "after_flush", where the objects are still known as changed.

    A model with `__is_bookkeeping__ = True` is left out: nobody has asked for what is written of it.
    """
    changed = [record for record in session.dirty if session.is_modified(record)]
    noted = session.info.setdefault(CHANGES_KEY, [])
    for records, change in (session.new, ADDED), (changed, CHANGED), (session.deleted, DELETED):
        told = (record for record in records if not getattr(record, "__is_bookkeeping__", False))
        noted.extend((_identity(record), change) for record in told)


def note_savepoint(session: Session, transaction: SessionTransaction) -> None:
    """Remember what was written before a savepoint: a listener for "after_transaction_create"."""
    if transaction.nested:
        marks = session.info.setdefault(SAVEPOINTS_KEY, WeakKeyDictionary())
        marks[transaction] = len(session.info.get(CHANGES_KEY, []))


def forget_savepoint(session: Session, transaction: SessionTransaction) -> None:
    """Forget what was written since a savepoint: a listener for "after_soft_rollback"."""
    if transaction.nested:
        del session.info.get(CHANGES_KEY, [])[session.info[SAVEPOINTS_KEY][transaction] :]


def describe_changes(session: Session) -> str:
    """Return what the flushes of `session` have written, each record once; empty if nothing.

    Only what the ORM has written: statements, and what the database changes by itself, are not known to a Session.
    """
    return describe_counts(combine(session.info.get(CHANGES_KEY, [])))


def combine(changes: Iterable[tuple[tuple[str, Hashable], str]]) -> Counter[tuple[str, str]]:
    """Return how many records of each noun have been added, changed or deleted, by `changes` in their order."""
    last: dict[tuple[str, Hashable], str] = {}
    for identity, change in changes:
        before = last.get(identity)
        if (before, change) == (ADDED, DELETED):
            del last[identity]
        elif (before, change) != (ADDED, CHANGED):
            last[identity] = change
    return Counter((noun, change) for (noun, _key), change in last.items())


def describe_counts(counts: Counter[tuple[str, str]]) -> str:
    """Return how many records of each noun have been added, changed or deleted: "1 user changed"."""
    return ", ".join(
        f"{count} {noun if count == 1 else plural(noun)} {change}" for (noun, change), count in counts.items()
    )


def noun_of(model: type) -> str:
    """Return the name of a model's class in words: "saved view" for `SavedView`."""
    return BEGINNING_OF_WORD.sub(" ", model.__name__).lower()


def plural(noun: str) -> str:
    """Return the plural of a noun of `noun_of`, by the usual rules of English."""
    if re.search("[^aeiou]y$", noun):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "z", "ch", "sh")) else f"{noun}s"


def _identity(record: object) -> tuple[str, Any]:
    # A new record has got its key from the database in this flush.
    return noun_of(type(record)), tuple(inspect(record, raiseerr=True).mapper.primary_key_from_instance(record))
