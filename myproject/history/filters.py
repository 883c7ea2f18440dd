"""What the history is asked for: the entries that an address describes."""

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from pyramid.i18n import TranslationString

from ..db import to_id
from ..web.i18n import _
from .kinds import KINDS, Kind, RecordKey
from .models import ROUTE_LENGTH

PARAMETERS = ("who", "what", "route", "record", "from", "to")
# Values of `who` other than a person's id.
ME, PROGRAM = "me", "program"
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
RECORD = re.compile(r"([a-z_]{1,63})-([0-9]{1,10})")

NOT_UNDERSTOOD = _("“${text}” was not understood, so this filter is not applied.")
NO_DATE = _("“${text}” is not a date, so this filter is not applied.")


@dataclass(frozen=True)
class Filters:
    """Conditions that an entry has to meet, all of them; `None` and `False` are no condition.

    `values` are the parameters of the address that were understood, `notes` say which were not.
    """

    person_id: int | None = None
    is_of_program: bool = False
    kind: Kind | None = None
    route: str | None = None
    record: RecordKey | None = None
    first_day: datetime.date | None = None
    last_day: datetime.date | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[TranslationString, ...] = ()

    @cached_property
    def query(self) -> str:
        """The query string of the list; it tells the cursors of one list from those of another, too."""
        return urlencode(self.values)

    @property
    def has_days(self) -> bool:
        """Whether the entries are limited to some days."""
        return self.first_day is not None or self.last_day is not None

    def query_without(self, *names: str) -> str:
        """Return the query string without the filters `names`."""
        return urlencode({name: text for name, text in self.values.items() if name not in names})


def read_filters(asked: Mapping[str, str], own_id: int) -> Filters:
    """Return the Filters of the parameters `asked`; `own_id` is the id of the person who asks."""
    given = {name: asked[name].strip() for name in PARAMETERS if asked.get(name, "").strip()}
    found: dict[str, Any] = {
        "person_id": own_id if given.get("who") == ME else to_id(given.get("who")),
        "is_of_program": given.get("who") == PROGRAM,
        "kind": KINDS.get(given.get("what", "")),
        "route": read_route(given.get("route", "")),
        "record": read_record(given.get("record", "")),
        "first_day": read_day(given.get("from", "")),
        "last_day": read_day(given.get("to", "")),
    }
    understood = {
        "who": found["person_id"] is not None or found["is_of_program"],
        "what": found["kind"],
        "route": found["route"],
        "record": found["record"],
        "from": found["first_day"],
        "to": found["last_day"],
    }
    values = {name: text for name, text in given.items() if understood[name]}
    notes = tuple(note(name, text) for name, text in given.items() if name not in values)
    return Filters(**found, values=values, notes=notes)


def note(name: str, text: str) -> TranslationString:
    """Return the sentence that `text` was not understood as the filter `name`."""
    shown = text if len(text) <= 50 else f"{text[:50]}…"
    return TranslationString(NO_DATE if name in ("from", "to") else NOT_UNDERSTOOD, mapping={"text": shown})


def read_record(text: str) -> RecordKey | None:
    """Return the table and the id of a record such as `users-7`, or `None`."""
    match = RECORD.fullmatch(text)
    number = to_id(match[2]) if match else None
    return (match[1], number) if match and number is not None else None


def read_route(text: str) -> str | None:
    """Return the name of a page or command, or `None` if there can be none of this name."""
    return text if len(text) <= ROUTE_LENGTH and re.fullmatch(r"[\w.]+", text) else None


def read_day(text: str) -> datetime.date | None:
    """Return the day that `text` says, such as 2026-12-01, or `None`."""
    try:
        return datetime.date.fromisoformat(text) if DAY.fullmatch(text) else None
    except ValueError:
        return None
