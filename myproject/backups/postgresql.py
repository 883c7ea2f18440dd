"""Backups of PostgreSQL: the files of pg_dump's own format, by the programs that come with the server."""

import os
import re
import subprocess  # nosec B404
from pathlib import Path

import sqlalchemy
from psycopg import pq
from psycopg.conninfo import make_conninfo
from sqlalchemy import text
from sqlalchemy.pool import NullPool

from ..db import get_engine
from ..schema import read_revision
from . import POSTGRESQL, BackupError, new_file, require_backup, require_known, require_own

# A session of a person or a program has a user; those of the server's own processes have none.
OTHER_SESSIONS = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND usesysid IS NOT NULL AND pid <> pg_backend_pid()"
)
# Without what belongs to extensions, such as the views of pg_stat_statements.
RELATIONS = text(
    "SELECT count(*) FROM pg_class WHERE relnamespace NOT IN"
    " (SELECT oid FROM pg_namespace WHERE nspname LIKE 'pg\\_%' OR nspname = 'information_schema')"
    " AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')"
)
# Those whose roles may not exist on another server, and the comments of extensions, which only their owner may write.
LEFT_OUT = ("--no-owner", "--no-privileges", "--no-comments")
VERSION = re.compile(r"^COPY \S*alembic_version .*\n(\w+)$", re.MULTILINE)


def save(url: str, path: Path) -> str:
    """Write the database of `url` to the new file `path`, while it may be in use; return its last migration.

    Raises `BackupError`, and `sqlalchemy.exc.DBAPIError` if the database does not answer.
    """
    with _engine(url).connect().execution_options(read_only=True) as connection:
        revision = require_own(path, read_revision(connection))
    with new_file(path) as unfinished:
        _run("pg_dump", "--format=custom", f"--file={unfinished}", url=url)
    return revision


def describe(path: Path) -> str:
    """Return the last migration of a backup. Raises `BackupError` if it is none, if it is damaged, or newer."""
    require_backup(path, POSTGRESQL)
    found = VERSION.search(_run("pg_restore", "--data-only", "--table=alembic_version", "--file=-", str(path)))
    return require_known(path, found and found[1])


def restore(url: str, path: Path, replace: bool = False) -> str:
    """Restore the backup `path` into the empty database of `url`, in one transaction; return an empty text.

    An earlier database stays as it is, whatever `replace` says: only the administrator of the server could rename it.
    Raises `BackupError`, and `sqlalchemy.exc.DBAPIError` if the database does not answer.
    """
    engine, name = _engine(url), sqlalchemy.make_url(url).database
    with engine.connect().execution_options(read_only=True) as connection:
        others = connection.scalar(OTHER_SESSIONS)
        if others:
            raise BackupError(
                f"the database {name} is in use; end the other sessions on it, of which there are {others}"
            )
        if connection.scalar(RELATIONS):
            raise BackupError(
                f"the database {name} is not empty; create an empty one, and name it in DATABASE_URL: the earlier one"
                " stays as it is"
            )
    whole = ("--single-transaction", "--exit-on-error")
    _run("pg_restore", *whole, *LEFT_OUT, f"--dbname={make_conninfo(dbname=name)}", str(path), url=url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # The figures by which queries are planned are not in the file.
        connection.execute(text("ANALYZE"))
    return ""


def _engine(url: str) -> sqlalchemy.Engine:
    return get_engine(url, poolclass=NullPool)


def _run(program: str, *arguments: str, url: str | None = None) -> str:
    """Run a program of PostgreSQL on the server of `url`; return what it printed. Raises `BackupError`."""
    environ = {**os.environ, "LC_ALL": "C", **(_environ_of(url) if url else {})}
    try:
        done = subprocess.run(  # nosec B603
            [program, *arguments],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError:
        raise BackupError(
            f"{program} was not found, one of PostgreSQL's programs (Debian: postgresql-client)"
        ) from None
    if done.returncode:
        raise BackupError(f"{program}: {_reason(done.stderr)}")
    return done.stdout


def _environ_of(url: str) -> dict[str, str]:
    """Return the variables of the environment by which PostgreSQL's programs connect as the application does.

    Arguments would show the password to everybody on the machine.
    """
    parts = sqlalchemy.make_url(url)
    _arguments, keywords = parts.get_dialect()().create_connect_args(parts)
    names = {option.keyword.decode(): option.envvar for option in pq.Conninfo.get_defaults()}
    return {
        variable.decode(): str(keywords[keyword])
        for keyword, variable in names.items()
        if variable is not None and keyword in keywords
    }


def _reason(printed: str) -> str:
    """Return the first error that a program has printed. Further lines may contain people's values."""
    lines = printed.strip().splitlines() or ["it failed, and does not say why"]
    first = next((line for line in lines if "error: " in line), lines[0])
    return first.partition("error: ")[2] or first
