"""Seconds for each request, as a browser sees them: a list of 25 users, and an edit, server beside server."""

import contextlib
import itertools
import statistics
import time

from .client import Client
from .servers import application, bare, serving

KINDS = {"GET": 200, "POST": 303}
WIRINGS = ["stock", "ours"]


def measure(makers, rounds, batch):
    """Return `{(method, kind of database, wiring): seconds}`, each the median of `rounds` batches of `batch` requests.

    Each round has one batch for every server, so that whatever else the machine does falls upon all of them. "bare"
    stands under each kind of database.
    """
    with contextlib.ExitStack() as stack:
        clients = {}
        for kind, wiring in itertools.product(makers, WIRINGS):
            port, _ = stack.enter_context(serving(application, wiring, makers[kind](f"requests_{wiring}")))
            clients[kind, wiring] = Client(port)
        ours = clients["SQLite", "ours"]
        answers = {"GET": ours.send(ours.gets(1)[0], 200), "POST": ours.send(ours.posts(1)[0], 303)}
        # To read its first page, the client of the bare server would need an application.
        port, _ = stack.enter_context(serving(bare, answers))
        clients["", "bare"] = ours.at(port)
        times = _rounds(clients, rounds, batch)
    for method, kind in itertools.product(KINDS, makers):
        times[method, kind, "bare"] = times[method, "", "bare"]
    return {key: statistics.median(batches) for key, batches in times.items()}


def _rounds(clients, rounds, batch):
    times = {}
    for number in range(rounds + 1):
        for method, (place, client) in itertools.product(KINDS, clients.items()):
            seconds = _batch(client, method, batch)
            if number:  # the first round warms up
                times.setdefault((method, *place), []).append(seconds / batch)
    return times


def _batch(client, method, count):
    requests = client.gets(count) if method == "GET" else client.posts(count)
    started = time.perf_counter()
    for request in requests:
        client.send(request, KINDS[method])
    return time.perf_counter() - started
