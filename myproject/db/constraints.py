"""Which constraint of the database a write has violated."""

import re
import sqlite3

from sqlalchemy.exc import IntegrityError

# "CHECK constraint failed: ck_users_age_range", "UNIQUE constraint failed: index 'uq_users_email'".
SQLITE_MESSAGE = re.compile(r"constraint failed: (?:index ')?(\w+)'?\Z")


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
