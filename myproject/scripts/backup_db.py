"""backup_db INI FILE: save the database in one file, while the site is in use."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..backups import BackupError, backups_of
from ..settings import database_url
from . import ending_at_sigterm, explained, read_ini


def main(argv: Sequence[str] | None = None) -> None:
    """Save the database in a new file that only its owner can read, complete or not at all. Print what was done."""
    parser = argparse.ArgumentParser(prog="backup_db", description=main.__doc__)
    parser.add_argument("ini", help="the ini file, for instance production.ini")
    parser.add_argument("file", type=Path, metavar="FILE", help="the file to write, which must not exist")
    arguments = parser.parse_args(argv)
    url, path = database_url(read_ini(arguments.ini)), arguments.file.absolute()
    try:
        with ending_at_sigterm(), explained(arguments.ini):
            revision = backups_of(url).save(url, path)
    except BackupError as error:
        raise SystemExit(f"Nothing was saved: {error}.") from None
    print(f"The database was saved in {path}: {path.stat().st_size:,} bytes, with the migration {revision}.")


if __name__ == "__main__":
    main()
