"""Seconds of the pages of the history, with each filter, among few changes and among many."""

import contextlib
import datetime
import itertools
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from myproject.history.filters import Filters, read_filters
from myproject.history.models import Entry
from myproject.web.pagination import KeysetCondition, read_page

from .client import Client
from .databases import SMALL_ROWS, large_databases, make_users
from .ledger import LAST_SECOND, SECONDS_BETWEEN, entries_among, fill_ledger
from .servers import application, serving

SMALL_CHANGES = 10_000
# Filters whose first page and whose deep page are asked for.
FILTERS = {
    "all": {},
    "who": {"who": "7"},
    "who: another program": {"who": "program"},
    "what": {"what": "users-changed"},
    "what, rare": {"what": "users-deleted"},
    "route": {"route": "users.edit"},
    "who and what": {"who": "7", "what": "users-changed"},
}
PAGES = {"the history of a record": "/users/7/history", "record": "/history?record=users-7"}

Place = tuple[str, int]  # kind of database, number of changes


def measure(changes: int, rounds: int, cache: Path | None = None) -> dict[str, dict[Place, float]]:
    """Return `{page: {(kind of database, number of changes): seconds}}`, medians of `rounds` requests each.

    Each round asks every server once for each page, so that other load on the machine affects all of them.
    """
    sizes = [SMALL_CHANGES, changes]
    with contextlib.ExitStack() as stack:
        urls = stack.enter_context(large_databases(sizes, cache, name="ledger", make=_make))
        clients = {}
        for place, url in urls.items():
            port, _ = stack.enter_context(serving(application, "ours", url))
            clients[place] = Client(port)
        return _ask(clients, rounds)


def _make(url: str, changes: int) -> None:
    make_users(url, SMALL_ROWS)
    fill_ledger(url, changes)


def _ask(clients: dict[Place, Client], rounds: int) -> dict[str, dict[Place, float]]:
    addresses = {place: addresses_among(place[1]) for place in clients}
    names = list(next(iter(addresses.values())))
    times: dict[str, dict[Place, list[float]]] = {name: {place: [] for place in clients} for name in names}
    for number, name, (place, client) in itertools.product(range(rounds + 1), names, clients.items()):
        request = client.get(addresses[place][name])
        started = time.perf_counter()
        client.send(request, 200)
        if number:  # The first round warms up.
            times[name][place].append(time.perf_counter() - started)
    return {
        name: {place: statistics.median(of_place) for place, of_place in both.items()} for name, both in times.items()
    }


def addresses_among(changes: int) -> dict[str, str]:
    """Return the addresses of all pages to ask for; the deep ones, and the days, are in the middle of the ledger."""
    number = entries_among(changes) // 2
    moment = datetime.datetime.fromtimestamp(LAST_SECOND - number * SECONDS_BETWEEN, datetime.UTC)
    days = {"from": f"{moment - datetime.timedelta(days=1):%Y-%m-%d}", "to": f"{moment:%Y-%m-%d}"}
    found = dict(PAGES)
    for name, parameters in {**FILTERS, "day": days}.items():
        filters = read_filters(parameters, 0)
        edge = {Entry.created_at: moment, Entry.id: number} if filters.has_days else {Entry.id: number}
        found[f"{name}, first"] = f"/history?{filters.query}"
        found[f"{name}, deep"] = f"/history?{filters.query}&cursor={_cursor(filters, edge)}"
    return found


def _cursor(filters: Filters, edge: dict[Any, Any]) -> str | None:
    def read(_condition: KeysetCondition, _ascending: bool, limit: int) -> Sequence[Any]:
        return [tuple(edge.values())] * limit

    return read_page(read, list(edge), list_name=filters.query).next
