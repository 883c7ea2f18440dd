"""Throw-away databases with the same users in each, on SQLite and, where its server is installed, on PostgreSQL."""

import contextlib
import os
import random
import shutil
import tempfile
from pathlib import Path
from unittest import mock

import sqlalchemy

from myproject.models import User
from myproject.scripts import initialize_db
from tests import signed_in
from tests.postgresql import binaries, running_server

ROOT = Path(__file__).parent.parent


@contextlib.contextmanager
def databases(rows, journal):
    """Yield the maker of new databases for each kind: `{"SQLite": copy, …}`, where `copy(name)` returns a URL.

    Each has `rows` users, and the administrator who visits the pages. `journal` is that of SQLite's files, which
    they remember: `initialize_db` leaves "wal", and the driver alone would make "delete". Our engine sets its own.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="myproject-bench-")))
        makers = {"SQLite": _sqlite(folder, rows, journal)}
        if binaries():
            makers["PostgreSQL"] = _postgresql(stack.enter_context(running_server()), rows)
        yield makers


def _sqlite(folder, rows, journal):
    filled = folder / "filled.sqlite"
    _fill(f"sqlite:///{filled}", rows)
    with _engine(f"sqlite:///{filled}") as engine, engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA journal_mode = {journal}")
    return lambda name: f"sqlite:///{shutil.copy(filled, folder / f'{name}.sqlite')}"


def _postgresql(server, rows):
    server.execute("CREATE DATABASE filled")
    _fill(server.url("filled"), rows)

    def copy(name):
        server.execute(f"CREATE DATABASE {name} TEMPLATE filled")
        return server.url(name)

    return copy


def _fill(url, rows):
    with mock.patch.dict(os.environ, DATABASE_URL=url):
        initialize_db.upgrade(ROOT / "development.ini")
    signed_in.add_administrator(url)
    rng = random.Random(3)
    people = [
        {
            "name": f"{rng.choice('ABCDEFGHIJKLMNOPQRSTUVWXYZ')}{rng.randrange(16**8):08x} O'Neil {number}",
            "email": f"person.{number}@example.com",
            "age": rng.randint(18, 80),
            "role": rng.choice(["member", "editor", "admin"]),
        }
        for number in range(rows)
    ]
    with _engine(url) as engine:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.insert(User), people)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM")
            connection.exec_driver_sql("ANALYZE")


@contextlib.contextmanager
def _engine(url):
    engine = sqlalchemy.create_engine(url)
    yield engine
    engine.dispose()
