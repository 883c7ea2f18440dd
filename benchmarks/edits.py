"""Seconds for an edit through the form, by this version and by an earlier one beside it, with one client and eight."""

import contextlib
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.postgresql import binaries, running_server

from .client import Client
from .databases import ROOT, SMALL_ROWS

BEFORE, NOW = "before", "now"
CLIENTS = (1, 8)
Place = tuple[str, str, int]  # kind of database, version, number of clients

# Both run in the folder of a version, with its own modules.
FILL = f"""
import sys
from benchmarks.filling import fill
from benchmarks.people import people
from myproject.scripts import initialize_db
from tests import signed_in
initialize_db.upgrade("development.ini")
signed_in.add_administrator(sys.argv[1])
fill(sys.argv[1], people({SMALL_ROWS}))
"""
SERVE = """
import logging
import sys
import waitress
from benchmarks.servers import THREADS, application
logging.getLogger("waitress.queue").setLevel(logging.ERROR)
server = waitress.create_server(application("ours", sys.argv[1]), host="127.0.0.1", port=0, threads=THREADS)
print(server.effective_port, flush=True)
server.run()
"""


def measure(revision: str, rounds: int, batch: int) -> dict[Place, float]:
    """Return `{(kind of database, version, number of clients): seconds}`; `revision` is the earlier version for Git.

    They are medians of `rounds`, in each of which all servers take turns. Each version has its own databases.
    """
    with contextlib.ExitStack() as stack:
        folders = {BEFORE: stack.enter_context(worktree(revision)), NOW: ROOT}
        clients: dict[tuple[str, str], list[Client]] = {}
        for (kind, version), url in stack.enter_context(_new_databases(folders)).items():
            _run(folders[version], FILL, url).communicate()
            port = stack.enter_context(_server(folders[version], url))
            clients[kind, version] = [Client(port, user) for user in range(1, max(CLIENTS) + 1)]
        return _ask(clients, rounds, batch)


@contextlib.contextmanager
def worktree(revision: str) -> Iterator[Path]:
    """Yield a folder with the files of `revision`, and remove it."""
    with tempfile.TemporaryDirectory(prefix="myproject-bench-") as parent:
        folder = Path(parent, "before")
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(folder), revision], check=True)
        try:
            yield folder
        finally:
            subprocess.run([*git, "remove", "--force", str(folder)], check=True)


@contextlib.contextmanager
def _new_databases(versions: Iterable[str]) -> Iterator[dict[tuple[str, str], str]]:
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="myproject-bench-"))
        urls = {("SQLite", version): f"sqlite:///{folder}/{version}.sqlite" for version in versions}
        if binaries():
            server = stack.enter_context(running_server())
            for version in versions:
                server.execute(f"CREATE DATABASE {version}")
                urls["PostgreSQL", version] = str(server.url(version))
        yield urls


def _run(folder: Path, code: str, url: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": str(folder), "DATABASE_URL": url}
    command = [sys.executable, "-c", code, url]
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)


@contextlib.contextmanager
def _server(folder: Path, url: str) -> Iterator[int]:
    process = _run(folder, SERVE, url)
    assert process.stdout
    try:
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def _ask(clients: dict[tuple[str, str], list[Client]], rounds: int, batch: int) -> dict[Place, float]:
    times: dict[Place, list[float]] = {}
    with ThreadPoolExecutor(max(CLIENTS)) as pool:
        for number, count, (place, browsers) in itertools.product(range(rounds + 1), CLIENTS, clients.items()):
            seconds = _edit(pool, browsers[:count], batch)
            if number:  # The first round warms up.
                times.setdefault((*place, count), []).append(seconds / batch / count)
    return {place: statistics.median(seconds) for place, seconds in times.items()}


def _edit(pool: ThreadPoolExecutor, browsers: Sequence[Client], batch: int) -> float:
    """Return the seconds in which each browser, all at once, has edited its user `batch` times."""
    prepared: list[tuple[Client, list[bytes]]] = [(browser, browser.posts(batch)) for browser in browsers]

    def work(both: tuple[Client, list[bytes]]) -> Any:
        browser, requests = both
        for request in requests:
            browser.send(request, 303)

    started = time.perf_counter()
    list(pool.map(work, prepared))
    return time.perf_counter() - started
