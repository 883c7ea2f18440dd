"""prune_history INI: delete what is older than the settings let the history keep."""

import argparse
import datetime
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import transaction
from sqlalchemy.orm import Session, sessionmaker

# Every model, since those of `users` and `posts` name each other.
from .. import models  # noqa: F401
from ..db import engine_from_config, get_session_factory, get_tm_session
from ..db.base import utcnow
from ..history.events.pruning import prune_events
from ..history.pruning import prune_entries
from ..settings import read_settings
from . import explained, read_ini, refuse_older_database

ROWS_PER_STEP = 1000
# Between two steps, others who wait for SQLite's write lock get it.
PAUSE_SECONDS = 0.1
# The site goes on writing meanwhile: a step that loses to a request, or waits for too long, is tried again.
TRIES_PER_STEP = 10


class Part(NamedTuple):
    """A part of the history: what it is called, the setting with its days, and the function of one step.

    `prune(dbsession, older_than, limit)` deletes up to `limit` rows or so; it returns 0 if there was nothing to delete.
    """

    name: str
    setting: str
    prune: Callable[[Session, datetime.datetime, int], int]


PARTS = (
    Part("changes and entries", "history.keep_days", prune_entries),
    Part("security events", "events.keep_days", prune_events),
)


def main(argv: Sequence[str] | None = None) -> None:
    """Delete what is older than the settings let the history keep, in short steps. Print what was done."""
    parser = argparse.ArgumentParser(prog="prune_history", description=main.__doc__)
    parser.add_argument("ini", help="the ini file, for instance production.ini")
    ini = parser.parse_args(argv).ini
    settings = read_settings(read_ini(ini))
    engine = engine_from_config(settings)
    try:
        with explained(ini):
            factory = get_session_factory(engine)
            with transaction.manager:
                refuse_older_database(get_tm_session(factory, transaction.manager, read_only=True), ini)
            for part in PARTS:
                print(prune(factory, part, settings))
    finally:
        engine.dispose()


def prune(factory: sessionmaker[Session], part: Part, settings: Mapping[str, Any]) -> str:
    """Delete what is too old of a part of the history, each step in its own transaction; return what was done."""
    days = settings[part.setting]
    older_than = utcnow() - datetime.timedelta(days=days)
    total, deleted = 0, 1
    while deleted:
        deleted = transaction.manager.run(
            lambda: part.prune(get_tm_session(factory, transaction.manager), older_than, ROWS_PER_STEP),
            tries=TRIES_PER_STEP,
        )
        total += deleted
        time.sleep(PAUSE_SECONDS)
    return f"Older than {days} days ({part.setting}): {total} {part.name} were deleted."


if __name__ == "__main__":
    main()
