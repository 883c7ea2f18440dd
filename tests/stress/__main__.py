"""python -m tests.stress: kill servers while clients write; exit with 1 if the answers and the database disagree."""

import argparse
import contextlib
import os
import sys
import tempfile
from pathlib import Path

from tests.nginx import is_installed
from tests.postgresql import binaries, running_server

from .rolling import run_rolling
from .storm import run
from .takeover import report_times, run_takeovers

MAX_VIOLATIONS_SHOWN = 20


def main(argv=None):
    """Run a storm over each database and print the results; return the exit status."""
    parser = argparse.ArgumentParser(prog="tests.stress", description=__doc__)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], help="only this one (both)")
    parser.add_argument("--kills", type=int, default=50, help="server processes killed (%(default)s)")
    parser.add_argument("--crashes", type=int, default=3, help="times that PostgreSQL is crashed (%(default)s)")
    parser.add_argument("--restarts", type=int, default=20, help="graceful restarts afterwards (%(default)s)")
    parser.add_argument("--rolling", type=int, default=20, help="graceful restarts behind nginx (%(default)s)")
    parser.add_argument("--takeovers", type=int, default=3, help="times that a standby takes over (%(default)s)")
    parser.add_argument("--clients", type=int, default=8, help="clients at once (%(default)s)")
    parser.add_argument("--seconds", type=float, default=120, help="seconds for each database (%(default)s)")
    parser.add_argument("--seed", type=int, help="seed of the random choices; threads still make runs differ")
    parser.add_argument("--stock", action="store_true", help="the starter template's wiring in place of ours")
    options = parser.parse_args(argv)
    # Settings of this machine must not choose the database.
    for variable in ("DATABASE_URL", "DATABASE_URL_READING", "MYPROJECT_SECRET"):
        os.environ.pop(variable, None)
    storm = {name: getattr(options, name) for name in ("kills", "restarts", "clients", "seconds", "seed", "stock")}
    rolling = {"restarts": options.rolling, "clients": options.clients, "seed": options.seed}
    outcomes, times = {}, []
    if options.database != "postgresql":
        with tempfile.TemporaryDirectory(prefix="myproject-stress-") as folder:
            outcomes["SQLite"] = run(f"sqlite:///{Path(folder, 'stress.sqlite')}", **storm)
            if is_installed():
                outcomes["SQLite, behind nginx"] = run_rolling(f"sqlite:///{Path(folder, 'rolling.sqlite')}", **rolling)
    if options.database != "sqlite" and binaries():
        with running_server() as server:
            outcomes["PostgreSQL"] = run(server.url(), crash=crash(server), crashes=options.crashes, **storm)
            server.execute("CREATE DATABASE rolling")
            if is_installed():
                outcomes["PostgreSQL, behind nginx"] = run_rolling(server.url("rolling"), **rolling)
        # The servers live: only the database is killed.
        alone = {**storm, "kills": 0, "restarts": 0}
        outcomes["PostgreSQL and its standby"], times = run_takeovers(options.takeovers, **alone)
    elif options.database != "sqlite":
        print("PostgreSQL's server binaries were not found.\n")
    if not is_installed():
        print("nginx was not found.\n")
    report(outcomes)
    report_times(times)
    return int(not outcomes or any(outcome.violations for outcome in outcomes.values()))


def crash(server):
    """Return a function that stops the database server like a crash and starts it again."""

    def strike():
        server.stop("immediate")
        server.start()

    return strike


def report(outcomes):
    """Print the counts, the ratios and the violations."""
    row("", *outcomes)
    row("---", *["--:"] * len(outcomes))
    kept = {kind: outcome.counts for kind, outcome in outcomes.items()}
    for what in next(iter(kept.values()), ()):
        row(what, *(f"{counts[what]:,}" for counts in kept.values()))
    row("longest wait for an answer, s", *(f"{outcome.longest:.1f}" for outcome in outcomes.values()))
    row("seconds", *(f"{outcome.seconds:.0f}" for outcome in outcomes.values()))
    row("forms each second", *(f"{len(outcome.writes) / outcome.seconds:.0f}" for outcome in outcomes.values()))
    for what in ("acknowledged", "refused", "no answer, sent again"):
        row(f"{what}, of all forms", *(f"{counts[what] / counts['forms sent']:.1%}" for counts in kept.values()))
    found = {kind: outcome.violations for kind, outcome in outcomes.items()}
    row("**violations**", *(f"**{len(sentences)}**" for sentences in found.values()))
    for kind, sentences in found.items():
        for sentence in sentences[:MAX_VIOLATIONS_SHOWN]:
            print(f"\n{kind}: {sentence}")
        if len(sentences) > MAX_VIOLATIONS_SHOWN:
            print(f"\n{kind}: and {len(sentences) - MAX_VIOLATIONS_SHOWN} more")


def row(*cells):
    """Print a row of a Markdown table."""
    print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
