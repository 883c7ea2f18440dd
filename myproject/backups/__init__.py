"""Backups of the database: one file, which is complete or absent, and the way back from it.

`backup_db` and `restore_db` call `save`, `describe` and `restore` of sqlite.py or postgresql.py, by the kind of the
database. Both work on a file of their own kind only: what PostgreSQL's programs have written, SQLite cannot read.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import sqlalchemy

from ..schema import is_newer

# The first bytes of a file by which its kind is known.
SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"
BEGINNINGS = {b"SQLite format 3\0": SQLITE, b"PGDMP": POSTGRESQL}


class BackupError(Exception):
    """A backup cannot be written or restored. Its one sentence, without a full stop, says why and what to do."""


def backups_of(url: str) -> ModuleType:
    """Return the module that saves and restores databases such as that of `url`."""
    if sqlalchemy.make_url(url).get_backend_name() == "sqlite":
        from . import sqlite

        return sqlite
    # Imported here because its driver is an extra.
    from . import postgresql

    return postgresql


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give the block the path of an empty file that only its owner can read; afterwards, it is the new file `path`.

    If the block fails, nothing is left. Raises `BackupError` if there is a file at `path`, or none can be written.
    """
    if os.path.lexists(path):
        raise BackupError(f"{path} exists already, and a backup replaces no file")
    with unfinished_file(path) as unfinished:
        yield unfinished
        move_durably(unfinished, path)


@contextlib.contextmanager
def unfinished_file(path: Path) -> Iterator[Path]:
    """Give the block the path of an empty file that only its owner can read, in a folder beside `path`.

    Unless the block moves the file away, it is deleted. Raises `BackupError` if none can be written.
    """
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".unfinished.") as folder:
            unfinished = Path(folder, path.name)
            unfinished.touch(0o600)
            yield unfinished
    except OSError as error:
        raise BackupError(f"{path} cannot be written: {error.strerror}") from None


def move_durably(source: Path, target: Path) -> None:
    """Rename a file within a file system; when this returns, its content and its name survive a power failure."""
    _fsync(source)
    source.replace(target)
    _fsync(target.parent)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def require_backup(path: Path, kind: str) -> None:
    """Raise `BackupError` unless `path` is a file that begins like a backup of a database of this kind."""
    # To open a pipe would wait for its other end.
    if path.exists() and not path.is_file():
        raise BackupError(f"{path} is no file")
    try:
        with path.open("rb") as file:
            beginning = file.read(max(map(len, BEGINNINGS)))
    except OSError as error:
        raise BackupError(f"{path} cannot be read: {error.strerror}") from None
    found = next((found for first, found in BEGINNINGS.items() if beginning.startswith(first)), None)
    if found is None:
        raise BackupError(f"{path} is no backup of a database")
    if found != kind:
        raise BackupError(f"{path} is a backup of {found}, and the database of the ini file is one of {kind}")


def require_own(path: Path, revision: str | None) -> str:
    """Return the last migration of a database or a backup. Raises `BackupError` if it is none of this application."""
    if revision is None:
        raise BackupError(f"{path} contains no database of myproject")
    return revision


def require_known(path: Path, revision: str | None) -> str:
    """Return the last migration of a backup. Raises `BackupError` if this version cannot work with it."""
    if is_newer(revision):
        raise BackupError(
            f"{path} is newer than this version of myproject: it has the migration {revision}; install the version"
            " that wrote it"
        )
    return require_own(path, revision)
