"""Megabytes that a server process holds after its first requests, and after many more."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .client import Client
from .servers import application, serving

EARLY = 1000


def measure(makers, count):
    """Return `{kind of database: (megabytes after EARLY requests, after count)}`.

    Half of the requests are lists, half edits. The servers run side by side: it is not time that is measured.
    """
    with ThreadPoolExecutor() as pool:
        results = [(kind, pool.submit(_watch, make("memory"), count)) for kind, make in makers.items()]
        return {kind: result.result() for kind, result in results}


def _watch(url, count):
    with serving(application, "ours", url) as (port, process):
        client = Client(port)
        _send(client, EARLY)
        early = _resident(process)
        _send(client, count - EARLY)
        return early, _resident(process)


def _send(client, count):
    for _ in range(count // 2):
        client.send(client.gets(1)[0], 200)
        client.send(client.posts(1)[0], 303)


def _resident(process):
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024
