"""Seconds for each request with and without metrics and access lines, as `production.ini` writes them."""

import contextlib
import itertools
import logging
import statistics
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import myproject
from myproject import tweens
from myproject.logs import Formatter, JsonFormatter

from .client import Client
from .databases import Makers
from .requests import ask_in_rounds
from .servers import SECRET, serving

NEITHER, METRICS, LINES, JSON = "neither", "metrics", "metrics and log", "metrics and log in JSON"
WIRINGS = [NEITHER, METRICS, LINES, JSON]
FORMATTERS = {
    LINES: Formatter("%(asctime)s %(levelname)s [%(name)s] %(request)s%(message)s", "%Y-%m-%dT%H:%M:%S%z"),
    JSON: JsonFormatter(),
}
MEASURING = "myproject.web.access.access_tween_factory"


def measure(makers: Makers, rounds: int, batch: int) -> dict[tuple[str, str, str], float]:
    """Return `{(method, kind of database, wiring): seconds}`, medians of `rounds` batches of `batch` requests."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="myproject-bench-"))
        clients = {}
        for kind, wiring in itertools.product(makers, WIRINGS):
            url = makers[kind](f"monitoring_{WIRINGS.index(wiring)}")
            port, _ = stack.enter_context(serving(application, wiring, url, Path(folder, f"{kind} {wiring}")))
            clients[kind, wiring] = Client(port)
        times = ask_in_rounds(clients, rounds, batch)
    return {key: statistics.median(batches) for key, batches in times.items()}


def application(wiring: str, url: str, log_file: Path) -> Any:
    """Return the application with what `wiring` names; its log goes to a file."""
    if wiring in FORMATTERS:
        handler = logging.FileHandler(log_file)
        handler.setFormatter(FORMATTERS[wiring])
        logging.getLogger().addHandler(handler)
        logging.getLogger("myproject").setLevel(logging.INFO)
    order = [name for name in tweens.ORDER if wiring != NEITHER or name != MEASURING]
    with mock.patch("myproject.tweens.ORDER", order):
        return myproject.main({}, **{"sqlalchemy.url": url, "myproject.secret": SECRET})
