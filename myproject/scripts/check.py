"""check INI: say what is still wrong before strangers come to the site of an ini file."""

import argparse
from collections.abc import Sequence

from ..checks import check
from ..readiness import WRONG
from . import read_ini

UNKNOWN = """\
Not checked, because it cannot be seen from here: when the last backup was made and whether it can be restored, the
certificate and the limits of the proxy, and whether monitoring looks at /readyz."""


def main(argv: Sequence[str] | None = None) -> None:
    """Print a line for each thing that was checked, with what to do. Exit with 1 if something is wrong."""
    parser = argparse.ArgumentParser(prog="check", description=main.__doc__)
    parser.add_argument("ini", help="the ini file, for instance production.ini")
    ini = parser.parse_args(argv).ini
    levels = []
    for finding in check(ini, read_ini(ini)):
        print(f"{finding.level:8} {finding.about}: {finding.sentence}.")
        levels.append(finding.level)
    print(UNKNOWN)
    raise SystemExit(1 if WRONG in levels else 0)


if __name__ == "__main__":
    main()
