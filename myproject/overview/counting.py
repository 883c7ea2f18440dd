"""Counts figures in a thread and stores them, so that no page waits for them. One process at a time counts."""

import logging
from collections.abc import Callable
from threading import Lock, Thread
from typing import Any

from pyramid.registry import Registry
from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from ..db import IDatabaseUnavailable, IReadingTookTooLong, get_engine
from ..db.base import utcnow
from ..web.request import Request
from .models import StoredFigures

# For each of the statements on PostgreSQL, for all of them on SQLite. It replaces `reading.longest_seconds`.
LONGEST_COUNT_SECONDS = 60
# The key of the thread in the registry.
THREAD = "counting_thread"
# Held while a thread is started, so that a process has one.
STARTING = Lock()

log = logging.getLogger(__name__)

Count = Callable[[Connection], Any]


def read_figures(request: Request, name: str, count: Count) -> StoredFigures:
    """Return the stored figures called `name`; if they are missing or old, begin to count them by `count(connection)`.

    `count` returns anything that JSON can express.
    """
    stored = request.dbsession.get(StoredFigures, name) or StoredFigures(name=name)
    if stored.is_due:
        _begin_to_count(request.registry, name, count)
    return stored


def _begin_to_count(registry: Registry, name: str, count: Count) -> None:
    with STARTING:
        if THREAD in registry and registry[THREAD].is_alive():
            return
        # A server that stops does not wait for a daemon.
        thread = Thread(target=_try_to_count, args=(registry, name, count), daemon=True)
        thread.start()
        registry[THREAD] = thread


def _try_to_count(registry: Registry, name: str, count: Count) -> None:
    # A connection beside the pool, which has as many as pages need, and with a limit of its own.
    url = registry["dbsession_factory"].kw["bind"].url
    silence = registry.settings["database.longest_silence"]
    engine = get_engine(url, reading_seconds=LONGEST_COUNT_SECONDS, silence_seconds=silence, poolclass=NullPool)
    try:
        if _claim(engine, name):
            _count_and_store(registry, engine, name, count)
    except Exception as error:
        if IDatabaseUnavailable.providedBy(error) or IReadingTookTooLong.providedBy(error):
            log.warning("the figures of %s were not counted: the database is busy, slow or away", name)
        else:
            log.exception("the figures of %s were not counted", name)


def _claim(engine: Engine, name: str) -> bool:
    """Return whether this process is the one that counts."""
    with Session(engine) as session, session.begin():
        stored = session.get(StoredFigures, name) or StoredFigures(name=name)
        if not stored.is_due:
            return False
        stored.claim()
        session.add(stored)
    return True


def _count_and_store(registry: Registry, engine: Engine, name: str, count: Count) -> None:
    # Counting only reads: on SQLite it must not keep the write lock for seconds.
    with engine.connect().execution_options(read_only=True) as connection:
        counted_at, figures = utcnow(), count(connection)

    def store(dbsession: Session) -> None:
        dbsession.merge(StoredFigures(name=name)).store(figures, counted_at)

    # This waits for locks, and tries again after a lost race.
    registry["own_transactions"].run(registry["dbsession_factory"], [store])
