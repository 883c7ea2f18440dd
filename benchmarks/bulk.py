"""Seconds of a bulk role change, beside the bare UPDATE with the triggers of the ledger, and of the steps before it."""

import itertools
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from myproject.db import get_engine, get_session_factory
from myproject.history.context import Origin
from myproject.models import Selection, User
from myproject.users.bulk.action import ACTIONS, INCLUDED, Bulk
from myproject.users.bulk.views import MOST_NAMED
from myproject.users.listing.page import matches_of
from myproject.web.events import MOST_REPORTED

from .databases import large_databases
from .undo import transaction_of

BARE, SELECTED, ASKED, CHANGED = "bare UPDATE", "select all", "count for the page that asks", "bulk change"
UTC = ZoneInfo("UTC")
Place = tuple[str, str]  # step, kind of database


def measure(users: int, rounds: int, cache: Path | None = None) -> dict[Place, float]:
    """Return `{(step, kind of database): seconds}`, medians of `rounds`, of giving `users` records another role.

    Each round does the bare UPDATE and the bulk change on all databases, one after the other. The bulk change counts
    the users again, as its form does, and reads those whose changes are reported.
    """
    times: dict[Place, list[float]] = {}
    with large_databases([users], cache) as urls:
        engines = {kind: get_engine(url) for (kind, _), url in urls.items()}
        for number, (kind, engine) in itertools.product(range(rounds + 1), engines.items()):
            for step, seconds in _measure_round(engine):
                if number:  # The first round warms up.
                    times.setdefault((step, kind), []).append(seconds)
        for engine in engines.values():
            engine.dispose()
    return {place: statistics.median(seconds) for place, seconds in times.items()}


def _measure_round(engine: Engine) -> Iterator[tuple[str, float]]:
    factory = get_session_factory(engine)
    # All begin with the same role, and the administrator, whose id is 0, stays one.
    with transaction_of(factory, Origin(route="benchmark")) as session:
        session.execute(update(User).where(User.id > 0, User.role != "member").values(role="member"))
    started = time.perf_counter()
    with transaction_of(factory, Origin(actor_id=0, route="benchmark")) as session:
        session.execute(update(User).where(User.id > 0).values(role="editor"))
    yield BARE, time.perf_counter() - started
    started = time.perf_counter()
    with transaction_of(factory, Origin(actor_id=0, route="benchmark")) as session:
        selection = Selection(user_id=0, query="role=editor")
        session.add(selection)
        session.flush()
        selection.select_all(matches_of(session, selection.view, UTC))
        selection_id = selection.id
    yield SELECTED, time.perf_counter() - started
    started = time.perf_counter()
    with transaction_of(factory, Origin(actor_id=0, route="benchmark")) as session:
        bulk = _bulk_of(session, selection_id)
        _ = bulk.groups, bulk.belongings, bulk.joined, bulk.name_users(INCLUDED, MOST_NAMED)
    yield ASKED, time.perf_counter() - started
    started = time.perf_counter()
    with transaction_of(factory, Origin(actor_id=0, route="benchmark")) as session:
        bulk = _bulk_of(session, selection_id)
        _ = bulk.groups, bulk.name_users(INCLUDED, MOST_REPORTED)
        bulk.apply(keep_sign_in=0)
    yield CHANGED, time.perf_counter() - started
    with transaction_of(factory, Origin(route="benchmark")) as session:
        session.delete(session.get_one(Selection, selection_id))


def _bulk_of(session: Session, selection_id: int) -> Bulk:
    return Bulk(session, session.get_one(Selection, selection_id), ACTIONS["member"], 0, "admin", UTC)
