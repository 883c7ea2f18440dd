"""The page `/overview`, and what the database counts for it."""

import datetime
from collections.abc import Iterable
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from pyramid.view import view_config
from sqlalchemy import Connection, ScalarSelect, Select, case, func, select
from sqlalchemy.orm import Session

from ..models import Post, User
from ..users.fields import ROLE_NAMES
from ..web.days import END_OF_TIME, day_of, start_of_day
from ..web.i18n import _, format_month
from ..web.request import Request
from .counting import read_figures

# The name under which the figures are stored. Another shape of them needs another name.
NAME = "overview"
# Up to this many users, and posts, the page counts them itself, which takes some milliseconds.
LARGEST_SMALL = 10_000
# A page without figures is loaded again after this many seconds.
RELOAD_SECONDS = 2
MAX_MONTHS = 24
YEARS_PER_BAND = 10
# Users of this age and older are one band.
OLDEST_BAND = 90

# The counts are plain Core, on the tables.
users, posts = User.__table__, Post.__table__


@view_config(route_name="overview", request_method="GET", renderer="overview/overview.jinja2")
def overview(request: Request) -> dict[str, Any]:
    """Show the figures as charts and as tables; among many users, those that were counted last."""
    count = partial(count_figures, zone=request.time_zone)
    if is_small(request.dbsession):
        return {"counted_at": None, **describe(request, count(request.dbsession))}
    stored = read_figures(request, f"{NAME} {request.time_zone}", count)
    figures = stored.load()
    if figures is None:
        request.response.headers["Refresh"] = str(RELOAD_SECONDS)
        return {"counted_at": None, "figures": None}
    return {"counted_at": stored.counted_at, "is_recent": stored.is_recent, **describe(request, figures)}


def is_small(dbsession: Session) -> bool:
    """Return whether the users and posts can be counted for each page."""
    numbers = [
        select(func.count()).select_from(select(table.c.id).limit(LARGEST_SMALL + 1).subquery()).scalar_subquery()
        for table in (users, posts)
    ]
    return max(dbsession.execute(select(*numbers)).one()) <= LARGEST_SMALL


def count_figures(connection: Connection | Session, zone: ZoneInfo) -> dict[str, Any]:
    """Return the number of posts, and the users by role, age and month; the months are those of `zone`."""
    selects = {"roles": count_by_role(), "bands": count_by_age_band()}
    rows = {name: [list(row) for row in connection.execute(query)] for name, query in selects.items()}
    totals = select(func.count()).select_from(posts), select(func.max(users.c.created_at))
    number, newest = connection.execute(select(*(total.scalar_subquery() for total in totals))).one()
    return {"posts": number, "months": [list(row) for row in count_by_month(connection, newest, zone)], **rows}


def describe(request: Request, figures: dict[str, Any]) -> dict[str, Any]:
    """Return what the template shows of the `figures`."""
    return {
        "figures": figures,
        "users": sum(count for _role, count in figures["roles"]),
        "ages": [(age_band_label(lowest), count) for lowest, count in fill_age_bands(figures["bands"])],
        "roles": [(ROLE_NAMES[role], count) for role, count in figures["roles"]],
        "months": [(format_month(request, day), count) for day, count in fill_months(figures["months"])],
    }


def count_by_age_band() -> Select:
    """Select (lowest age of the band, users) by bands of ten years; the lowest age is NULL if no age is given."""
    band = case((users.c.age >= OLDEST_BAND, OLDEST_BAND), else_=users.c.age // YEARS_PER_BAND * YEARS_PER_BAND)
    return select(band, func.count()).group_by(band).order_by(band.is_(None), band)


def fill_age_bands(rows: Iterable[Any]) -> list[tuple[int | None, int]]:
    """Return (lowest age, users) of each band from the first to the last of `rows`, with 0 for the empty ones."""
    counts = dict(rows)
    ages = [lowest for lowest in counts if lowest is not None]
    bands = range(min(ages), max(ages) + 1, YEARS_PER_BAND) if ages else range(0)
    without_age = [(None, counts[None])] if None in counts else []
    return [*((lowest, counts.get(lowest, 0)) for lowest in bands), *without_age]


def age_band_label(lowest: int | None) -> str:
    """Return the label of an age band: 20–29."""
    if lowest is None:
        return _("Not given")
    if lowest == OLDEST_BAND:
        return _("${age} and older", mapping={"age": lowest})
    return f"{lowest}–{lowest + YEARS_PER_BAND - 1}"


def count_by_role() -> Select:
    """Select (role, users), the most frequent role first."""
    count = func.count()
    return select(users.c.role, count).group_by(users.c.role).order_by(count.desc(), users.c.role)


def count_by_month(
    connection: Connection | Session, newest: datetime.datetime | None, zone: ZoneInfo
) -> list[tuple[int, int, int]]:
    """Return (year, month, users who joined in it), the newest first, without empty months.

    They are the MAX_MONTHS months of `zone` up to the moment `newest`, `None` if there are no users. Each is counted
    between two moments, along the index by which the list is sorted, so that the database need not know any time zone.
    """
    if newest is None:
        return []
    last = day_of(newest, zone)
    numbers = [last.year * 12 + last.month - 1 - number for number in range(MAX_MONTHS)]
    months = [divmod(number, 12) for number in numbers if number >= 12]
    starts = [start_of_day(datetime.date(year, month + 1, 1), zone) for year, month in months]
    counts = connection.execute(select(*map(count_between, starts, [END_OF_TIME, *starts]))).one()
    return [(year, month + 1, count) for (year, month), count in zip(months, counts, strict=True) if count]


def count_between(start: datetime.datetime, end: datetime.datetime) -> ScalarSelect[int]:
    """Return the subquery for the number of users who joined from `start` on and before `end`."""
    joined = users.c.created_at
    return select(func.count()).select_from(users).where(joined >= start, joined < end).scalar_subquery()


def fill_months(rows: Iterable[Any]) -> list[tuple[datetime.date, int]]:
    """Return (first day, users) of up to `MAX_MONTHS` months to the newest of `rows`, with 0 for the empty ones."""
    # Months are numbered from year 0, so that the next month is one more.
    counts = {year * 12 + month - 1: count for year, month, count in rows}
    newest = max(counts, default=-1)
    oldest = max(min(counts, default=0), newest - MAX_MONTHS + 1)
    return [
        (datetime.date(month // 12, month % 12 + 1, 1), counts.get(month, 0)) for month in range(oldest, newest + 1)
    ]
