"""restore_db INI FILE: make the database of an ini file from a backup that `backup_db` has written."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..backups import BackupError, backups_of
from ..schema import is_older
from ..settings import database_url
from . import ending_at_sigterm, explained, read_ini


def main(argv: Sequence[str] | None = None) -> None:
    """Make the database from a backup, completely or not at all, while no server uses it. Print what was done."""
    parser = argparse.ArgumentParser(prog="restore_db", description=main.__doc__)
    parser.add_argument("ini", help="the ini file, for instance production.ini")
    parser.add_argument("file", type=Path, metavar="FILE", help="the backup")
    parser.add_argument(
        "--replace", action="store_true", help="SQLite: keep a database that has users under another name"
    )
    arguments = parser.parse_args(argv)
    ini, url = arguments.ini, database_url(read_ini(arguments.ini))
    try:
        with ending_at_sigterm(), explained(ini):
            backups = backups_of(url)
            revision = backups.describe(arguments.file)
            earlier = backups.restore(url, arguments.file, arguments.replace)
    except BackupError as error:
        raise SystemExit(f"Nothing was restored: {error}.") from None
    print(f"The database of {ini} was restored, with the migration {revision}.")
    if earlier:
        print(earlier)
    if is_older(revision):
        print(f"It is of an earlier version; run `initialize_db {ini}` before the server starts.")


if __name__ == "__main__":
    main()
