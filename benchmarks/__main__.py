"""python -m benchmarks: what a request costs, ours against the stock wiring; prints tables, fails on no timing."""

import argparse
import logging
import os

from . import memory, requests, sessions
from .databases import databases

# How many times the seconds of the stock wiring ours may take.
TARGETS = {"GET": 1.2, "POST": 1.0}
GROWTH = 10  # megabytes
PAGES = {"GET": "GET, the list", "POST": "POST, an edit"}


def main(argv=None):
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=40, help="batches for each server (%(default)s)")
    parser.add_argument("--batch", type=int, default=20, help="requests in a batch (%(default)s)")
    parser.add_argument("--rows", type=int, default=10_000, help="users in the database (%(default)s)")
    parser.add_argument("--requests", type=int, default=10_000, help="requests in the test of memory (%(default)s)")
    parser.add_argument("--journal", choices=["wal", "delete"], default="wal", help="of SQLite's files (%(default)s)")
    options = parser.parse_args(argv)
    logging.disable(logging.INFO)  # each migration says that it ran
    # What this machine is set to must not choose the database.
    for variable in ("DATABASE_URL", "MYPROJECT_SECRET"):
        os.environ.pop(variable, None)
    with databases(options.rows, options.journal) as makers:
        if "PostgreSQL" not in makers:
            print("PostgreSQL's server binaries were not found: SQLite alone.\n")
        print_requests(requests.measure(makers, options.rounds, options.batch), makers)
        print_sessions(sessions.measure(makers, options.rounds, options.batch), makers)
        print_memory(memory.measure(makers, options.requests), options.requests)


def print_requests(seconds, kinds):
    """Print requests per second and the ratios of time."""
    head("Requests per second", "", "bare", "stock", "ours", "ours / bare", "ours / stock", "target")
    for method, page in PAGES.items():
        for kind in kinds:
            bare, stock, ours = (seconds[method, kind, wiring] for wiring in ("bare", "stock", "ours"))
            ratio, target = round(ours / stock, 2), TARGETS[method]
            speeds = [f"{1 / value:,.0f}" for value in (bare, stock, ours)]
            verdict = f"≤ {target}: {'holds' if ratio <= target else 'missed'}"
            row(f"{page}, {kind}", *speeds, f"{ours / bare:.1f}", f"{ratio:.2f}", verdict)


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
        verdict = f"≤ {GROWTH}: {'holds' if late - early <= GROWTH else 'missed'}"
        row(kind, f"{early:.1f}", f"{late:.1f}", f"{late - early:.1f}", verdict)


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
