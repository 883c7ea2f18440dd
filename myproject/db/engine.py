"""The Engine: a pool of connections that begin, commit and roll back when SQLAlchemy says so."""

from types import ModuleType
from typing import Any

import sqlalchemy
from sqlalchemy import Engine

from . import sqlite
from .failure import mark_failures


def get_engine(url: str | sqlalchemy.URL, *, reading_seconds: int | None = None, **options: Any) -> Engine:
    """Return an Engine for `url`, a database of SQLite or PostgreSQL (by psycopg); `options` go to `create_engine`.

    A connection with the execution option `read_only` refuses to write. It also refuses to read for longer than
    `reading_seconds`: on SQLite in its whole transaction, on PostgreSQL in one statement. With the execution option
    `wait_for_locks=False`, a statement that meets a lock fails at once. Raises `sqlalchemy.exc.ArgumentError` if `url`
    is not a database URL.
    """
    url = sqlalchemy.make_url(url)
    if url.get_backend_name() == "sqlite":
        return _engine_for(sqlite, url, reading_seconds, options)
    # Imported here because its driver is an extra.
    from . import postgresql

    return _engine_for(postgresql, url, reading_seconds, options)


def _engine_for(
    database: ModuleType, url: sqlalchemy.URL, reading_seconds: int | None, options: dict[str, Any]
) -> Engine:
    # SQLAlchemy logs the parameters of a failed statement: people's values do not belong into a log.
    options = {"hide_parameters": True, **options}
    engine = sqlalchemy.create_engine(url, connect_args=database.connect_args(reading_seconds), **options)
    # Before set_up, because what that adds to the beginning of a transaction may fail.
    mark_failures(engine)
    database.set_up(engine, reading_seconds)
    return engine
