"""What a change does: it adds, changes or deletes a record of one table."""

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import ColumnElement, false, true

from .models import Change
from .recording import RECORDED

# The table and the id of a record, which may be gone.
RecordKey = tuple[str, int]

ADDED, CHANGED, DELETED = "added", "changed", "deleted"
# Whether `after` is missing, and whether `before` is.
IS_MISSING = {ADDED: (False, True), CHANGED: (False, False), DELETED: (True, False)}


class Kind(NamedTuple):
    """What is done to records of a table."""

    table: str
    verb: str


# By the names that addresses use: users-added.
KINDS: Mapping[str, Kind] = {
    f"{model.__tablename__}-{verb}": Kind(model.__tablename__, verb) for model in RECORDED for verb in IS_MISSING
}


def kind_of(change: Change) -> Kind:
    """Return the Kind of a change."""
    verb = ADDED if change.before is None else DELETED if change.after is None else CHANGED
    return Kind(change.table_name, verb)


def of_kind(kind: Kind) -> tuple[ColumnElement[bool], ...]:
    """Return the SQL conditions of a change of this kind, as the index of kinds has them."""
    after, before = (true() if is_missing else false() for is_missing in IS_MISSING[kind.verb])
    # `= false` would become `IS NOT NULL` in PostgreSQL, which does not match the index.
    return Change.table_name == kind.table, Change.after.is_(None).is_(after), Change.before.is_(None).is_(before)
