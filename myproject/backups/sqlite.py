"""Backups of SQLite: a copy that SQLite itself makes, of one moment, complete in one file."""

import contextlib
import fcntl
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from ..db.base import utcnow
from ..settings import file_of
from . import SQLITE, BackupError, move_durably, new_file, require_backup, require_known, require_own, unfinished_file

PAGES_PER_STEP = 5000
# What may stand beside a database: its write-ahead log and the log's index, or the journal of another mode.
BESIDE = ("-wal", "-shm", "-journal")
# The bytes that each connection locks for reading while it has the file open: https://www.sqlite.org/lockingv3.html
SHARED_FIRST, SHARED_SIZE = 0x40000002, 510


def save(url: str, path: Path) -> str:
    """Write the database of `url` to the new file `path`, while it may be in use; return its last migration.

    Raises `BackupError`.
    """
    database = _file(url)
    if not database.exists():
        raise BackupError(f"there is no file {database}")
    with new_file(path) as unfinished:
        _copy(database, unfinished)
        with _opened(unfinished) as connection:
            _require_sound(database, connection)
            return require_own(database, _revision(connection))


def describe(path: Path) -> str:
    """Return the last migration of a backup. Raises `BackupError` if it is none, if it is damaged, or newer."""
    require_backup(path, SQLITE)
    with _opened(path) as connection:
        _require_sound(path, connection)
        return require_known(path, _revision(connection))


def restore(url: str, path: Path, replace: bool = False) -> str:
    """Restore the backup `path` as the database of `url`; return a sentence on the earlier one, or an empty text.

    An earlier database is kept beside it. Raises `BackupError` if a program uses that, or if it has users and `replace`
    is false.
    """
    database = _file(url)
    if database.exists() and not replace:
        _require_without_users(database)
    with unfinished_file(database) as unfinished:
        _copy(path, unfinished)
        with _unused(database):
            kept = _move_aside(database)
            move_durably(unfinished, database)
    return f"The earlier database is now {kept}." if kept else ""


def _file(url: str) -> Path:
    database = file_of(url)
    if database is None:
        raise BackupError("the database is not one file")
    return database


def _copy(source_path: Path, target_path: Path) -> None:
    with _opened(source_path) as source:
        # A transaction that reads: the copy is of its moment, however many steps it takes, and nobody waits for it.
        source.execute("BEGIN")
        _revision(source)
        with contextlib.closing(_connect(target_path)) as target, tqdm(unit=" pages", disable=None) as bar:

            def show(_status: int, remaining: int, total: int) -> None:
                bar.total = total
                bar.update(total - remaining - bar.n)

            source.backup(target, pages=PAGES_PER_STEP, progress=show)
            # Otherwise every program that opens the copy, even to read it, would create files beside it.
            target.execute("PRAGMA journal_mode = DELETE")


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Give the block a connection to the file `path`. Raises `BackupError` if SQLite fails in the block."""
    try:
        with contextlib.closing(_connect(path)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise BackupError(f"{path}: {error}") from None


def _connect(path: Path) -> sqlite3.Connection:
    # Without `mode`, SQLite would create a file that does not exist.
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)


def _require_sound(path: Path, connection: sqlite3.Connection) -> None:
    [result] = connection.execute("PRAGMA quick_check(1)").fetchone()
    if result != "ok":
        raise BackupError(f"{path} is damaged: {' '.join(result.split())}")


def _revision(connection: sqlite3.Connection) -> str | None:
    if not _has_table(connection, "alembic_version"):
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return row[0] if row else None


def _has_table(connection: sqlite3.Connection, name: str) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [name]).fetchone() is not None


def _require_without_users(database: Path) -> None:
    try:
        with _opened(database) as connection:
            number = _has_table(connection, "users") and connection.execute("SELECT count(*) FROM users").fetchone()[0]
    except BackupError as error:
        raise BackupError(f"{error}; with --replace, it is kept under another name") from None
    if number:
        raise BackupError(f"{database} has {number:,} users; with --replace, it is kept under another name")


@contextlib.contextmanager
def _unused(database: Path) -> Iterator[None]:
    """Keep other programs out of the file `database`, if there is one, during the block. Raises `BackupError`."""
    if not database.exists():
        yield
        return
    # Not by SQLite, which would need a file that is not damaged.
    with database.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, SHARED_SIZE, SHARED_FIRST)
        except BlockingIOError:
            raise BackupError(f"{database} is in use; stop every server and command that uses it") from None
        yield


def _move_aside(database: Path) -> Path | None:
    """Rename a database and the files beside it; return its new path, or `None` if there was none.

    The database is renamed first: if this is interrupted, there is none, and no server starts.
    """
    kept = database.with_name(f"{database.name}.before-{utcnow():%Y%m%dT%H%M%S.%fZ}")
    exists = database.exists()
    for suffix in ("", *BESIDE):
        with contextlib.suppress(FileNotFoundError):
            Path(f"{database}{suffix}").rename(f"{kept}{suffix}")
    return kept if exists else None
