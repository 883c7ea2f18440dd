"""Seconds of a change of many users in one transaction, and of undoing it."""

import itertools
import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy
import transaction
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session, sessionmaker

from myproject.db import get_engine, get_session_factory, get_tm_session
from myproject.history.context import Origin, announce
from myproject.history.models import Entry
from myproject.history.undo.rules import Viewer
from myproject.history.undo.steps import Undo
from myproject.models import User

from .databases import large_databases

ADMINISTRATOR = Viewer(0, "admin")
Place = tuple[str, str]  # what is changed, kind of database


def measure(users: int, rounds: int, cache: Path | None = None) -> dict[Place, tuple[float, float]]:
    """Return `{(change, kind of database): (seconds of the change, seconds of its undo)}` of `users` records.

    Both are medians of `rounds`. The undo counts what would become of the records, as its form does, and puts them
    back. Each round makes all changes on all databases, and undoes each at once.
    """
    times: dict[Place, list[tuple[float, float]]] = {}
    with large_databases([users], cache) as urls:
        engines = {kind: get_engine(url) for (kind, _), url in urls.items()}
        for number in range(rounds + 1):
            for (name, change), (kind, engine) in itertools.product(CHANGES.items(), engines.items()):
                seconds = _change_and_undo(engine, change, users)
                if number:  # The first round warms up.
                    times.setdefault((name, kind), []).append(seconds)
        for engine in engines.values():
            engine.dispose()
    return {
        place: (statistics.median(c for c, _ in both), statistics.median(u for _, u in both))
        for place, both in times.items()
    }


def _change_and_undo(
    engine: sqlalchemy.Engine, change: Callable[[Session, int], object], users: int
) -> tuple[float, float]:
    factory = get_session_factory(engine)
    started = time.perf_counter()
    with transaction_of(factory, Origin(actor_id=0, route="benchmark")) as session:
        change(session, users)
    changed = time.perf_counter()
    with engine.connect() as connection:
        entry_id = connection.scalar(select(func.max(Entry.id)))
    return changed - started, _undo(factory, entry_id or 0, engine.dialect.name)


def _undo(factory: sessionmaker[Session], entry_id: int, dialect: str) -> float:
    started = time.perf_counter()
    with transaction_of(factory, Origin(actor_id=0, route="benchmark", undoes_id=entry_id)) as session:
        undo = Undo(entry_id, ADMINISTRATOR, dialect)
        undo.apply(session, undo.count(session), changed_too=False)
    return time.perf_counter() - started


@contextmanager
def transaction_of(factory: sessionmaker[Session], origin: Origin) -> Iterator[Session]:
    """Yield a Session in a transaction that the ledger records as one of `origin`; it commits at the end."""
    tm = transaction.TransactionManager(explicit=True)
    with tm:
        announce(tm, origin)
        yield get_tm_session(factory, tm)


def _change_roles(session: Session, users: int) -> None:
    other = sqlalchemy.case((User.role == "member", "editor"), else_="member")
    session.execute(update(User).where(User.id > 0).values(role=other))


def _delete(session: Session, users: int) -> None:
    session.execute(delete(User).where(User.id > 0))


def _add(session: Session, users: int) -> None:
    run = uuid.uuid4().hex
    people = [{"name": f"Zoltan {number}", "email": f"{number}@{run}.example"} for number in range(users)]
    session.execute(insert(User), people)


CHANGES = {"another role": _change_roles, "deleted": _delete, "added": _add}
