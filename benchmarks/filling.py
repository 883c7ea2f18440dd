"""Fills a database with millions of users in minutes: without triggers, and with the indexes made at the end."""

import contextlib
import datetime
import sqlite3
from collections.abc import Iterable

import psycopg
import sqlalchemy

from myproject.db.folding import fold, initials
from myproject.users.listing.indexes import FOLDED_LENGTH

from .people import Person

COLUMNS = "name, email, age, role, active, has_posts, created_at, updated_at, search_text"


def fill(database_url: str, people: Iterable[Person]) -> None:
    """Add `people`, as `people.people` yields them, to an empty table of users."""
    url = sqlalchemy.make_url(database_url)
    rows = (_row(*person) for person in people)
    if url.get_backend_name() == "sqlite":
        _fill_sqlite(url.database or "", rows)
    else:
        _fill_postgresql(url.set(drivername="postgresql").render_as_string(hide_password=False), rows)


def _row(
    name: str, email: str, age: int, role: str, active: bool, has_posts: bool, joined_at: datetime.datetime
) -> tuple[object, ...]:
    joined = joined_at.isoformat(" ", "microseconds")
    # As the trigger makes it: see indexes.py.
    folded = fold(name)[:FOLDED_LENGTH]
    search_text = f" {folded}\n {initials(folded)}\n{email.lower()}\n\n"
    return name, email, age, role, active, has_posts, joined, joined, search_text


def _fill_sqlite(path: str, rows: Iterable[tuple[object, ...]]) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in "synchronous = OFF", "cache_size = -500000", "threads = 2":
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN")
        made = connection.execute(
            "SELECT type, name, sql FROM sqlite_master"
            " WHERE tbl_name = 'users' AND type IN ('index', 'trigger') AND sql IS NOT NULL"
        ).fetchall()
        for kind, name, _ in made:
            connection.execute(f"DROP {kind} {name}")
        values = ", ".join("?" * len(COLUMNS.split()))
        connection.executemany(f"INSERT INTO users ({COLUMNS}) VALUES ({values})", rows)
        connection.execute("INSERT INTO users_trigrams (users_trigrams) VALUES ('rebuild')")
        for _, _, sql in made:
            connection.execute(sql)
        connection.execute("COMMIT")
        # As the migrations do: with figures of an empty table, SQLite would go on scanning it when it has grown.
        connection.execute("ANALYZE users")


def _fill_postgresql(url: str, rows: Iterable[tuple[object, ...]]) -> None:
    with psycopg.connect(url) as connection:
        # The moments are in UTC.
        connection.execute("SET timezone = 'UTC'")
        connection.execute("SET maintenance_work_mem = '512MB'")
        connection.execute("ALTER TABLE users DISABLE TRIGGER USER")
        made = connection.execute(
            "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
            " WHERE indrelid = 'users'::regclass AND NOT indisprimary"
        ).fetchall()
        for name, _ in made:
            connection.execute(f"DROP INDEX {name}")
        with connection.cursor().copy(f"COPY users ({COLUMNS}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        for _, sql in made:
            connection.execute(sql)
        connection.execute("ALTER TABLE users ENABLE TRIGGER USER")
        connection.commit()
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE")
