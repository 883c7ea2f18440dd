"""The answer of an export: CSV that is sent while it is read, and reported as a security event when it ends or breaks.

The browser shows a broken one as a download that failed: its last piece is missing.
"""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pyramid.response import Response

from ..db.after_answer import BodyThenWrite
from ..db.base import utcnow
from .csv import BYTE_ORDER_MARK, write_lines
from .days import day_of, in_zone
from .events import report_late_act
from .request import Request

Cells = Sequence[Any]


@dataclass
class Sent:
    """How many rows of an export were sent, and whether that is all."""

    rows: int = 0
    complete: bool = False


def csv_response(request: Request, name: str, header: Cells, chunks: Iterable[Sequence[Cells]]) -> Response:
    """Return a download of `chunks` of rows as the file `name`, with the day; `?bom=1` marks it as UTF-8 for Excel.

    The chunks are read after the request's transaction, so they come from sessions of their own (db/stream.py).
    """
    disposition = f'attachment; filename="{name}-{day_of(utcnow(), request.time_zone).isoformat()}.csv"'
    response = Response(content_type="text/csv", charset="UTF-8", content_disposition=disposition)
    if request.method == "GET":
        sent, report = Sent(), report_late_act(request, "exported")
        mark = BYTE_ORDER_MARK if request.GET.get("bom") else ""
        response.app_iter = BodyThenWrite(
            csv_lines(header, chunks, sent, mark),
            lambda: report(what=name, rows=sent.rows, complete=sent.complete),
        )
    return response


def write_moment(moment: datetime, zone: ZoneInfo) -> str:
    """Return `moment` on the clocks of `zone`, as spreadsheets read it: `2026-12-01 21:34:41`."""
    return in_zone(moment, zone).replace(tzinfo=None).isoformat(" ", "seconds")


def csv_lines(header: Cells, chunks: Iterable[Sequence[Cells]], sent: Sent, mark: str = "") -> Generator[bytes]:
    """Yield the header and `chunks` of rows as CSV, with `mark` before it, and count in `sent` what was yielded."""
    yield mark.encode() + write_lines([header])
    for rows in chunks:
        sent.rows += len(rows)
        yield write_lines(rows)
    sent.complete = True
