"""Databases with the same users in each, on SQLite and, where its server is installed, on PostgreSQL."""

import contextlib
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path
from unittest import mock

import sqlalchemy
from sqlalchemy.pool import NullPool

from myproject.scripts import initialize_db
from tests import signed_in
from tests.postgresql import binaries, running_server

from .filling import fill
from .people import people

ROOT = Path(__file__).parent.parent
# So many users stand in the databases, unless there are to be many.
SMALL = 10_000
# For millions of users. What is lost in a crash of the machine is filled again.
LARGE = {"shared_buffers": "1GB", "max_wal_size": "8GB", "wal_level": "minimal", "max_wal_senders": 0}


@contextlib.contextmanager
def databases(journal):
    """Yield the maker of new databases for each kind: `{"SQLite": copy, …}`, where `copy(name)` returns a URL.

    Each has SMALL users, and the administrator who visits the pages. `journal` is that of SQLite's files, which
    they remember: `initialize_db` leaves "wal", and the driver alone would make "delete". Our engine sets its own.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="myproject-bench-")))
        makers = {"SQLite": _sqlite(folder, journal)}
        if binaries():
            makers["PostgreSQL"] = _postgresql(stack.enter_context(running_server()))
        yield makers


@contextlib.contextmanager
def large_databases(sizes, cache=None, kinds=("SQLite", "PostgreSQL")):
    """Yield `{(kind, size): URL}` of databases of so many users each, with the administrator.

    They stand in the folder `cache`, where they stay for the next time, or in one that is removed in the end.
    """
    with contextlib.ExitStack() as stack:
        if cache is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="myproject-bench-")))
            folder.chmod(0o755)  # PostgreSQL's own user passes through
        else:
            folder = cache.absolute()
        urls = {}
        if "SQLite" in kinds:
            folder.mkdir(parents=True, exist_ok=True)
            urls |= {("SQLite", size): _large_sqlite(folder, size) for size in sizes}
        if "PostgreSQL" in kinds and binaries():
            cluster = folder / "postgresql"
            cluster.mkdir(parents=True, exist_ok=True)
            server = stack.enter_context(running_server(cluster, **LARGE))
            urls |= {("PostgreSQL", size): _large_postgresql(server, size) for size in sizes}
        yield urls


def _sqlite(folder, journal):
    filled = folder / "filled.sqlite"
    _make(f"sqlite:///{filled}", SMALL)
    with contextlib.closing(sqlite3.connect(filled)) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal}")
    return lambda name: f"sqlite:///{shutil.copy(filled, folder / f'{name}.sqlite')}"


def _postgresql(server):
    server.execute("CREATE DATABASE filled")
    _make(server.url("filled"), SMALL)

    def copy(name):
        server.execute(f"CREATE DATABASE {name} TEMPLATE filled")
        return server.url(name)

    return copy


def _large_sqlite(folder, rows):
    path, unfinished = folder / f"users_{rows}.sqlite", folder / "unfinished.sqlite"
    if not path.exists():
        for rest in folder.glob("unfinished.sqlite*"):
            rest.unlink()
        _make(f"sqlite:///{unfinished}", rows)
        unfinished.rename(path)
    return f"sqlite:///{path}"


def _large_postgresql(server, rows):
    url = server.url(f"users_{rows}")
    try:
        sqlalchemy.create_engine(url, poolclass=NullPool).connect().close()
    except sqlalchemy.exc.OperationalError:
        server.execute("DROP DATABASE IF EXISTS unfinished")
        server.execute("CREATE DATABASE unfinished")
        _make(server.url("unfinished"), rows)
        server.execute(f"ALTER DATABASE unfinished RENAME TO users_{rows}")
    return url


def _make(url, rows):
    with mock.patch.dict(os.environ, DATABASE_URL=url):
        initialize_db.upgrade(ROOT / "development.ini")
    signed_in.add_administrator(url)
    fill(url, people(rows))
