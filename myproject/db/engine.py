"""The Engine: a pool of connections that begin, commit and roll back when SQLAlchemy says so."""

import contextlib
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import sqlalchemy
from pyramid.exceptions import ConfigurationError
from pyramid.settings import asbool, falsey, truthy
from sqlalchemy import Engine, event

from . import sqlite
from .failure import mark_failures

HIGHEST_NUMBER = 9_999_999


def _boolean(value: Any) -> bool:
    if str(value).lower() not in truthy | falsey:
        raise ValueError("true or false")
    return asbool(value)


def _echo(value: Any) -> bool | str:
    return "debug" if value == "debug" else _boolean(value)


def _number(kind: type[int] | type[float], lowest: int) -> Callable[[Any], Any]:
    def read(value: Any) -> int | float:
        with contextlib.suppress(ValueError):
            number = kind(value)
            if lowest <= number <= HIGHEST_NUMBER:
                return number
        raise ValueError(f"a number from {lowest} to {HIGHEST_NUMBER}")

    return read


# The options of `create_engine` that a setting may give, and how its text is read. The others would contradict what
# makes a request one transaction (isolation_level, pool_reset_on_return, ...), or are objects that no text can name.
OPTIONS: dict[str, Callable[[Any], Any]] = {
    "echo": _echo,
    "echo_pool": _echo,
    "hide_parameters": _boolean,
    "insertmanyvalues_page_size": _number(int, 1),
    "logging_name": str,
    "max_overflow": _number(int, 0),
    "pool_logging_name": str,
    "pool_pre_ping": _boolean,
    "pool_recycle": _number(int, -1),
    "pool_size": _number(int, 0),
    "pool_timeout": _number(float, 0),
    "pool_use_lifo": _boolean,
    "query_cache_size": _number(int, 0),
    "use_insertmanyvalues": _boolean,
}


def engine_from_config(settings: Mapping[str, Any], prefix: str = "sqlalchemy.", **keywords: Any) -> Engine:
    """Return the Engine of `get_engine` for the `settings` of an ini file whose names begin with `prefix`.

    `keywords` are `reading_seconds`, `silence_seconds` and `before_connecting`.

    Raises `pyramid.exceptions.ConfigurationError`, if the URL is missing, and as `read_options` does.
    """
    if not settings.get(f"{prefix}url"):
        raise ConfigurationError(f"{prefix}url is missing, which names the database")
    return get_engine(settings[f"{prefix}url"], **keywords, **read_options(settings, prefix))


def read_options(settings: Mapping[str, Any], prefix: str = "sqlalchemy.") -> dict[str, Any]:
    """Return the options of `create_engine` that `settings` give, without the URL.

    Raises `pyramid.exceptions.ConfigurationError`, with one sentence, if one is malformed or cannot be set.
    """
    options = {}
    for name in settings:
        option = name.removeprefix(prefix)
        if option in (name, "url"):
            continue
        if option not in OPTIONS:
            raise ConfigurationError(f"{name} cannot be set; these options of the engine can: {', '.join(OPTIONS)}")
        try:
            options[option] = OPTIONS[option](settings[name])
        except ValueError as error:
            raise ConfigurationError(f"{name} is {settings[name]!r}, and should be {error}") from None
    return options


def read_number(settings: Mapping[str, Any], name: str, default: int) -> int:
    """Return the whole number, at least 1, of a setting. Raises `pyramid.exceptions.ConfigurationError`."""
    text = str(settings.get(name, default))
    if not (text.isascii() and text.isdecimal() and int(text) >= 1):
        raise ConfigurationError(f"{name} is {text!r}, and should be a whole number, at least 1")
    return int(text)


def get_engine(
    url: str | sqlalchemy.URL,
    *,
    reading_seconds: int | None = None,
    silence_seconds: int | None = None,
    before_connecting: Callable[[], None] | None = None,
    **options: Any,
) -> Engine:
    """Return an Engine for `url`, a database of SQLite or PostgreSQL (by psycopg); `options` go to `create_engine`.

    A connection with the execution option `read_only` refuses to write. It also refuses to read for longer than
    `reading_seconds`: on SQLite in its whole transaction, on PostgreSQL in one statement. With the execution option
    `wait_for_locks=False`, a statement that meets a lock fails at once.

    A connection to a PostgreSQL server that does not answer a statement within `silence_seconds` is given up. Without
    it, statements may take as long as they like, as migrations do.

    Before each new connection, `before_connecting` is called, which may refuse it by an exception.

    Raises `sqlalchemy.exc.ArgumentError` if `url` is not a database URL.
    """
    url = sqlalchemy.make_url(url)
    if url.get_backend_name() == "sqlite":
        return _engine_for(sqlite, url, options, before_connecting, reading_seconds)
    # Imported here because its driver is an extra.
    from . import postgresql

    return _engine_for(postgresql, url, options, before_connecting, reading_seconds, silence_seconds)


def _engine_for(
    database: ModuleType,
    url: sqlalchemy.URL,
    options: dict[str, Any],
    before_connecting: Callable[[], None] | None,
    *limits: int | None,
) -> Engine:
    # SQLAlchemy logs the parameters of a failed statement: people's values do not belong into a log.
    options = {"hide_parameters": True, **options}
    connect_args = {**database.connect_args(), **options.pop("connect_args", {})}
    engine = sqlalchemy.create_engine(url, connect_args=connect_args, **options)
    # Before set_up, because what that adds to the beginning of a transaction may fail.
    mark_failures(engine)
    if before_connecting is not None:
        event.listen(engine, "do_connect", lambda *_: before_connecting())
    database.set_up(engine, *limits)
    return engine
