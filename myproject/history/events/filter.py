"""Which security events an address asks for: those of a person, of a kind, of a day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from pyramid.httpexceptions import HTTPBadRequest
from pyramid.i18n import TranslationString
from sqlalchemy import ColumnElement, or_

from ...db import to_id
from ...users.listing.search import Misread, read_days
from ...web.days import start_of_day, start_of_next_day
from ...web.i18n import _
from ...web.rules import without_invisible_characters
from .kinds import KINDS
from .models import SecurityEvent

NOT_A_FILTER = _("The list cannot be filtered by this. Choose one of the filters.")


@dataclass(frozen=True)
class EventFilter:
    """The person, the kind and the days that were asked for, and a note for the page if the day was mistyped.

    `values` are the parameters of the address that have a meaning.
    """

    values: Mapping[str, str]
    user_id: int | None
    kind: str | None
    days: tuple[date, date] | None
    note: TranslationString | None

    @property
    def query(self) -> str:
        """The query string of this filter."""
        return urlencode(self.values)

    def query_without(self, name: str) -> str:
        """Return the query string of this filter without one of its parameters."""
        return urlencode({other: text for other, text in self.values.items() if other != name})

    def conditions(self, zone: ZoneInfo) -> list[ColumnElement[bool]]:
        """Return the SQL conditions of the events; days are those of `zone`."""
        event, conditions = SecurityEvent, []
        if self.user_id is not None:
            conditions.append(or_(event.user_id == self.user_id, event.actor_id == self.user_id))
        if self.kind is not None:
            conditions.append(event.kind == self.kind)
        if self.days is not None:
            first, last = self.days
            conditions += [
                event.happened_at >= start_of_day(first, zone),
                event.happened_at < start_of_next_day(last, zone),
            ]
        return conditions


def read_filter(parameters: Mapping[str, str]) -> EventFilter:
    """Return the EventFilter that an address describes. Raises `HTTPBadRequest` for what no link or form sends."""
    given = {name: without_invisible_characters(parameters.get(name, "")) for name in ("user", "kind", "day")}
    values = {name: text for name, text in given.items() if text}
    user_id, kind = to_id(values.get("user")), values.get("kind")
    if ("user" in values and user_id is None) or kind not in {None, *KINDS}:
        raise HTTPBadRequest(NOT_A_FILTER)
    try:
        days, note = read_days(values["day"]) if "day" in values else None, None
    except Misread as error:
        days, note = None, error.args[0]
        del values["day"]
    return EventFilter(values, user_id, kind, days, note)
