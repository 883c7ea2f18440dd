"""The base of every model, and `UTCDateTime`, the type of its moments in time."""

import datetime
from collections.abc import Callable
from typing import Any

from sqlalchemy import CheckConstraint, DateTime, Dialect, MetaData, TypeDecorator, inspect
from sqlalchemy.orm import DeclarativeBase


class UTCDateTime(TypeDecorator[datetime.datetime]):
    """A moment in time: aware and in UTC when read, on every database; a naive datetime is refused when written."""

    impl = DateTime(timezone=True)
    cache_ok = True
    python_type = datetime.datetime

    def process_bind_param(self, value: datetime.datetime | None, dialect: Dialect) -> datetime.datetime | None:
        """Return `value` in UTC. Raises `ValueError` if it is naive."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone: is it UTC?")
        return value.astimezone(datetime.UTC)

    def result_processor(self, dialect: Dialect, coltype: Any) -> Callable[[Any], datetime.datetime | None]:
        """Return the function that makes a driver's value aware, in UTC.

        The value is text on SQLite, in which another program may name a zone, and a datetime on PostgreSQL.
        `process_result_value` would get what SQLAlchemy has parsed already, which takes twice as long on SQLite.
        """
        if dialect.name == "sqlite":
            return lambda value: None if value is None else _read_text(value)
        return lambda value: None if value is None else value.astimezone(datetime.UTC)


def _read_text(text: str) -> datetime.datetime:
    moment = datetime.datetime.fromisoformat(text)
    return moment.astimezone(datetime.UTC) if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


class Base(DeclarativeBase):
    """The base of every model; it names constraints and indexes, so that migrations can name them too."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime.datetime: UTCDateTime}

    def __repr__(self) -> str:
        """Return the class and the primary key, `<User 7>`: never the record's values, which end up in logs."""
        key = inspect(self).identity
        return f"<{type(self).__name__} {'new' if key is None else ' '.join(map(str, key))}>"


def limit_lengths(**lengths: int) -> CheckConstraint:
    """Return the constraint that the named columns have at most this many characters; SQLite ignores `String(64)`."""
    return CheckConstraint(" AND ".join(f"length({name}) <= {most}" for name, most in lengths.items()), name="lengths")


def utcnow() -> datetime.datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.datetime.now(datetime.UTC)
