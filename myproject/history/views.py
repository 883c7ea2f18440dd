"""The pages that show the history."""

from typing import Any

from pyramid.view import view_config

from ..posts.models import Post
from ..users.models import User
from ..web.days import in_zone
from ..web.i18n import _
from ..web.identity import identity_of
from ..web.request import Request
from .access import Record, sees_everything, visible_changes
from .as_it_was import state_of
from .filters import read_filters
from .labels import COMMANDS, KIND_NAMES, PAGE_NAMES, TABLE_NAMES, VERB_NAMES, origin_label
from .models import Entry
from .people import names_of
from .reading import changes_of_entry, changes_of_record, deleted_records, read_entries, start_of_history
from .showing import name_of_record, show_changes, show_entries, show_values

TEXTS = {"verbs": VERB_NAMES, "tables": TABLE_NAMES, "origin_label": origin_label}
DELETABLE = {"users": User, "posts": Post}


@view_config(route_name="history.list", request_method="GET", renderer="history/list.jinja2", permission="history")
def index(request: Request) -> dict[str, Any]:
    """List the entries that the address asks for, the newest first."""
    filters = read_filters(request.GET, identity_of(request).id)
    if len(filters.values) > 1:
        request.slow_advice = _("Remove a filter, then try again.")
    page = read_entries(request.dbsession, filters, request.time_zone, request.GET.get("cursor"))
    person = filters.person_id
    return {
        "filters": filters,
        "page": page,
        "entries": show_entries(request, page.rows),
        "start": start_of_history(request.dbsession),
        "person": names_of(request, [person]).get(person) if person is not None else None,
        "record": name_of_record(request, filters.record) if filters.record else None,
        "kinds": KIND_NAMES,
        "pages": PAGE_NAMES,
        "commands": COMMANDS,
        **TEXTS,
    }


@view_config(route_name="history.show", request_method="GET", renderer="history/show.jinja2", permission="history")
def show(entry: Entry, request: Request) -> dict[str, Any]:
    """Show one entry, and a page of its changes: of those that the person may see."""
    page = changes_of_entry(request.dbsession, entry, request.GET.get("cursor"), visible_changes(request))
    [shown], is_whole = show_entries(request, [entry]), sees_everything(request)
    return {"shown": shown, "is_whole": is_whole, "page": page, "changes": show_changes(request, page.rows), **TEXTS}


@view_config(route_name="users.history", request_method="GET", renderer="history/history.jinja2", permission="history")
@view_config(route_name="posts.history", request_method="GET", renderer="history/history.jinja2", permission="history")
def of_record(record: Record, request: Request) -> dict[str, Any]:
    """List the changes of one record, the newest first, and show the record as it was at a moment."""
    asked = request.GET.get("at", "").strip()
    state = state_of(request.dbsession, record, asked, request.time_zone) if asked else None
    page = changes_of_record(request.dbsession, record.key, request.GET.get("cursor"))
    return {
        "record": record,
        "page": page,
        "changes": show_changes(request, page.rows),
        "start": start_of_history(request.dbsession),
        "state": state,
        "values": show_values(request, record.key[0], state.values) if state else [],
        "at": in_zone(state.at, request.time_zone).replace(tzinfo=None) if state and state.at else None,
        "sees_everything": sees_everything(request),
        **TEXTS,
    }


@view_config(
    route_name="history.deleted", request_method="GET", renderer="history/deleted.jinja2", permission="history"
)
def deleted(request: Request) -> dict[str, Any]:
    """List the users, or the posts, that were deleted and do not exist now, the newest deletion first."""
    what = request.GET.get("what")
    table = what if what in DELETABLE else "users"
    page = deleted_records(request.dbsession, DELETABLE[table], request.GET.get("cursor"))
    start = start_of_history(request.dbsession)
    return {"table": table, "page": page, "changes": show_changes(request, page.rows), "start": start, **TEXTS}
