"""Replays the ledger: the recorded rows of one moment, with the changes since, have to be those of a later moment."""

import json

import sqlalchemy

from myproject.history.recording import RECORDED, json_of, recorded_columns

TABLES = {model.__tablename__: recorded_columns(model) for model in RECORDED}


def recorded_rows(connection):
    """Return the recorded values of all rows, by table and id; read without the models."""
    rows = {}
    for table, columns in TABLES.items():
        values = f"to_jsonb({table})" if connection.dialect.name == "postgresql" else json_of("", columns)
        for record_id, found in connection.exec_driver_sql(f"SELECT id, {values} FROM {table}"):
            record = json.loads(found) if isinstance(found, str) else found
            rows[table, record_id] = {name: record[name] for name in columns}
    return rows


def changes_since(connection, last_id):
    """Return (table, id, before, after) of the changes after the one with the id `last_id`, the first one first."""
    query = "SELECT table_name, record_id, before, after FROM history_changes WHERE id > {} ORDER BY id"
    rows = connection.exec_driver_sql(query.format(last_id)).all()
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
        self.engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
        with self.engine.connect() as connection:
            self._use_utc(connection)
            self.start = recorded_rows(connection)
            query = "SELECT coalesce(max(id), 0) FROM history_changes"
            self.last_id = connection.exec_driver_sql(query).scalar_one()

    def check(self):
        """Fail unless the changes since the start lead from the rows of the start to those of now, and back.

        Of the records of erased people, the ledger tells nothing any more.
        """
        with self.engine.connect() as connection:
            self._use_utc(connection)
            now, changes = recorded_rows(connection), changes_since(connection, self.last_id)
        erased = {(table, number) for table, number, before, after in changes if {} in (before, after)}
        changes = [change for change in changes if change[:2] not in erased]
        now, start = ({key: rows[key] for key in rows.keys() - erased} for rows in (now, self.start))
        assert apply_changes(start, changes) == now
        assert revert_changes(now, changes) == start

    def _use_utc(self, connection):
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET TIME ZONE 'UTC'")
