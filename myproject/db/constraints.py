"""Which constraint of the database a write has violated."""

import re
import sqlite3
from typing import Any

from pyramid.config import Configurator
from pyramid.request import Request
from sqlalchemy.exc import IntegrityError

# "CHECK constraint failed: ck_users_age_range", "UNIQUE constraint failed: index 'uq_users_email'".
SQLITE_MESSAGE = re.compile(r"constraint failed: (?:index ')?(\w+)'?\Z")


def includeme(config: Configurator) -> None:
    """Add the predicate of exception views `violated_constraint="its_name"`, for `IntegrityError`."""
    config.add_view_predicate("violated_constraint", ViolatedConstraint)


class ViolatedConstraint:
    """A view predicate: the error is of the constraint of this name."""

    def __init__(self, name: str, _info: Any) -> None:
        """Take the name of the constraint."""
        self.name = name

    def text(self) -> str:
        """Return how the predicate is shown to developers."""
        return f"violated_constraint = {self.name}"

    phash = text

    def __call__(self, error: IntegrityError, request: Request) -> bool:
        """Return whether the exception view is for `error`."""
        return violated_constraint(error) == self.name


def violated_constraint(error: IntegrityError) -> str | None:
    """Return the name of the constraint, unique index or trigger that refused the write.

    Returns `None` where the database names none, as SQLite does for NOT NULL and foreign keys. A trigger on SQLite
    names itself by `RAISE(ABORT, 'constraint failed: its_name')`, one on PostgreSQL by `USING CONSTRAINT`.
    """
    if isinstance(error.orig, sqlite3.Error):
        found = SQLITE_MESSAGE.search(str(error.orig))
        return found and found[1]
    diagnostics = getattr(error.orig, "diag", None)
    return diagnostics and diagnostics.constraint_name
