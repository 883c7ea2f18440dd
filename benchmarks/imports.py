"""Seconds of an import of many new users: the bare driver, our dry run and apply, and django-import-export."""

import contextlib
import csv
import datetime
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import psycopg
import sqlalchemy
import transaction

from myproject.db import get_engine, get_session_factory, get_tm_session
from myproject.db.sqlite import prepare_for_triggers
from myproject.history.context import Origin, announce
from myproject.scripts import initialize_db
from myproject.users.imports.applying import apply
from myproject.users.imports.columns import guess_columns
from myproject.users.imports.planning import COMMAND, make_plan
from myproject.users.imports.reading import read_rows, recognise
from myproject.users.imports.staging import Options, stage
from myproject.users.sets import lock_users
from tests import signed_in
from tests.postgresql import binaries, running_server

from .databases import LARGE_SERVER_SETTINGS, ROOT
from .people import people

TITLES = ("name", "email", "age", "role", "active")
COLUMNS = f"{', '.join(TITLES)}, created_at, updated_at"
# The triggers that the table of the bare driver keeps.
SEARCH_TRIGGERS = ("users_search_text", "users_trigrams")
DJANGO = ROOT / "benchmarks" / "django_import.py"
DJANGO_PACKAGES = ("django-import-export == 4.4.3", "psycopg[binary]")
# It keeps all rows in memory, and gets fewer.
MOST_DJANGO_ROWS = 20_000

# {(what, kind of database): seconds for each row}
Seconds = dict[tuple[str, str], float]
Makers = dict[str, Callable[[str], str]]


def measure(rows: int, rounds: int) -> Seconds:
    """Return the seconds for each row, medians of `rounds`; each round imports `rows` users in every way.

    Every import is into a database of its own, which has one user.
    """
    times: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="myproject-bench-") as folder, _databases(Path(folder)) as makers:
        path, few = Path(folder) / "people.csv", Path(folder) / "few.csv"
        _write_people(path, rows)
        _write_people(few, min(rows, MOST_DJANGO_ROWS))
        python = _django_environment(Path(folder))
        for number in range(rounds):
            for kind, make in makers.items():
                bare, dry_run, whole = _bare(make(f"bare_{number}"), path), *_ours(make(f"ours_{number}"), path)
                for what, seconds in {"bare": bare, "dry run": dry_run, "import": whole}.items():
                    times.setdefault((what, kind), []).append(seconds / rows)
                both = _django(python, make(f"django_{number}"), few)
                for what, seconds in zip(("django", "django, bulk"), both, strict=True):
                    times.setdefault((what, kind), []).append(seconds / min(rows, MOST_DJANGO_ROWS))
    return {place: statistics.median(seconds) for place, seconds in times.items()}


def _bare(url: str, path: Path) -> float:
    """Return the seconds in which the bare driver writes the rows of the file into the same table."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    parsed = sqlalchemy.make_url(url)
    with path.open(encoding="utf-8", newline="") as file:
        rows = ((*row[:4], int(row[4] == "True"), now, now) for row in csv.reader(file) if row[0] != "name")
        return (_bare_sqlite if parsed.get_backend_name() == "sqlite" else _bare_postgresql)(parsed, rows)


def _bare_sqlite(url: sqlalchemy.URL, rows: Iterator[tuple[object, ...]]) -> float:
    with contextlib.closing(sqlite3.connect(url.database or "", isolation_level=None)) as connection:
        prepare_for_triggers(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'users'"
        for (name,) in connection.execute(query).fetchall():
            if not name.startswith(SEARCH_TRIGGERS):
                connection.execute(f"DROP TRIGGER {name}")
        started = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        values = ", ".join("?" * len(COLUMNS.split()))
        connection.executemany(f"INSERT INTO users ({COLUMNS}) VALUES ({values})", rows)
        connection.execute("COMMIT")
        return time.perf_counter() - started


def _bare_postgresql(url: sqlalchemy.URL, rows: Iterator[tuple[object, ...]]) -> float:
    conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(conninfo, options="-c timezone=UTC") as connection:
        query = "SELECT tgname FROM pg_trigger WHERE tgrelid = 'users'::regclass AND NOT tgisinternal"
        for (name,) in connection.execute(query).fetchall():
            if not name.startswith(SEARCH_TRIGGERS):
                connection.execute(f"DROP TRIGGER {name} ON users")
        connection.commit()
        started = time.perf_counter()
        with connection.cursor().copy(f"COPY users ({COLUMNS}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        connection.commit()
        return time.perf_counter() - started


class NoProgress:
    """Shows nothing."""

    def start(self, step: str, total: int | None) -> None:
        """Do nothing."""

    def advance(self, number: int) -> None:
        """Do nothing."""


def _ours(url: str, path: Path) -> tuple[float, float]:
    """Return the seconds of the dry run, and of the dry run and the apply."""
    engine, staged, progress = get_engine(url), path.with_name("rows.sqlite"), NoProgress()
    factory = get_session_factory(engine)
    started = time.perf_counter()
    format = recognise(path)
    header = next(cells for _line, cells in read_rows(path, format))
    options = Options(format, guess_columns(header))
    stage(path, staged, options, progress)
    plan = make_plan(factory, staged, options, COMMAND, progress)
    planned = time.perf_counter()
    tm = transaction.TransactionManager(explicit=True)
    with tm:
        dbsession = get_tm_session(factory, tm)
        lock_users(dbsession)
        announce(tm, Origin(route="benchmark"))
        apply(dbsession, plan, COMMAND, "benchmark", progress)
    applied = time.perf_counter()
    engine.dispose()
    return planned - started, applied - started


def _django(python: Path, url: str, path: Path) -> tuple[float, float]:
    """Return the seconds in which django-import-export imports the file in its usual and in its quickest way."""
    done = subprocess.run([python, DJANGO, url, path], capture_output=True, text=True, check=True)
    usual, quickest = map(float, done.stdout.split())
    return usual, quickest


def _django_environment(folder: Path) -> Path:
    """Return the Python of a new environment with django-import-export, which pins nothing of ours there."""
    python = folder / "django" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", folder / "django"], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *DJANGO_PACKAGES], check=True, stderr=subprocess.DEVNULL)
    return python


def _write_people(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(TITLES)
        writer.writerows(person[: len(TITLES)] for person in people(rows))


@contextlib.contextmanager
def _databases(folder: Path) -> Iterator[Makers]:
    """Yield the makers of new migrated databases; their only user is the administrator who signs in."""
    with contextlib.ExitStack() as stack:
        empty = folder / "empty.sqlite"
        _migrate(f"sqlite:///{empty}")
        makers: Makers = {"SQLite": lambda name: f"sqlite:///{shutil.copy(empty, folder / f'{name}.sqlite')}"}
        if binaries():
            server = stack.enter_context(running_server(**LARGE_SERVER_SETTINGS))
            server.execute("CREATE DATABASE empty")
            _migrate(server.url("empty"))

            def copy(name: str) -> str:
                server.execute(f"CREATE DATABASE {name} TEMPLATE empty")
                return str(server.url(name))

            makers["PostgreSQL"] = copy
        yield makers


def _migrate(url: str) -> None:
    with mock.patch.dict(os.environ, DATABASE_URL=url):
        initialize_db.upgrade(str(ROOT / "development.ini"))
    signed_in.add_administrator(url)
