"""Who has saved a record last: for the page that merges two people's changes of it."""

from markupsafe import Markup

from ..db import Base
from ..web.i18n import _, format_moment
from ..web.rendering import isolate
from ..web.request import Request
from .labels import is_command
from .models import Entry
from .people import names_of
from .reading import last_change
from .words import fill_in

SAVED_BY = _("Saved by ${who} on ${moment}.")
SAVED_BY_DELETED = _("Saved by a deleted user on ${moment}.")
SAVED_BY_COMMAND = _("Saved by the command ${who} on ${moment}.")
SAVED_BY_PROGRAM = _("Saved by another program on ${moment}.")


def last_saved_by(request: Request, record: Base) -> Markup | None:
    """Return the sentence who has saved `record` last, and when; `None` if the ledger does not know."""
    last = last_change(request.dbsession, (record.__tablename__, record.id))  # type: ignore[attr-defined]
    return None if last is None else tell_save(request, last.entry)


def tell_save(request: Request, entry: Entry) -> Markup:
    """Return the sentence by whom, and when, the changes of `entry` were saved."""
    moment = format_moment(request, entry.created_at)
    if entry.actor_id is not None:
        name = names_of(request, [entry.actor_id]).get(entry.actor_id)
        return fill_in(request, SAVED_BY if name else SAVED_BY_DELETED, who=isolate(name), moment=moment)
    if entry.route is not None and is_command(request, entry.route):
        return fill_in(request, SAVED_BY_COMMAND, who=isolate(entry.route), moment=moment)
    return fill_in(request, SAVED_BY_PROGRAM, moment=moment)
