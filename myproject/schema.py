"""Whether the database has every migration: the server refuses an older one, whose pages would answer 500."""

import functools
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alembic.script import ScriptDirectory
from pyramid.config import Configurator
from sqlalchemy import URL, Connection, inspect, text
from sqlalchemy.exc import DBAPIError, NotSupportedError
from sqlalchemy.pool import NullPool
from zope.interface import implementer

from .db import IDatabaseUnavailable, get_engine, message_of
from .settings import SettingsError, file_of

MIGRATIONS = Path(__file__).parent / "migrations"
# Each connection has such a database of its own, so that nothing can upgrade it. `ptweens` and the like need no other.
IN_MEMORY = ("sqlite://", "sqlite:///:memory:")

log = logging.getLogger(__name__)


@implementer(IDatabaseUnavailable)
class SchemaError(Exception):
    """The database is not one for this version. Its one sentence, without a full stop, says what to do."""


def includeme(config: Configurator) -> None:
    """Raise `SettingsError` if the database lacks a migration; its sentence names the command that upgrades it.

    A newer database is served, with a warning: while several servers are upgraded, the old ones go on. One that cannot
    be used at the start is looked at again at each new connection, and its pages are 503 until it has every migration.
    """
    settings = config.get_settings()
    if settings["sqlalchemy.url"] in IN_MEMORY:
        return
    check = SchemaCheck(settings)
    try:
        check.run()
    except SchemaError as error:
        raise SettingsError(str(error)) from None
    except DBAPIError as error:
        reason = explain(error, settings["sqlalchemy.url"])
        if isinstance(error, NotSupportedError) or not IDatabaseUnavailable.providedBy(error):
            raise SettingsError(reason) from None
        log.warning("the database cannot be used, and pages are 503 until it can: %s", reason)
    config.registry["before_connecting"] = check.before_connecting


class SchemaCheck:
    """Examines the database once in the life of a process: when it starts, or when it can be used at last."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """Take the settings of the application."""
        self.url, self.ini = settings["sqlalchemy.url"], settings["ini"]
        self.silence_seconds = settings["database.longest_silence"]
        self.is_passed = False

    def before_connecting(self) -> None:
        """Refuse a new connection to another database than `run` accepts. Raises as it does."""
        if not self.is_passed:
            self.run()
        require_file(self.url, self.ini)

    def run(self) -> None:
        """Examine the database. Raises `SchemaError` if it is not one for this version, `DBAPIError` if it is away."""
        require_file(self.url, self.ini)
        # Without a pool: the process may fork before it serves, and must not share a connection then.
        engine = get_engine(self.url, silence_seconds=self.silence_seconds, poolclass=NullPool)
        with engine.connect().execution_options(read_only=True) as connection:
            revision = read_revision(connection)
        if is_older(revision):
            raise SchemaError(f"the database is not up to date; run `initialize_db {self.ini}` first")
        if is_newer(revision):
            log.warning(NEWER, revision)
        self.is_passed = True


NEWER = "the database is newer than this version of myproject: it has the migration %s"


def require_file(url: str | URL, ini: str) -> None:
    """Raise `SchemaError` if `url` names a file of SQLite that does not exist: connecting would create an empty one."""
    path = file_of(url)
    # Where its folder is closed to this user, connecting says so.
    if path and os.access(path.parent, os.X_OK) and not path.exists():
        raise SchemaError(f"there is no file {path}; run `initialize_db {ini}` first, which creates it")


def explain(error: BaseException, url: str | URL) -> str:
    """Return in one line why the database of `url` cannot be used, beginning with the path of a file."""
    path, reason = file_of(url), message_of(error)
    return f"{path}: {reason}" if path else reason


def read_revision(connection: Connection) -> str | None:
    """Return the last migration that the database has had, or `None` if it has had none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    # Alembic's own MigrationContext logs two lines.
    return connection.scalar(text("SELECT version_num FROM alembic_version"))


def is_older(revision: str | None) -> bool:
    """Return whether a database with the migration `revision` lacks one of this version; a newer one lacks none."""
    return revision is None or revision in known_revisions()[1:]


def is_newer(revision: str | None) -> bool:
    """Return whether the database has a migration that this version does not know."""
    return revision is not None and revision not in known_revisions()


@functools.cache
def known_revisions() -> list[str]:
    """Return the migrations of this version, the newest first."""
    return [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]
