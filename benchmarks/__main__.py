"""python -m benchmarks: what a request costs, ours against the stock wiring and among few people and many.

Prints tables, fails on no timing.
"""

import argparse
import itertools
import logging
import os
from contextlib import nullcontext
from pathlib import Path

from . import lists, memory, requests, sessions
from .databases import SMALL, binaries, databases

# How many times the seconds of another server ours may take, and those of few people many.
TARGETS = {("GET", "bare"): 8, ("GET", "stock"): 1.2, ("POST", "stock"): 1.0}
AMONG_MANY = 1.5
GROWTH = 10  # megabytes
PAGES = {"GET": "GET, the list", "POST": "POST, an edit"}
PARTS = ("requests", "sessions", "memory", "lists")


def main(argv=None):
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=40, help="batches for each server (%(default)s)")
    parser.add_argument("--batch", type=int, default=20, help="requests in a batch (%(default)s)")
    parser.add_argument("--only", choices=PARTS, action="append", help="one part; may be given again")
    parser.add_argument("--rows", type=int, default=1_000_000, help=f"users, beside {SMALL:,}, in lists (%(default)s)")
    parser.add_argument("--cache", type=Path, help="the folder in which databases of lists stay for the next time")
    parser.add_argument("--requests", type=int, default=10_000, help="requests in the test of memory (%(default)s)")
    parser.add_argument("--journal", choices=["wal", "delete"], default="wal", help="of SQLite's files (%(default)s)")
    options = parser.parse_args(argv)
    logging.disable(logging.INFO)  # each migration says that it ran
    # What this machine is set to must not choose the database.
    for variable in ("DATABASE_URL", "MYPROJECT_SECRET"):
        os.environ.pop(variable, None)
    parts = options.only or PARTS
    if not binaries():
        print("PostgreSQL's server binaries were not found: SQLite alone.\n")
    with databases(options.journal) if parts != ["lists"] else nullcontext() as makers:
        if "requests" in parts:
            print_requests(requests.measure(makers, options.rounds, options.batch), makers)
        if "sessions" in parts:
            print_sessions(sessions.measure(makers, options.rounds, options.batch), makers)
        if "memory" in parts:
            print_memory(memory.measure(makers, options.requests), options.requests)
    if "lists" in parts:
        print_lists(lists.measure(options.rows, options.rounds, options.cache))


def print_requests(seconds, kinds):
    """Print requests per second and the ratios of time."""
    head("Requests per second", "", "bare", "stock", "ours", "ours / bare", "target", "ours / stock", "target")
    for method, page in PAGES.items():
        for kind in kinds:
            bare, stock, ours = (seconds[method, kind, wiring] for wiring in ("bare", "stock", "ours"))
            speeds = [f"{1 / value:,.0f}" for value in (bare, stock, ours)]
            to_bare, to_stock = round(ours / bare, 1), round(ours / stock, 2)
            verdicts = verdict(to_bare, TARGETS.get((method, "bare"))), verdict(to_stock, TARGETS[method, "stock"])
            row(f"{page}, {kind}", *speeds, f"{to_bare:.1f}", verdicts[0], f"{to_stock:.2f}", verdicts[1])


def print_sessions(seconds, kinds):
    """Print microseconds in session and transaction."""
    head("Session and transaction of one request, µs", "", "stock", "ours", "ours / stock")
    for method in PAGES:
        for kind in kinds:
            stock, ours = (seconds[method, kind, wiring] for wiring in ("stock", "ours"))
            row(f"{method}, {kind}", f"{stock * 1e6:.0f}", f"{ours * 1e6:.0f}", f"{ours / stock:.2f}")


def print_memory(megabytes, count):
    """Print the resident memory."""
    head("Resident memory, MB", "", f"after {memory.EARLY:,}", f"after {count:,}", "growth", "target")
    for kind, (early, late) in megabytes.items():
        row(kind, f"{early:.1f}", f"{late:.1f}", f"{late - early:.1f}", verdict(late - early, GROWTH))


def print_lists(seconds):
    """Print the milliseconds of each operation among few people and many, and the ratios."""
    places = list(next(iter(seconds.values())))
    pairs = list(zip(places[::2], places[1::2], strict=True))
    cells = [(f"{kind}, {few:,}", f"{many:,}", "ratio") for (kind, few), (_, many) in pairs]
    head("Milliseconds of a request", "", *itertools.chain(*cells), "target")
    for operation, of_operation in seconds.items():
        cells, ratios = [], []
        for few, many in pairs:
            ratios.append(round(of_operation[many] / of_operation[few], 2))
            cells += [f"{of_operation[few] * 1000:.1f}", f"{of_operation[many] * 1000:.1f}", f"{ratios[-1]:.2f}"]
        row(operation, *cells, verdict(max(ratios), AMONG_MANY))


def verdict(value, most):
    """Return whether `value` keeps to `most`, if that is any."""
    return f"≤ {most}: {'holds' if value <= most else 'missed'}" if most else ""


def head(title, *cells):
    """Begin a table of Markdown."""
    print(f"\n{title}\n", flush=True)
    row(*cells)
    row("---", *["--:"] * (len(cells) - 1))


def row(*cells):
    """Print a row of it."""
    print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
