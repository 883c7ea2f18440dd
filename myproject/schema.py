"""Whether the database has every migration: the server refuses an older one, whose pages would answer 500."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alembic.script import ScriptDirectory
from pyramid.config import Configurator
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError, NotSupportedError
from sqlalchemy.pool import NullPool

from .db import IDatabaseUnavailable, get_engine
from .settings import SettingsError

MIGRATIONS = Path(__file__).parent / "migrations"
# Each connection has such a database of its own, so that nothing can upgrade it. `ptweens` and the like need no other.
IN_MEMORY = ("sqlite://", "sqlite:///:memory:")

log = logging.getLogger(__name__)


def includeme(config: Configurator) -> None:
    """Raise `SettingsError` if the database lacks a migration; its sentence names the command that upgrades it.

    A newer database is served, with a warning: while several servers are upgraded, the old ones go on. So is one that
    does not answer: its pages are 503 until it does.
    """
    settings = config.get_settings()
    if settings["sqlalchemy.url"] in IN_MEMORY:
        return
    try:
        revision = _read_revision(settings)
    except DBAPIError as error:
        reason = str(error.orig).partition("\n")[0]
        if isinstance(error, NotSupportedError) or not IDatabaseUnavailable.providedBy(error):
            raise SettingsError(reason) from None
        log.warning("the database does not answer, and pages are 503 until it does: %s", reason)
        return
    if is_older(revision):
        raise SettingsError(f"the database is not up to date; run `initialize_db {settings['ini']}` first")
    if revision not in _known_revisions():
        log.warning("the database is newer than this version of myproject: it has the migration %s", revision)


def read_revision(connection: Connection) -> str | None:
    """Return the last migration that the database has had, or `None` if it has had none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    # Alembic's own MigrationContext logs two lines.
    return connection.scalar(text("SELECT version_num FROM alembic_version"))


def is_older(revision: str | None) -> bool:
    """Return whether a database with the migration `revision` lacks one of this version; a newer one lacks none."""
    return revision is None or revision in _known_revisions()[1:]


def _known_revisions() -> list[str]:
    """Return the migrations of this version, the newest first."""
    return [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]


def _read_revision(settings: Mapping[str, Any]) -> str | None:
    # Without a pool: the process may fork before it serves, and must not share a connection then.
    silence = settings["database.longest_silence"]
    engine = get_engine(settings["sqlalchemy.url"], silence_seconds=silence, poolclass=NullPool)
    with engine.connect().execution_options(read_only=True) as connection:
        return read_revision(connection)
