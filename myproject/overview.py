"""The overview: how many users there are by age, by role and by month of joining, counted by the database."""

import datetime

from pyramid.view import view_config
from sqlalchemy import case, extract, func, select

from .models import Post, User
from .users.fields import ROLE_NAMES
from .web.i18n import _, format_month

MONTHS = 24

# Plain Core, on the tables and not the models, in the request's own transaction.
users, posts = User.__table__, Post.__table__


def includeme(config):
    """Add `/overview`."""
    config.add_route("overview", "/overview")
    config.scan(__name__)


@view_config(route_name="overview", request_method="GET", renderer="overview.jinja2")
def overview(request):
    """Show the figures, drawn and as tables."""
    execute = request.dbsession.execute
    roles = execute(users_by_role()).all()
    return {
        "users": sum(count for _role, count in roles),
        "posts": execute(select(func.count()).select_from(posts)).scalar(),
        "ages": [(age_band(lowest), count) for lowest, count in every_band(execute(users_by_age_band()).all())],
        "roles": [(ROLE_NAMES[role], count) for role, count in roles],
        "months": [(format_month(request, day), count) for day, count in every_month(execute(users_by_month()).all())],
    }


def users_by_age_band():
    """Select (lowest age of the band, users): bands of ten years, 90 and older in one, `None` for no age given."""
    band = case((users.c.age >= 90, 90), else_=users.c.age // 10 * 10)
    return select(band, func.count()).group_by(band).order_by(band.is_(None), band)


def every_band(rows):
    """Return (lowest age, users) of each band from the first of `rows` to the last, also of those without anybody."""
    counts = dict(rows)
    ages = [lowest for lowest in counts if lowest is not None]
    between = range(min(ages), max(ages) + 1, 10) if ages else []
    missing = [(None, counts[None])] if None in counts else []
    return [(lowest, counts.get(lowest, 0)) for lowest in between] + missing


def age_band(lowest):
    """Return the name of an age band: 20–29."""
    if lowest is None:
        return _("Not given")
    return _("${age} and older", mapping={"age": lowest}) if lowest == 90 else f"{lowest}–{lowest + 9}"


def users_by_role():
    """Select (role, users), the most frequent first."""
    count = func.count()
    return select(users.c.role, count).group_by(users.c.role).order_by(count.desc(), users.c.role)


def users_by_month():
    """Select (year, month, users who joined in it), in UTC, the newest `MONTHS` with anybody first."""
    year, month = extract("year", users.c.created_at), extract("month", users.c.created_at)
    return select(year, month, func.count()).group_by(year, month).order_by(year.desc(), month.desc()).limit(MONTHS)


def every_month(rows):
    """Return (first day, users) of each month up to the newest of `rows`, also of those in which nobody joined."""
    counts = {int(year) * 12 + int(month) - 1: count for year, month, count in rows}
    newest = max(counts, default=-1)
    oldest = max(min(counts, default=0), newest - MONTHS + 1)
    return [
        (datetime.date(month // 12, month % 12 + 1, 1), counts.get(month, 0)) for month in range(oldest, newest + 1)
    ]
