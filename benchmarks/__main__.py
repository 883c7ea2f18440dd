"""python -m benchmarks: measure ours beside the stock wiring, and the list among few and many users.

Prints Markdown tables. Exits with 0 whatever the times are.
"""

import argparse
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from . import (
    bulk,
    edits,
    exports,
    history,
    imports,
    lists,
    memory,
    monitoring,
    posts,
    requests,
    sessions,
    standby,
    tables,
    undo,
)
from .databases import SMALL_ROWS, binaries, databases

PARTS = (
    "requests",
    "monitoring",
    "sessions",
    "memory",
    "lists",
    "exports",
    "posts",
    "undo",
    "bulk",
    "edits",
    "history",
    "imports",
    "standby",
)
# Rounds of the undo, of the bulk change and of the import, each of which takes minutes.
UNDO_ROUNDS = 3
# Rounds of the export of all users, each of which takes seconds.
EXPORT_ROUNDS = 7


def main(argv: Sequence[str] | None = None) -> None:
    """Measure the parts that the options name, and print their tables."""
    options = read_options(argv)
    logging.disable(logging.INFO)  # Each migration logs that it ran.
    # The benchmarks choose their databases themselves.
    for variable in ("DATABASE_URL", "DATABASE_URL_READING", "MYPROJECT_SECRET"):
        os.environ.pop(variable, None)
    parts = options.only or PARTS
    if not binaries():
        print("PostgreSQL's server binaries were not found: only SQLite is measured.\n")
    if not {"requests", "monitoring", "sessions", "memory"}.isdisjoint(parts):
        measure_requests(parts, options)
    if not {"lists", "exports", "posts"}.isdisjoint(parts):
        measure_lists(parts, options)
    if not {"history", "edits", "standby"}.isdisjoint(parts):
        measure_in_own_databases(parts, options)
    if not {"undo", "bulk", "imports"}.isdisjoint(parts):
        measure_changes_of_many(parts, options)


def measure_requests(parts: Sequence[str], options: argparse.Namespace) -> None:
    """Measure the parts that need only the small databases, and print their tables."""
    with databases(options.journal) as makers:
        if "requests" in parts:
            tables.print_requests(requests.measure(makers, options.rounds, options.batch))
        if "monitoring" in parts:
            tables.print_monitoring(monitoring.measure(makers, options.rounds, options.batch))
        if "sessions" in parts:
            tables.print_sessions(sessions.measure(makers, options.rounds, options.batch))
        if "memory" in parts:
            tables.print_memory(memory.measure(makers, options.requests), options.requests)


def measure_lists(parts: Sequence[str], options: argparse.Namespace) -> None:
    """Measure lists, exports and a person with many posts in large databases, and print their tables."""
    if "lists" in parts:
        tables.print_lists(lists.measure(options.rows, options.rounds, options.cache))
    if "posts" in parts:
        tables.print_posts(posts.measure(options.posts), options.posts)
    if "exports" in parts:
        rounds = min(options.rounds, EXPORT_ROUNDS)
        tables.print_exports(exports.measure(options.rows, rounds, options.cache), options.rows)


def measure_in_own_databases(parts: Sequence[str], options: argparse.Namespace) -> None:
    """Measure the parts that make databases of their own, and print their tables."""
    if "history" in parts:
        tables.print_history(history.measure(options.changes, options.rounds, options.cache))
    if "edits" in parts and options.before:
        tables.print_edits(edits.measure(options.before, options.rounds, options.batch))
    if "standby" in parts and binaries():
        tables.print_standby(standby.measure(options.rounds, options.batch))


def measure_changes_of_many(parts: Sequence[str], options: argparse.Namespace) -> None:
    """Measure the parts that change many users at once, and print their tables."""
    rounds = min(options.rounds, UNDO_ROUNDS)
    if "undo" in parts:
        tables.print_undo(undo.measure(options.undone, rounds, options.cache), options.undone)
    if "bulk" in parts:
        tables.print_bulk(bulk.measure(options.undone, rounds, options.cache), options.undone)
    if "imports" in parts:
        tables.print_imports(imports.measure(options.rows, rounds), options.rows)


def read_options(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=40, help="rounds, in which all servers take turns (%(default)s)")
    parser.add_argument("--batch", type=int, default=20, help="requests to a server in each round (%(default)s)")
    parser.add_argument("--only", choices=PARTS, action="append", help="measure this part; may be given again")
    parser.add_argument(
        "--rows",
        type=int,
        default=1_000_000,
        help=f"users in the large databases (%(default)s); the small have {SMALL_ROWS:,}, or a tenth if that is fewer",
    )
    parser.add_argument(
        "--changes", type=int, default=1_000_000, help="changes in the large ledgers (%(default)s), a multiple of 20"
    )
    parser.add_argument("--before", help="an earlier version, such as v1.2, whose edits are timed beside ours")
    parser.add_argument("--posts", type=int, default=20_000, help="posts of one person (%(default)s)")
    parser.add_argument(
        "--undone", type=int, default=100_000, help="users who are changed, and whose change is undone (%(default)s)"
    )
    parser.add_argument("--cache", type=Path, help="folder that keeps the large databases for the next run")
    parser.add_argument("--requests", type=int, default=10_000, help="requests that measure memory (%(default)s)")
    parser.add_argument("--journal", choices=["wal", "delete"], default="wal", help="journal of SQLite (%(default)s)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
