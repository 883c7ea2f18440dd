"""initialize_db INI: create the database of an ini file, or upgrade it to this version."""

import argparse
from collections.abc import Sequence

import alembic.command
import alembic.config

from . import explained


def main(argv: Sequence[str] | None = None) -> None:
    """Run every migration that the database has not had yet; none if it is up to date."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("ini", help="the ini file, for instance development.ini")
    ini = parser.parse_args(argv).ini
    with explained(ini):
        upgrade(ini)


def upgrade(ini: str) -> None:
    """Upgrade the database of the file `ini` to the newest revision."""
    alembic.command.upgrade(alembic.config.Config(ini), "head")
