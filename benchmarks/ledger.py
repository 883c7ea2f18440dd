"""Fills the history with millions of changes within minutes: a statement for each table, and indexes at the end."""

import contextlib
import sqlite3

import psycopg
import sqlalchemy

# In each block, ten entries have one change and one has ten.
BLOCK_CHANGES, BLOCK_ENTRIES, SINGLE = 20, 11, 10
# A larger ledger covers more days: the last entry is on 1 January 2026, and a day has 1,100 of them.
LAST_SECOND, SECONDS_BETWEEN = 1_767_225_600, 86_400 / 1_100
# No divisor of 100, so that each person has used every route.
PEOPLE = 97
CHANGES_OF_RECORD = 10

ENTRIES = """
    INSERT INTO history_entries (id, created_at, actor_id, route, request_id, attempts)
    {numbers}
    SELECT number, {moment},
        CASE WHEN number % 100 > 0 THEN number % {people} + 1 END,
        CASE WHEN number % 100 = 0 THEN NULL WHEN number % 100 <= 5 THEN 'posts.edit'
            WHEN number % 100 = 6 THEN 'users.delete' WHEN number % 100 <= 20 THEN 'users.new' ELSE 'users.edit' END,
        CASE WHEN number % 100 > 0 THEN 'of the benchmark, ' || number END,
        CASE WHEN number % 100 > 0 THEN 1 END
    FROM numbers
"""
CHANGES = """
    INSERT INTO history_changes (id, entry_id, table_name, record_id, record_version, owner_id, before, after)
    {numbers},
    placed AS (
        SELECT number, (number - 1) / {block_changes} * {block_entries}
            + CASE WHEN (number - 1) % {block_changes} < {single} THEN (number - 1) % {block_changes} ELSE {single} END
            + 1 AS entry_id, number * 7919 % {records} + 1 AS record_id
        FROM numbers
    )
    SELECT number, entry_id, CASE WHEN entry_id % 100 BETWEEN 1 AND 5 THEN 'posts' ELSE 'users' END, record_id, 2,
        record_id,
        CASE WHEN entry_id % 100 BETWEEN 7 AND 20 THEN NULL
            ELSE CAST('{{"name": "Ada Lovelace", "age": ' || (number % 90) || '}}' AS {json}) END,
        CASE WHEN entry_id % 100 = 6 THEN NULL
            ELSE CAST('{{"name": "Ada Lovelace", "age": ' || (number % 90 + 1) || '}}' AS {json}) END
    FROM placed
"""
SQLITE = {
    "numbers": "WITH RECURSIVE numbers (number) AS"
    " (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < {})",
    "moment": "strftime('%Y-%m-%d %H:%M:%f000', {last} - ({count} - number) * {between}, 'unixepoch')",
    "json": "TEXT",
}
POSTGRESQL = {
    "numbers": "WITH numbers AS (SELECT generate_series(1::bigint, {}) AS number)",
    "moment": "to_timestamp({last} - ({count} - number) * {between})",
    "json": "jsonb",
}


def fill_ledger(database_url: str, changes: int) -> None:
    """Add `changes` changes, a multiple of BLOCK_CHANGES, to the empty ledger of a database."""
    url = sqlalchemy.make_url(database_url)
    if url.get_backend_name() == "sqlite":
        _fill_sqlite(url.database or "", changes)
    else:
        _fill_postgresql(url.set(drivername="postgresql").render_as_string(hide_password=False), changes)


def entries_among(changes: int) -> int:
    """Return how many entries have this number of changes."""
    return changes // BLOCK_CHANGES * BLOCK_ENTRIES


def _statements(parts: dict[str, str], changes: int) -> list[str]:
    entries = entries_among(changes)
    moment = parts["moment"].format(last=LAST_SECOND, count=entries, between=SECONDS_BETWEEN)
    shares = {"block_changes": BLOCK_CHANGES, "block_entries": BLOCK_ENTRIES, "single": SINGLE, "people": PEOPLE}
    values = {**shares, "records": changes // CHANGES_OF_RECORD, "moment": moment, "json": parts["json"]}
    counts = {ENTRIES: entries, CHANGES: changes}
    return [text.format(numbers=parts["numbers"].format(count), **values) for text, count in counts.items()]


def _fill_sqlite(path: str, changes: int) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in "synchronous = OFF", "cache_size = -500000", "threads = 2":
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN")
        connection.execute("DELETE FROM history_changes")
        connection.execute("DELETE FROM history_entries")
        made = connection.execute(
            "SELECT name, sql FROM sqlite_master"
            " WHERE tbl_name IN ('history_entries', 'history_changes') AND type = 'index' AND sql IS NOT NULL"
        ).fetchall()
        for name, _ in made:
            connection.execute(f"DROP INDEX {name}")
        for statement in (*_statements(SQLITE, changes), *(sql for _, sql in made)):
            connection.execute(statement)
        connection.execute("COMMIT")


def _fill_postgresql(url: str, changes: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("SET maintenance_work_mem = '512MB'")
        connection.execute("DELETE FROM history_changes")
        connection.execute("DELETE FROM history_entries")
        made = connection.execute(
            "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
            " WHERE indrelid IN ('history_entries'::regclass, 'history_changes'::regclass)"
            " AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)"
        ).fetchall()
        for name, _ in made:
            connection.execute(f"DROP INDEX {name}")
        for statement in (*_statements(POSTGRESQL, changes), *(sql for _, sql in made)):
            connection.execute(statement)
        for table, last in {"history_entries": entries_among(changes), "history_changes": changes}.items():
            connection.execute(f"SELECT setval('{table}_id_seq', {last})")
        connection.commit()
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE")
