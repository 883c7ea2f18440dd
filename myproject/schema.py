"""Refuses to serve a database that is older than the code: its pages would answer 500."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alembic.script import ScriptDirectory
from pyramid.config import Configurator
from sqlalchemy import inspect, text
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
    scripts = ScriptDirectory(str(MIGRATIONS))
    known = {script.revision for script in scripts.walk_revisions()}
    if revision is not None and revision not in known:
        log.warning("the database is newer than this version of myproject: it has the migration %s", revision)
    elif revision != scripts.get_current_head():
        raise SettingsError(f"the database is not up to date; run `initialize_db {settings['ini']}` first")


def _read_revision(settings: Mapping[str, Any]) -> str | None:
    # Without a pool: the process may fork before it serves, and must not share a connection then.
    silence = settings["database.longest_silence"]
    engine = get_engine(settings["sqlalchemy.url"], silence_seconds=silence, poolclass=NullPool)
    with engine.connect().execution_options(read_only=True) as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        # Alembic's own MigrationContext logs two lines.
        return connection.scalar(text("SELECT version_num FROM alembic_version"))
