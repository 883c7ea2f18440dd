"""The commands: initialize_db, create_admin and others."""

import contextlib
from collections.abc import Iterator

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from ..db import IDatabaseUnavailable
from ..schema import is_older, read_revision

INSUFFICIENT_PRIVILEGE = "42501"


@contextlib.contextmanager
def explained(ini: str) -> Iterator[None]:
    """End the command with one sentence if the database of the file `ini` is away or does not let the block in."""
    try:
        yield
    except DBAPIError as error:
        is_forbidden = getattr(error.orig, "sqlstate", None) == INSUFFICIENT_PRIVILEGE
        if not (is_forbidden or IDatabaseUnavailable.providedBy(error)):
            raise
        reason = str(error.orig).partition("\n")[0].rstrip(".")
        raise SystemExit(f"The database of {ini} cannot be used: {reason}.") from None


def refuse_older_database(dbsession: Session, ini: str) -> None:
    """End the command with one sentence if the database of the file `ini` lacks a migration."""
    if is_older(read_revision(dbsession.connection())):
        raise SystemExit(f"The database of {ini} is not up to date; run `initialize_db {ini}` first.")
