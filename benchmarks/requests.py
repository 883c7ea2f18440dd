"""Seconds for each request, as a browser sees them: the list of 25 users, and an edit, server beside server."""

import contextlib
import itertools
import statistics
import time

from .client import Client
from .databases import Makers
from .servers import application, bare, serving

# The pages by their method, and the status that each answers.
PAGES = {"GET": "GET, the list", "POST": "POST, an edit"}
STATUSES = {"GET": 200, "POST": 303}
WIRINGS = ["stock", "ours"]


def measure(makers: Makers, rounds: int, batch: int) -> dict[tuple[str, str, str], float]:
    """Return `{(method, kind of database, wiring): seconds}`, each the median of `rounds` batches of `batch` requests.

    Each round has one batch for every server, so that other load on the machine affects all of them alike. The wiring
    "bare" has no database: its figure is repeated for each kind.
    """
    with contextlib.ExitStack() as stack:
        clients = {}
        for kind, wiring in itertools.product(makers, WIRINGS):
            port, _ = stack.enter_context(serving(application, wiring, makers[kind](f"requests_{wiring}")))
            clients[kind, wiring] = Client(port)
        ours = clients["SQLite", "ours"]
        answers = {"GET": ours.send(ours.gets(1)[0], 200), "POST": ours.send(ours.posts(1)[0], 303)}
        # The bare server has no page from which a client could read a CSRF token.
        port, _ = stack.enter_context(serving(bare, answers))
        clients["", "bare"] = ours.at(port)
        times = _rounds(clients, rounds, batch)
    for method, kind in itertools.product(PAGES, makers):
        times[method, kind, "bare"] = times[method, "", "bare"]
    return {key: statistics.median(batches) for key, batches in times.items()}


def _rounds(clients: dict[tuple[str, str], Client], rounds: int, batch: int) -> dict[tuple[str, str, str], list[float]]:
    times: dict[tuple[str, str, str], list[float]] = {}
    for number in range(rounds + 1):
        for method, (place, client) in itertools.product(PAGES, clients.items()):
            seconds = _batch(client, method, batch)
            if number:  # The first round warms up.
                times.setdefault((method, *place), []).append(seconds / batch)
    return times


def _batch(client: Client, method: str, count: int) -> float:
    requests = client.gets(count) if method == "GET" else client.posts(count)
    started = time.perf_counter()
    for request in requests:
        client.send(request, STATUSES[method])
    return time.perf_counter() - started
