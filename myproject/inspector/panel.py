"""The panel "Transaction" of pyramid_debugtoolbar: what has become of a request's transaction, and why."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from pyramid.request import Request
from pyramid.response import Response
from pyramid_debugtoolbar.panels import DebugPanel
from pyramid_debugtoolbar.toolbar import DebugToolbar
from sqlalchemy.exc import SQLAlchemyError

from ..db.outcome import COMMITTED, READ_ONLY, REFUSED, ROLLED_BACK, UNKNOWN
from . import recording
from .chart import Chart
from .events import ATTEMPT, CONTROL, STATEMENT, Attempt, Change, Event
from .record import Record
from .sql import shorten_sql

# The sign of an outcome, beside its colour, and the sign of all others.
SIGNS = {COMMITTED: "✓", READ_ONLY: "R", ROLLED_BACK: "↩", REFUSED: "✕", UNKNOWN: "?"}
NO_SIGN = "–"
Handler = Callable[[Request], Response]


class TransactionPanel(DebugPanel):
    """Records a request and shows the record, which the attempts of a request that is tried again share."""

    name = "transaction"
    title = nav_title = "Transaction"
    has_content = True
    template = f"{__package__}:panel.dbtmako"

    def __init__(self, request: Request) -> None:
        """Take the request. The toolbar makes a panel for each attempt."""
        self.request = request
        self.attempt = request.environ.get("retry.attempt", 0) + 1
        self.client = (request.remote_addr, request.user_agent)
        self.requested_url = unquote(request.url)
        # Where the answer leads to, if it is a redirect.
        self.location: str | None = None

    @property
    def record(self) -> Record:
        """The record of the request. What happens after the answer is added to it later."""
        return recording.record_of(self.request)

    @property
    def nav_subtitle(self) -> str:
        """The outcome in short, for the tab: "committed, 5", where 5 is the number of statements."""
        return f"{self.record.kind}, {self.record.statement_count}"

    @property
    def nav_subtitle_style(self) -> str:
        """The class of the colour of the outcome."""
        return style_of_outcome(self.record)

    def wrap_handler(self, handler: Handler) -> Handler:
        """Return `handler`, recorded."""
        recorded = recording.record(handler)

        def noting_location(request: Request) -> Response:
            response = recorded(request)
            if 300 <= response.status_int < 400 and response.location:
                self.location = unquote(urldefrag(urljoin(request.url, response.location)).url)
            return response

        return noting_location

    def render_vars(self, request: Request) -> dict[str, Any]:
        """Return the values of the template. `request` is the one that shows the panel."""
        record, history = self.record, request.pdtb_history
        return {
            "record": record,
            "style": style_of_outcome(record),
            "sign": SIGNS.get(record.kind, NO_SIGN),
            "attempt": self.attempt,
            "location": self.location and self.location.replace(f"{self.request.host_url}/", "/", 1),
            "entry_path": self.find_entry(),
            "redirects": [
                (request.route_url("debugtoolbar.request", request_id=number), panel.record)
                for number, panel in self.find_redirects(history)
            ],
            "changes": group_by_end(record),
            "database_ms": sum(statement.took_ms or 0 for statement in record.statements),
            "groups": group_by_attempt(record),
            # Of one attempt: each further attempt takes another connection anyway.
            "has_several_connections": len(record.connections) > len(record.attempts),
            "chart": Chart(record),
            "sql_kinds": (STATEMENT, CONTROL),
            "style_of_outcome": style_of_outcome,
            "count": count,
            "shorten_sql": shorten_sql,
            "row_count": row_count,
            "milliseconds": milliseconds,
        }

    def find_entry(self) -> str | None:
        """Return the path of what the request has written to the ledger, if the application keeps one."""
        find = self.request.registry.get("entry_path_of")
        if find is not None and self.record.kind == COMMITTED:
            # The panel is of use without the database, too.
            with contextlib.suppress(SQLAlchemyError):
                return find(self.request)
        return None

    def find_redirects(self, history: Iterable[tuple[str, DebugToolbar]]) -> Iterator[tuple[str, "TransactionPanel"]]:
        """Yield the requests of this client whose redirects led to this one, the last one first, with their panels.

        Only the first request after a redirect was led here by it: a page that is loaded again was not.
        """
        url = self.requested_url
        for number, panel in panels_before(self, history):
            if panel.client != self.client:
                continue
            if panel.location == url:
                yield number, panel
                url = panel.requested_url
            elif panel.requested_url == url and panel.request.method == "GET":
                return


def panels_before(panel: TransactionPanel, history: Iterable[tuple[str, DebugToolbar]]) -> Iterator[tuple[str, Any]]:
    """Yield the panels of the requests before that of `panel`, the newest first, with the numbers of their pages."""
    # A copy: other threads add their requests meanwhile.
    entries = iter(list(history))
    for _number, toolbar in entries:
        if panel in toolbar.panels:
            break
    for number, toolbar in entries:
        yield from ((number, other) for other in toolbar.panels if other.name == panel.name)


def group_by_attempt(record: Record) -> list[tuple[Attempt, list[Event]]]:
    """Return the attempts, each with its events."""
    events = [event for event in record.events if event.kind != ATTEMPT]
    return [(attempt, [event for event in events if event.attempt == attempt.number]) for attempt in record.attempts]


def group_by_end(record: Record) -> list[tuple[str, list[Change]]]:
    """Return the changes of the last attempt, those that were saved and those that were not, each with a title."""
    # Not by the outcome: what is written in a separate transaction stays.
    committed = {transaction.connection for transaction in record.transactions if transaction.is_committed}
    saved: list[Change] = []
    unsaved: list[Change] = []
    for change in record.changes:
        # Those of an attempt before were rolled back.
        if change.attempt == record.attempt.number:
            (saved if change.connection in committed else unsaved).append(change)
    not_saved = "perhaps saved" if record.kind == UNKNOWN else "not saved"
    return [("What the session held", saved), (f"What the session held, {not_saved}", unsaved)]


def style_of_outcome(record: Record) -> str:
    """Return the class of the colour of a record: "tx-rolled-back", or "tx-wrong" for a mistake of the wiring."""
    return "tx-wrong" if record.diagnoses else f"tx-{record.kind.replace(' ', '-')}"


def row_count(event: Event) -> str:
    """Return the number of rows of a statement, or an empty text."""
    rows = getattr(event, "rows", None)
    return "" if rows is None else f"{rows:,}"


def count(number: int, noun: str) -> str:
    """Return a number with its noun: "1 statement", "3 statements"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def milliseconds(value: float) -> str:
    """Return a time as text: "0.43 ms", "12.3 ms", "1,250 ms"."""
    digits = 2 if value < 1 else 1 if value < 100 else 0
    return f"{value:,.{digits}f} ms"
