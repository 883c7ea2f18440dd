"""Replays the ledger: the recorded rows of one moment, with the changes since, have to be those of a later moment."""

import contextlib
import json
import sqlite3

import psycopg
import sqlalchemy

from myproject.history.recording import RECORDED, json_of, recorded_columns

TABLES = {model.__tablename__: recorded_columns(model) for model in RECORDED}


def connected(url):
    """Return a context with a connection of the driver, which SQLAlchemy would take longer to make; it is closed."""
    url = sqlalchemy.make_url(url)
    if url.get_backend_name() == "sqlite":
        return contextlib.closing(sqlite3.connect(url.database))
    # It knows how a URL names several hosts, which the driver does not.
    _, arguments = url.get_dialect()().create_connect_args(url)
    return psycopg.connect(**arguments, options="-c timezone=UTC")


def recorded_rows(connection):
    """Return the recorded values of all rows, by table and id; read without the models."""
    rows = {}
    for table, columns in TABLES.items():
        values = json_of("", columns) if isinstance(connection, sqlite3.Connection) else f"to_jsonb({table})"
        for record_id, found in connection.execute(f"SELECT id, {values} FROM {table}"):
            record = _values(found)
            rows[table, record_id] = {name: record[name] for name in columns}
    return rows


def changes_since(connection, last_id):
    """Return (table, id, before, after) of the changes after the one with the id `last_id`, the first one first."""
    query = "SELECT table_name, record_id, before, after FROM history_changes WHERE id > {} ORDER BY id"
    rows = connection.execute(query.format(last_id)).fetchall()
    return [(table, number, _values(before), _values(after)) for table, number, before, after in rows]


def _values(found):
    return json.loads(found) if isinstance(found, str) else found


def apply_changes(rows, changes):
    """Return `rows` after `changes`, each of which has to start from what is there."""
    rows = dict(rows)
    for table, number, before, after in changes:
        assert rows.get((table, number)) == before, f"the ledger says what {table} {number} never was"
        _put(rows, (table, number), after)
    return rows


def revert_changes(rows, changes):
    """Return `rows` before `changes`."""
    return apply_changes(rows, [(table, number, after, before) for table, number, before, after in reversed(changes)])


def _put(rows, key, values):
    if values is None:
        rows.pop(key, None)
    else:
        rows[key] = values


class Replay:
    """Compares the ledger of a database with its rows: those when it was made, and those now."""

    def __init__(self, url):
        """Read the rows of the database of `url`."""
        self.url = url
        with connected(url) as connection:
            self.start = recorded_rows(connection)
            [self.last_id] = connection.execute("SELECT coalesce(max(id), 0) FROM history_changes").fetchone()

    def check(self):
        """Fail unless the changes since the start lead from the rows of the start to those of now, and back.

        Of the records of erased people, the ledger tells nothing any more.
        """
        with connected(self.url) as connection:
            now, changes = recorded_rows(connection), changes_since(connection, self.last_id)
        erased = {(table, number) for table, number, before, after in changes if {} in (before, after)}
        changes = [change for change in changes if change[:2] not in erased]
        now, start = ({key: rows[key] for key in rows.keys() - erased} for rows in (now, self.start))
        assert apply_changes(start, changes) == now
        assert revert_changes(now, changes) == start
