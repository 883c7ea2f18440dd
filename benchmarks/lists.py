"""Seconds of every page of the list, of the overview, and of adding a user, among few users and among many."""

import contextlib
import itertools
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import func, select

from myproject.db import get_engine
from myproject.users.listing.view import ORDERS, read_view
from myproject.users.models import users
from myproject.web.pagination import LAST_PAGE, KeysetCondition, in_order, read_page

from .client import LIST_PATH, OVERVIEW_PATH, Client
from .databases import SMALL_ROWS, large_databases
from .servers import application, serving

SEARCHES = {
    "rare": "q=.777@",
    "common": "q=ada",
    "common, by name": "q=ada&sort=name",
    "common, of many letters": "q=lovelace",
    "excluded": "q=-ada",
    "absent": "q=zzqx",
    "one letter": "q=a",
    "one letter, absent": "q=%E6%9D%8E",
    "four common words": "q=ada+example+com+1",
    "four words, one of them rare": "q=example+com+1+.777%40",
    "four words, seldom together": "q=ada+lovelace+example+12",
}
FILTERS = {
    "role": ("role=admin", "role=editor", "role=member"),
    "active": ("active=no", "active=yes"),
    "posts": ("posts=yes", "posts=no"),
    "age": ("age_from=30&age_to=39",),
    "joined": ("joined_from=2025-03&joined_to=2025-04",),
}
COUNTS = {"all": "panel=filters", "common": "q=ada&panel=filters", "administrators": "role=admin&panel=filters"}
ADDING = "adding a user"
FIRST_PAGE, OVERVIEW = "by added, falling, first", "the overview"

Place = tuple[str, int]  # kind of database, number of users


def measure(rows: int, rounds: int, cache: Path | None = None) -> dict[str, dict[Place, float]]:
    """Return `{operation: {(kind of database, number of users): seconds}}`, medians of `rounds` requests each.

    `rows` users are compared with SMALL_ROWS, or a tenth of them if they are no more. Each round asks every server once
    for each operation, so that other load on the machine affects all of them.
    """
    few = SMALL_ROWS if rows > SMALL_ROWS else rows // 10
    with contextlib.ExitStack() as stack:
        urls = stack.enter_context(large_databases([few, rows], cache))
        addresses = {place: _addresses(url) for place, url in urls.items()}
        clients = {}
        for place, url in urls.items():
            port, _ = stack.enter_context(serving(application, "ours", url))
            clients[place] = Client(port)
        return _ask(clients, addresses, rounds)


def _ask(
    clients: dict[Place, Client], addresses: dict[Place, dict[str, str]], rounds: int
) -> dict[str, dict[Place, float]]:
    operations = [*next(iter(addresses.values())), ADDING]
    times: dict[str, dict[Place, list[float]]] = {
        operation: {place: [] for place in clients} for operation in operations
    }
    for number in range(rounds + 1):
        for operation, (place, client) in itertools.product(operations, clients.items()):
            request = client.add() if operation == ADDING else client.get(addresses[place][operation])
            started = time.perf_counter()
            client.send(request, 303 if operation == ADDING else 200)
            if number:  # The first round warms up.
                times[operation][place].append(time.perf_counter() - started)
    return {
        operation: {place: statistics.median(seconds) for place, seconds in of_operation.items()}
        for operation, of_operation in times.items()
    }


def _addresses(url: str) -> dict[str, str]:
    """Return `{operation: address}` of all pages to ask for."""
    engine = get_engine(url)
    queries = {}
    for name, descending in itertools.product(ORDERS, (False, True)):
        sort = f"-{name}" if descending else name
        title = f"by {name}, {'falling' if descending else 'rising'}"
        queries[f"{title}, first"] = f"sort={sort}"
        queries[f"{title}, deep"] = f"sort={sort}&cursor={cursor(engine, {'sort': sort})}"
        queries[f"{title}, last"] = f"sort={sort}&cursor={LAST_PAGE}"
    queries |= {f"search, {name}": query for name, query in SEARCHES.items()}
    queries |= {f"filter `{query}`": query for queries_of in FILTERS.values() for query in queries_of}
    for (one, *_), (other, *_) in itertools.combinations(FILTERS.values(), 2):
        queries[f"filters `{one}&{other}`"] = f"{one}&{other}"
    queries["search and filter `q=ada&role=editor`"] = "q=ada&role=editor"
    queries |= {f"how many of each kind, {name}": query for name, query in COUNTS.items()}
    engine.dispose()
    # Among many users its figures are stored; they are counted meanwhile, at most every five minutes.
    return {operation: f"{LIST_PATH}?{query}" for operation, query in queries.items()} | {OVERVIEW: OVERVIEW_PATH}


def cursor(engine: sqlalchemy.Engine, parameters: dict[str, str], offset: int | None = None) -> str | None:
    """Return the cursor of the page after the first `offset` users of a view of all, or after about half of them.

    Half is half of a sample: to count millions of entries of an index takes a minute.
    """
    view = read_view(parameters)
    in_this_order = select(*view.keys).order_by(*in_order(view.keys, not view.descending))
    with engine.connect().execution_options(read_only=True) as connection:
        if offset is None:
            largest = connection.scalar(select(func.max(users.c.id))) or 0
            ids = range(1, largest, max(largest // 2000, 1))
            in_this_order, offset = in_this_order.where(users.c.id.in_(ids)), len(ids) // 2
        row = connection.execute(in_this_order.offset(offset).limit(1)).one()

    def read(_condition: KeysetCondition, _ascending: bool, limit: int) -> Sequence[Any]:
        return [row] * limit

    return read_page(read, view.keys, list_name=view.query).next
