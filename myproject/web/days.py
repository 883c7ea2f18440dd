"""Days: which moments belong to one, in which time zone, the site's or that of the person who is signed in.

The database stores moments. Days are what people read, type and choose; they become moments, and back, only here.
"""

import re
from bisect import bisect_left
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

from pyramid.config import Configurator

from .request import Request

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
FIRST_MOMENT, END_OF_TIME = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
# The regions of the IANA database; the other names are aliases and fixed offsets.
REGIONS = r"(Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Europe|Indian|Pacific)/.+|UTC"


def includeme(config: Configurator) -> None:
    """Add `request.time_zone`."""
    config.add_request_method(time_zone_of, "time_zone", property=True)


def time_zone_of(request: Request) -> ZoneInfo:
    """Return the time zone that the person has chosen who is signed in, or that of the site, `myproject.timezone`.

    A name that another version of the time zones knew, and this one does not, counts as no choice.
    """
    chosen = request.known_identity.time_zone if request.known_identity else None
    return ZoneInfo(chosen) if chosen in time_zone_names() else request.registry.settings["myproject.timezone"]


@cache
def time_zone_names() -> tuple[str, ...]:
    """Return the IANA names to choose from, sorted: those of regions, such as `Asia/Seoul`, and `UTC`."""
    return tuple(sorted(name for name in available_timezones() if re.fullmatch(REGIONS, name)))


def in_zone(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return `moment` with the date and time of `zone`, or in UTC if the year would be 0 or 10000."""
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment.astimezone(UTC)


@lru_cache(4096)
def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Return the first moment of `day` in `zone`, in UTC.

    Where clocks are put forward at midnight, a day begins later, and a day that a zone has skipped is empty: it begins
    when the next one does. Where midnight occurs twice, a day begins at the first. The first day of the calendar has
    no moment before it.
    """
    if day == date.min:
        return FIRST_MOMENT
    midnight = datetime.combine(day, time(), zone)
    start, other = (midnight.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if start <= other:
        return start
    # The clocks skip this midnight, after `other` and not after `start`: PEP 495.
    seconds = range((start - other) // SECOND)
    return other + SECOND * bisect_left(seconds, day, key=lambda number: in_zone(other + number * SECOND, zone).date())


def start_of_next_day(day: date, zone: ZoneInfo) -> datetime:
    """Return the first moment after `day` in `zone`, in UTC; for the last day of the calendar its last moment."""
    return END_OF_TIME if day == date.max else start_of_day(day + DAY, zone)


def day_of(moment: datetime, zone: ZoneInfo) -> date:
    """Return the day of `zone` to which `moment` belongs.

    It is the date of the zone's clocks, unless they were put back over a midnight: a day that has begun goes on.
    """
    day = in_zone(moment, zone).date()
    return day + DAY if day < date.max and moment >= start_of_next_day(day, zone) else day
