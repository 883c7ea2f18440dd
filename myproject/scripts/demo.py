"""python -m myproject.scripts.demo INI: add 200 believable people, with their posts, to the database of an ini file."""

import argparse
from collections.abc import Sequence

import transaction

from ..db import get_engine, get_session_factory, get_tm_session
from ..db.base import utcnow
from ..demo import add_demo_people
from ..history.context import Origin, announce
from ..settings import database_url
from . import explained, read_ini, refuse_older_database


def main(argv: Sequence[str] | None = None) -> None:
    """Add the demo people who are not in the database yet; change nobody who is."""
    parser = argparse.ArgumentParser(prog="demo", description=main.__doc__)
    parser.add_argument("ini", help="the ini file, for instance development.ini")
    ini = parser.parse_args(argv).ini
    engine = get_engine(database_url(read_ini(ini)))
    try:
        with explained(ini), transaction.manager:
            dbsession = get_tm_session(get_session_factory(engine), transaction.manager)
            refuse_older_database(dbsession, ini)
            announce(transaction.manager, Origin(route="demo"))
            added = add_demo_people(dbsession, utcnow())
        print(f"{added} people were added.")
    finally:
        engine.dispose()


if __name__ == "__main__":
    main()
