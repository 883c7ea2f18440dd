"""What it saves the primary that pages read from a standby: seconds of each page, and of the processors."""

import os
import statistics
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from tests.standby import running_pair

from .client import Client
from .databases import SMALL_ROWS, make_users
from .servers import application, serving

PRIMARY, STANDBY = "from the primary", "from the standby"


class Figures(NamedTuple):
    """The seconds of a page until its answer, and of the processor in each of the three processes."""

    answer: float
    server: float
    primary: float
    standby: float


def measure(rounds: int, batch: int) -> dict[str, Figures]:
    """Return the Figures of the list of 25 of SMALL_ROWS users, by where it is read from; servers take turns."""
    with running_pair() as pair:
        make_users(pair.primary.url(), SMALL_ROWS)
        url, reading_url = pair.primary.url(), pair.standby.url()
        with serving(application, "ours", url) as alone, serving(application, "ours", url, reading_url) as both:
            servers = {PRIMARY: alone, STANDBY: both}
            clients = {where: Client(port) for where, (port, _) in servers.items()}
            answers: dict[str, list[float]] = {where: [] for where in servers}
            used: dict[str, list[tuple[float, ...]]] = {where: [] for where in servers}
            for number in range(rounds + 1):
                for where, client in clients.items():
                    before = _used(servers[where][1], pair)
                    seconds = _batch(client, batch)
                    if number:  # The first round warms up.
                        answers[where].append(seconds / batch)
                        after = _used(servers[where][1], pair)
                        used[where].append(tuple((new - old) / batch for old, new in zip(before, after, strict=True)))
    return {
        where: Figures(statistics.median(answers[where]), *map(statistics.mean, zip(*used[where], strict=True)))
        for where in servers
    }


def _batch(client: Client, count: int) -> float:
    requests, started = client.gets(count), time.perf_counter()
    for request in requests:
        client.send(request, 200)
    return time.perf_counter() - started


def _used(server: int, pair: Any) -> tuple[float, float, float]:
    return _processor([server]), _processor(pair.primary.processes()), _processor(pair.standby.processes())


def _processor(processes: Iterable[int]) -> float:
    """Return the seconds of the processor that these processes have used so far, with their children that ended."""
    ticks = 0
    for process in processes:
        # utime, stime, cutime and cstime are the fields 14 to 17 of proc(5), of which the second one is in brackets.
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")
