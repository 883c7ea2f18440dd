"""A record as of a moment: the values that the ledger, or else the record itself, has of it."""

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from pyramid.i18n import TranslationString
from sqlalchemy.orm import Session

from ..db.base import utcnow
from ..web.i18n import _
from .access import Record
from .labels import read_moment
from .reading import first_change, last_change, start_of_history

# As a field of the type `datetime-local` sends it.
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?")

NO_MOMENT = _("“${text}” is not a date with a time. Enter one like 2026-12-01T10:00.")
IN_FUTURE = _("This moment is in the future. The record is shown as it is now.")
NOT_YET = _("The record did not exist yet.")
WAS_DELETED = _("The record was deleted at that time.")
WAS_ERASED = _("The values of that time were permanently erased.")
BEFORE_HISTORY = _("The history did not begin until later. These are the oldest known values.")


@dataclass(frozen=True)
class State:
    """A record at the moment `at`, its recorded `values` by column if it existed, and what there is to say."""

    at: datetime.datetime | None
    note: TranslationString | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


def state_of(dbsession: Session, record: Record, text: str, zone: ZoneInfo) -> State:
    """Return the State of a record at the moment that a person has entered as `text`, in `zone`."""
    at = read_local_moment(text, zone)
    if at is None:
        shown = text if len(text) <= 50 else f"{text[:50]}…"
        return State(None, TranslationString(NO_MOMENT, mapping={"text": shown}))
    last = last_change(dbsession, record.key, until=at)
    if last is None:
        return state_before_changes(dbsession, record, at)
    return state_from(at, last.after, WAS_DELETED, IN_FUTURE if at > utcnow() else None)


def state_before_changes(dbsession: Session, record: Record, at: datetime.datetime) -> State:
    """Return the State of a record at a moment before its first recorded change."""
    first = first_change(dbsession, record.key)
    values = first.before if first is not None else record.values
    created_at = read_moment((values or {}).get("created_at"))
    if created_at is not None and created_at > at:
        return State(at, NOT_YET)
    start = start_of_history(dbsession)
    is_before_history = start is None or at < start
    return state_from(at, values, NOT_YET, BEFORE_HISTORY if is_before_history else None)


def state_from(
    at: datetime.datetime,
    values: Mapping[str, Any] | None,
    note_if_missing: TranslationString,
    note: TranslationString | None,
) -> State:
    """Return the State with these values; they are `None` if there was no record, and empty if they were erased."""
    if values is None:
        return State(at, note_if_missing)
    return State(at, note, values) if values else State(at, WAS_ERASED)


def read_local_moment(text: str, zone: ZoneInfo) -> datetime.datetime | None:
    """Return the moment, in UTC, at which the clocks of `zone` show what `text` says, or `None`.

    Of two such moments it is the first one. At a time that the clocks skip, they are put forward.
    """
    try:
        local = datetime.datetime.fromisoformat(text) if MOMENT.fullmatch(text) else None
        return local.replace(tzinfo=zone).astimezone(datetime.UTC) if local else None
    except (ValueError, OverflowError):
        return None
