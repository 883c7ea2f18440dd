"""Resident memory of a server process, in megabytes, after its first requests and after many more."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .client import Client
from .databases import Makers
from .servers import application, serving

EARLY_REQUESTS = 1000


def measure(makers: Makers, count: int) -> dict[str, tuple[float, float]]:
    """Return `{kind of database: (MB after EARLY_REQUESTS, MB after count)}`.

    Half of the requests are lists, half edits. The servers run at the same time, since time is not measured.
    """
    with ThreadPoolExecutor() as pool:
        results = [(kind, pool.submit(_watch, make("memory"), count)) for kind, make in makers.items()]
        return {kind: result.result() for kind, result in results}


def _watch(url: str, count: int) -> tuple[float, float]:
    with serving(application, "ours", url) as (port, process_id):
        client = Client(port)
        _send(client, EARLY_REQUESTS)
        early = resident_megabytes(process_id)
        _send(client, count - EARLY_REQUESTS)
        return early, resident_megabytes(process_id)


def _send(client: Client, count: int) -> None:
    for _ in range(count // 2):
        client.send(client.gets(1)[0], 200)
        client.send(client.posts(1)[0], 303)


def resident_megabytes(process_id: int) -> float:
    """Return the memory of a process now."""
    return _read_megabytes(process_id, "VmRSS")


def peak_megabytes(process_id: int) -> float:
    """Return the most memory that a process has had."""
    return _read_megabytes(process_id, "VmHWM")


def _read_megabytes(process_id: int, name: str) -> float:
    status = Path(f"/proc/{process_id}/status").read_text(encoding="utf-8")
    found = re.search(rf"{name}:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1024
