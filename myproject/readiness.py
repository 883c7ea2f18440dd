"""Whether a process of this site can serve its pages: what `/readyz`, `/metrics` and `check INI` find out.

Nothing is written, and no connection of the pool is used: a process whose pool is exhausted is busy, and not broken.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

# Every model, so that the metadata has all tables.
from . import models  # noqa: F401
from .db import Base, get_engine
from .db.engine import read_options
from .db.replication import count_synchronous_standbys, is_standby, name_server
from .schema import NEWER, SchemaError, explain, is_newer, is_older, read_revision, require_file
from .settings import file_of, is_private_folder

# Nothing is wrong; something should be looked at, but pages work; pages do not work.
OK, WARNING, WRONG = "ok", "warning", "wrong"

# How long to wait for a connection, and for the answer to each statement; at least 2 for a connection of PostgreSQL.
PROBE_SECONDS = 2
# Of SQLAlchemy's `create_engine`.
DEFAULT_POOL_SIZE, DEFAULT_MAX_OVERFLOW = 5, 10
LEAST_FREE_BYTES = 16 * 2**20
# Privileges are asked one by one: of a list, PostgreSQL says whether there is any.
MISSING_PRIVILEGES = text("""
    SELECT string_agg(name || ' (' || privilege || ')', ', ' ORDER BY name, privilege)
    FROM unnest(CAST(:names AS text[])) AS name
    CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
    WHERE NOT has_table_privilege(to_regclass(name), privilege)
""")


@dataclass(frozen=True)
class Finding:
    """What was found out about a part of the site; a sentence without its full stop, and without secrets."""

    about: str
    level: str
    sentence: str


@dataclass
class Report:
    """All findings, and what is known of the server of the database, for people who look."""

    findings: list[Finding] = field(default_factory=list)
    database: dict[str, Any] = field(default_factory=dict)

    @property
    def is_ready(self) -> bool:
        """Whether pages work."""
        return all(finding.level != WRONG for finding in self.findings)

    def add(self, about: str, level: str, sentence: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(about, level, sentence))


def probing_engine(url: URL | str) -> Engine:
    """Return an engine without a pool, whose connections wait for `PROBE_SECONDS` only."""
    name = "timeout" if make_url(url).get_backend_name() == "sqlite" else "connect_timeout"
    return get_engine(
        url,
        reading_seconds=PROBE_SECONDS,
        silence_seconds=PROBE_SECONDS,
        poolclass=NullPool,
        connect_args={name: PROBE_SECONDS},
    )


def examine(engine: Engine, settings: Mapping[str, Any]) -> Report:
    """Return the report on the database of `engine`, one of `probing_engine`, and on the spool of `settings`."""
    report = Report()
    examine_database(report, engine, settings["ini"])
    examine_spool(report, settings["spool.folder"])
    return report


def examine_database(report: Report, engine: Engine, ini: str) -> None:
    """Add to `report` whether the database answers, has every migration, and can be written."""
    try:
        require_file(engine.url, ini)
        with engine.connect().execution_options(read_only=True) as connection:
            connection.execute(text("SELECT 1"))
            report.add("database", OK, "it answers")
            _examine_migrations(report, connection, ini)
            _examine_writing(report, connection)
    except SchemaError as error:
        report.add("database", WRONG, str(error))
    except DBAPIError as error:
        # SQLite calls a full disk an "I/O error", and does not name the file that it cannot open.
        report.add("database", WRONG, "; ".join((explain(error, engine.url), *_obstacles_of_file(report, engine.url))))


def examine_spool(report: Report, folder: Path) -> None:
    """Add to `report` whether imports can be kept; all else works without."""
    # A folder in one that this user may not enter can be neither looked at nor made.
    if os.access(folder.parent, os.X_OK) and folder.exists():
        is_usable, what = is_private_folder(folder) and is_writable_folder(folder), "this user alone (mode 0700)"
    else:
        is_usable, what = is_writable_folder(folder.parent), "a folder that this user may make"
    if is_usable:
        report.add("spool", OK, "files to import can be kept")
    else:
        report.add("spool", WARNING, f"no file can be imported: spool.folder, {folder}, should be of {what}")


def most_connections(settings: Mapping[str, Any]) -> int | None:
    """Return how many connections the pool of a process may have, or `None` for any number."""
    options = read_options(settings)
    size = options.get("pool_size", DEFAULT_POOL_SIZE)
    return None if size == 0 else size + options.get("max_overflow", DEFAULT_MAX_OVERFLOW)


def is_writable_folder(folder: Path) -> bool:
    """Return whether this user can make files in `folder`."""
    return os.access(folder, os.W_OK | os.X_OK)


def _examine_migrations(report: Report, connection: Connection, ini: str) -> None:
    revision = read_revision(connection)
    if is_older(revision):
        report.add("migrations", WRONG, f"the database is not up to date; run `initialize_db {ini}`")
    elif is_newer(revision):
        report.add("migrations", OK, NEWER % revision)
    else:
        report.add("migrations", OK, f"the database has every migration, up to {revision}")


def _examine_writing(report: Report, connection: Connection) -> None:
    is_file = connection.dialect.name == "sqlite"
    obstacles = (
        _obstacles_of_file(report, connection.engine.url) if is_file else _obstacles_of_server(report, connection)
    )
    if reasons := [*obstacles]:
        report.add("writable", WRONG, "; ".join(reasons))
    else:
        report.add("writable", OK, "nothing keeps this process from writing")


def _obstacles_of_file(report: Report, url: URL) -> Iterator[str]:
    """Yield why a database of SQLite cannot be written: also the files beside it, and new ones, have to be."""
    path = file_of(url)
    if path is None:
        return
    report.database["file"] = str(path)
    if not is_writable_folder(path.parent):
        yield f"{path.parent} cannot be written by this user, and SQLite keeps files beside the database"
        return
    for file in (path, *(path.with_name(f"{path.name}{suffix}") for suffix in ("-wal", "-shm"))):
        if file.exists() and not os.access(file, os.R_OK | os.W_OK):
            yield f"{file} belongs to {_owner_of(file)}, and cannot be written by this user"
    if shutil.disk_usage(path.parent).free < LEAST_FREE_BYTES:
        yield f"the disk of {path} has less than {LEAST_FREE_BYTES // 2**20} MB left"


def _owner_of(file: Path) -> str:
    try:
        return file.owner()
    except KeyError:
        return "an unknown user"


def _obstacles_of_server(report: Report, connection: Connection) -> Iterator[str]:
    """Yield why a database of PostgreSQL cannot be written by this role."""
    in_recovery = is_standby(connection)
    report.database |= {"server": name_server(connection), "role": "standby" if in_recovery else "primary"}
    if in_recovery:
        yield "the server is a standby"
        return
    report.database["synchronous_standbys"] = count_synchronous_standbys(connection)
    if connection.scalar(text("SELECT current_setting('default_transaction_read_only')::boolean")):
        yield "default_transaction_read_only is on"
    names = [table.name for table in Base.metadata.sorted_tables]
    if missing := connection.scalar(MISSING_PRIVILEGES, {"names": names}):
        yield f"this role lacks privileges: {missing}"
