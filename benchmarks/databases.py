"""Databases with the same users, on SQLite and, if its server is installed, on PostgreSQL."""

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import sqlalchemy
from sqlalchemy.pool import NullPool

from myproject.scripts import initialize_db
from tests import signed_in
from tests.postgresql import binaries, running_server

from .filling import fill
from .people import people

ROOT = Path(__file__).parent.parent
# Number of users in the small databases.
SMALL_ROWS = 10_000
# Settings of PostgreSQL for millions of users. Durability does not matter: a lost database is filled again.
LARGE_SERVER_SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "8GB", "wal_level": "minimal", "max_wal_senders": 0}

# `{kind of database: maker}`, where `maker(name)` returns the URL of a new database.
Makers = dict[str, Callable[[str], str]]


@contextlib.contextmanager
def databases(journal: str) -> Iterator[Makers]:
    """Yield the makers of new databases, each with SMALL_ROWS users and the administrator who signs in.

    `journal` is the journal mode of SQLite's files, "wal" or "delete", for the stock wiring. Our engine sets WAL.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="myproject-bench-")))
        makers = {"SQLite": _sqlite(folder, journal)}
        if binaries():
            makers["PostgreSQL"] = _postgresql(stack.enter_context(running_server()))
        yield makers


def make_users(url: str, rows: int) -> None:
    """Migrate the database of `url`, and add `rows` users and the administrator who signs in."""
    with mock.patch.dict(os.environ, DATABASE_URL=url):
        initialize_db.upgrade(str(ROOT / "development.ini"))
    signed_in.add_administrator(url)
    fill(url, people(rows))


@contextlib.contextmanager
def large_databases(
    sizes: Sequence[int],
    cache: Path | None = None,
    kinds: Sequence[str] = ("SQLite", "PostgreSQL"),
    *,
    name: str = "users",
    make: Callable[[str, int], None] = make_users,
) -> Iterator[dict[tuple[str, int], str]]:
    """Yield `{(kind, size): URL}` of databases of these sizes, each filled by `make(url, size)`.

    They are in the folder `cache`, which keeps them under `name` for the next run, or in a temporary one.
    """
    with contextlib.ExitStack() as stack:
        if cache is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="myproject-bench-")))
            folder.chmod(0o755)  # The user who runs PostgreSQL must be able to enter.
        else:
            folder = cache.absolute()
        urls: dict[tuple[str, int], str] = {}
        if "SQLite" in kinds:
            folder.mkdir(parents=True, exist_ok=True)
            urls |= {("SQLite", size): _large_sqlite(folder, name, size, make) for size in sizes}
        if "PostgreSQL" in kinds and binaries():
            cluster = folder / "postgresql"
            cluster.mkdir(parents=True, exist_ok=True)
            server = stack.enter_context(running_server(cluster, **LARGE_SERVER_SETTINGS))
            urls |= {("PostgreSQL", size): _large_postgresql(server, name, size, make) for size in sizes}
        yield urls


def _sqlite(folder: Path, journal: str) -> Callable[[str], str]:
    filled = folder / "filled.sqlite"
    make_users(f"sqlite:///{filled}", SMALL_ROWS)
    with contextlib.closing(sqlite3.connect(filled)) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal}")
    return lambda name: f"sqlite:///{shutil.copy(filled, folder / f'{name}.sqlite')}"


def _postgresql(server: Any) -> Callable[[str], str]:
    server.execute("CREATE DATABASE filled")
    make_users(server.url("filled"), SMALL_ROWS)

    def copy(name: str) -> str:
        server.execute(f"CREATE DATABASE {name} TEMPLATE filled")
        return str(server.url(name))

    return copy


def _large_sqlite(folder: Path, name: str, size: int, make: Callable[[str, int], None]) -> str:
    path, unfinished = folder / f"{name}_{size}.sqlite", folder / "unfinished.sqlite"
    if not path.exists():
        for leftover in folder.glob("unfinished.sqlite*"):
            leftover.unlink()
        make(f"sqlite:///{unfinished}", size)
        unfinished.rename(path)
    return f"sqlite:///{path}"


def _large_postgresql(server: Any, name: str, size: int, make: Callable[[str, int], None]) -> str:
    url = str(server.url(f"{name}_{size}"))
    try:
        sqlalchemy.create_engine(url, poolclass=NullPool).connect().close()
    except sqlalchemy.exc.OperationalError:
        server.execute("DROP DATABASE IF EXISTS unfinished")
        server.execute("CREATE DATABASE unfinished")
        make(server.url("unfinished"), size)
        server.execute(f"ALTER DATABASE unfinished RENAME TO {name}_{size}")
    return url
