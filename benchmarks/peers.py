"""python -m benchmarks.peers > ours.json: serve ours for a program that times admin interfaces on SQLite.

Prints the URLs and the cookie of the administrator as JSON, and serves until Ctrl-C.
"""

import argparse
import contextlib
import json
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from myproject.db import get_engine

from .client import LIST_PATH, Client
from .databases import large_databases
from .lists import cursor
from .servers import application, serving


def main(argv: Sequence[str] | None = None) -> None:
    """Create or reuse the database, print the JSON, and serve."""
    parser = argparse.ArgumentParser(prog="benchmarks.peers", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="users in the database (%(default)s)")
    parser.add_argument("--cache", type=Path, help="folder that keeps the database for the next run")
    options = parser.parse_args(argv)
    logging.disable(logging.INFO)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with large_databases([options.rows], options.cache, kinds=["SQLite"]) as urls:
        url = urls["SQLite", options.rows]
        with serving(application, "ours", url) as (port, _):
            print(json.dumps(ours(port, url, options.rows), indent=1), flush=True)
            print("Serving until Ctrl-C.", file=sys.stderr)
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()


def ours(port: int, url: str, rows: int) -> dict[str, Any]:
    """Return the URLs and headers that the other program sends."""
    engine = get_engine(url)
    # 1,000 pages of 25 before the end, or the second page of a shorter list.
    deep = cursor(engine, {}, offset=max(rows - 1000 * 25, 25))
    engine.dispose()
    return {
        "base": f"http://127.0.0.1:{port}",
        "headers": {"Cookie": Client(port).cookie},
        "list": LIST_PATH,
        "deep": f"{LIST_PATH}?cursor={deep}",
        "search-rare": f"{LIST_PATH}?q=lovelace.12",
        "search-common": f"{LIST_PATH}?q=ada",
    }


if __name__ == "__main__":
    main()
