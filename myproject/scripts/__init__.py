"""The commands: initialize_db, create_admin and others."""

import configparser
import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyramid.paster import get_appsettings
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from ..db import IDatabaseUnavailable
from ..schema import SchemaError, explain, is_older, read_revision, require_file
from ..settings import database_url

INSUFFICIENT_PRIVILEGE = "42501"


def read_ini(ini: str) -> dict[str, str]:
    """Return the settings of the application in the file `ini`, or exit with one sentence if it cannot be read."""
    path = ini.partition("#")[0]
    if not Path(path).is_file():
        raise SystemExit(f"There is no file {path}.")
    try:
        return get_appsettings(ini)
    except configparser.InterpolationError:
        # Its message quotes the value, which may contain a password.
        raise SystemExit(f"{path} cannot be read: write %% for each % in a value.") from None
    except (configparser.Error, ImportError, LookupError, OSError, ValueError) as error:
        reason = str(error).replace("\n", " ").rstrip(".")
        raise SystemExit(f"{path} cannot be read: {reason}.") from None


@contextlib.contextmanager
def explained(ini: str) -> Iterator[None]:
    """End the command with one sentence if the database of the file `ini` is away or does not let the block in."""
    try:
        yield
    except SchemaError as error:
        raise SystemExit(f"The database of {ini} cannot be used: {error}.") from None
    except DBAPIError as error:
        is_forbidden = getattr(error.orig, "sqlstate", None) == INSUFFICIENT_PRIVILEGE
        if not (is_forbidden or IDatabaseUnavailable.providedBy(error)):
            raise
        reason = explain(error, database_url(read_ini(ini)))
        raise SystemExit(f"The database of {ini} cannot be used: {reason}.") from None


@contextlib.contextmanager
def ending_at_sigterm() -> Iterator[None]:
    """Let SIGTERM end the block by `SystemExit`, so that unfinished files are deleted; only in the main thread."""

    def end(number: int, _frame: Any) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def refuse_older_database(dbsession: Session, ini: str) -> None:
    """End the command with one sentence if the database of the file `ini` lacks a migration, or does not exist."""
    require_file(dbsession.get_bind().engine.url, ini)
    if is_older(read_revision(dbsession.connection())):
        raise SystemExit(f"The database of {ini} is not up to date; run `initialize_db {ini}` first.")
