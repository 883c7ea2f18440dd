"""The Engine: a pool of connections that begin, commit and roll back when SQLAlchemy says so."""

from types import ModuleType
from typing import Any

import sqlalchemy
from sqlalchemy import Engine

from . import sqlite
from .failure import mark_failures


def get_engine(
    url: str | sqlalchemy.URL, *, reading_seconds: int | None = None, silence_seconds: int | None = None, **options: Any
) -> Engine:
    """Return an Engine for `url`, a database of SQLite or PostgreSQL (by psycopg); `options` go to `create_engine`.

    A connection with the execution option `read_only` refuses to write. It also refuses to read for longer than
    `reading_seconds`: on SQLite in its whole transaction, on PostgreSQL in one statement. With the execution option
    `wait_for_locks=False`, a statement that meets a lock fails at once.

    A connection to a PostgreSQL server that does not answer a statement within `silence_seconds` is given up. Without
    it, statements may take as long as they like, as migrations do.

    Raises `sqlalchemy.exc.ArgumentError` if `url` is not a database URL.
    """
    url = sqlalchemy.make_url(url)
    if url.get_backend_name() == "sqlite":
        return _engine_for(sqlite, url, options, reading_seconds)
    # Imported here because its driver is an extra.
    from . import postgresql

    return _engine_for(postgresql, url, options, reading_seconds, silence_seconds)


def _engine_for(database: ModuleType, url: sqlalchemy.URL, options: dict[str, Any], *limits: int | None) -> Engine:
    # SQLAlchemy logs the parameters of a failed statement: people's values do not belong into a log.
    options = {"hide_parameters": True, **options}
    engine = sqlalchemy.create_engine(url, connect_args=database.connect_args(), **options)
    # Before set_up, because what that adds to the beginning of a transaction may fail.
    mark_failures(engine)
    database.set_up(engine, *limits)
    return engine
