"""Rows per second of an export through the server, beside the bare driver's cursor into Python's csv writer."""

import contextlib
import csv
import http.client
import io
import sqlite3
import statistics
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import sqlalchemy

from .client import Client
from .databases import large_databases
from .memory import peak_megabytes, resident_megabytes
from .servers import application, serving

EXPORT_PATH = "/users/export.csv"
# What the export reads by default, in its order.
QUERY = "SELECT name, email, age, role, active FROM users ORDER BY search_text, id"
# A word that one of twenty has, looked for along the order of the names.
SPARSE_PATH = f"{EXPORT_PATH}?q=kim&sort=name"
ROWS_AT_A_TIME = 1000
# Bytes of the csv writer's memory, before they are thrown away.
MOST_BYTES = 1_000_000


class Figures(NamedTuple):
    """Rows per second of both, seconds to the first byte and of a sparse search, and megabytes above an idle server."""

    bare: float
    ours: float
    first_byte: float
    sparse: float
    megabytes: float


def measure(rows: int, rounds: int, cache: Path | None = None) -> dict[str, Figures]:
    """Return the Figures by kind of database, medians of `rounds`, in which both take turns."""
    with large_databases([rows], cache) as urls:
        return {kind: _measure(url, rounds) for (kind, _), url in urls.items()}


def _measure(url: str, rounds: int) -> Figures:
    times: dict[str, list[float]] = {"bare": [], "ours": [], "first_byte": [], "sparse": []}
    with serving(application, "ours", url) as (port, process_id):
        download = partial(_download, port, Client(port).cookie)
        download(f"{EXPORT_PATH}?q=role:admin+ada")
        idle, rows = resident_megabytes(process_id), _export_bare(url)
        for _ in range(rounds):
            times["bare"].append(_timed(lambda: _export_bare(url)))
            started = time.perf_counter()
            first_byte, lines = download(EXPORT_PATH)
            times["ours"].append(time.perf_counter() - started)
            times["first_byte"].append(first_byte)
            assert lines == rows + 1
            times["sparse"].append(_timed(lambda: download(SPARSE_PATH)))
        peak = peak_megabytes(process_id)
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    return Figures(
        rows / medians["bare"], rows / medians["ours"], medians["first_byte"], medians["sparse"], peak - idle
    )


def _timed(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _download(port: int, cookie: str, path: str) -> tuple[float, int]:
    """Return the seconds to the first byte of the body, and the number of its lines."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        started = time.perf_counter()
        connection.request("GET", path, headers={"Host": "localhost", "Cookie": cookie})
        answer = connection.getresponse()
        assert answer.status == 200
        answer.read(1)
        first_byte, lines = time.perf_counter() - started, 0
        while part := answer.read1(1_000_000):
            lines += part.count(b"\n")
        return first_byte, lines


def _export_bare(url: str) -> int:
    """Write all users by the driver alone; return how many they are."""
    address = sqlalchemy.make_url(url)
    if address.get_backend_name() == "sqlite":
        with contextlib.closing(sqlite3.connect(address.database or "")) as connection:
            return _write(connection.execute(QUERY))
    plain = address.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as connection, connection.cursor("export") as cursor:
        cursor.itersize = ROWS_AT_A_TIME
        cursor.execute(QUERY)
        return _write(cursor)


def _write(rows: Iterable[Any]) -> int:
    number, lines = 0, io.StringIO()
    writer = csv.writer(lines)
    for row in rows:
        number += 1
        writer.writerow(row)
        if lines.tell() > MOST_BYTES:
            lines.seek(0)
            lines.truncate()
    return number
