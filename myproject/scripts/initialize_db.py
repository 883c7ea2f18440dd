"""initialize_db INI: create the database of an ini file, or upgrade it to this version."""

import argparse
import sys
from collections.abc import Sequence

import alembic.command
import alembic.config
from sqlalchemy.pool import NullPool

from ..db import get_engine
from ..schema import NEWER, is_newer, known_revisions, read_revision
from ..settings import database_url
from . import explained, read_ini


def main(argv: Sequence[str] | None = None) -> None:
    """Run every migration that the database has not had yet; none if it is up to date. Print what was done."""
    parser = argparse.ArgumentParser(prog="initialize_db", description=main.__doc__)
    parser.add_argument("ini", help="the ini file, for instance development.ini")
    ini = parser.parse_args(argv).ini
    url = database_url(read_ini(ini))
    with explained(ini):
        before = stored_revision(url)
        if is_newer(before):
            print(f"Warning: {NEWER}." % before, file=sys.stderr)
            return
        upgrade(ini)
    print(describe(before, known_revisions()[0]))


def stored_revision(url: str) -> str | None:
    """Return the last migration that the database of `url` has had, or `None` if it has had none."""
    with get_engine(url, poolclass=NullPool).connect().execution_options(read_only=True) as connection:
        return read_revision(connection)


def describe(before: str | None, after: str) -> str:
    """Return the sentence that tells what was done to the database."""
    if before is None:
        return "The database was created."
    return "The database is up to date." if before == after else f"Upgraded from {before} to {after}."


def upgrade(ini: str) -> None:
    """Upgrade the database of the file `ini` to the newest revision."""
    alembic.command.upgrade(alembic.config.Config(ini), "head")


if __name__ == "__main__":
    main()
