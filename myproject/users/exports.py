"""All users of the list as CSV: in the browser `/users/export.csv`, in a shell `export_users`.

What the list shows, an export has: the same search, filters and order, read by listing/stream.py.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from pyramid.httpexceptions import HTTPBadRequest
from pyramid.response import Response
from pyramid.view import view_config
from sqlalchemy.orm import Session, sessionmaker

from ..db import reading
from ..web.csv import defuse
from ..web.exports import csv_response, write_moment
from ..web.i18n import _
from ..web.request import Request
from .bulk import find_selection
from .bulk.models import is_selected
from .fields import FIELDS
from .listing.criteria import Among
from .listing.display import LAST_SIGN_IN, columns_for, display_of
from .listing.stream import stream_list
from .listing.view import View, read_view
from .models import users

# The fields of the record: an import takes such a file as it is.
RECORD = tuple(field.name for field in FIELDS)
JOINED = "joined"
COLUMN_CHOICES = {
    "record": _("As for an import"),
    "shown": _("As in the list"),
    "all": _("All"),
}
ALL = (*RECORD, JOINED, LAST_SIGN_IN)
# Returns when each of the users with these ids signed in last.
LastSignIns = Callable[[Sequence[int], Session], Mapping[int, datetime]]


@view_config(route_name="users.export", request_method="GET", permission="export")
def export(request: Request) -> Response:
    """Send all users of the list that the address asks for."""
    (view, among), columns = read_chosen(request), chosen_columns(request)
    factory, last_sign_ins = request.registry["dbsession_factory"], request.last_sign_ins
    return csv_response(
        request, "users", columns, stream_cells(factory, view, request.time_zone, columns, last_sign_ins, among)
    )


def read_chosen(request: Request) -> tuple[View, Sequence[Among]]:
    """Return the View of the address, or with `?selection=7` that of a selection and the set of its users."""
    if "selection" in request.GET:
        selection = find_selection(request, request.GET["selection"])
        # The page before has named these users, and said what of the search was not understood.
        return selection.view, [Among(partial(is_selected, selection.id))]
    return require_understood(read_view(request.GET)), []


def require_understood(view: View) -> View:
    """Return `view`, or raise `HTTPBadRequest` if a term of it was not understood.

    The list says so beside what it found, and a file cannot.
    """
    if view.notes:
        raise HTTPBadRequest(view.notes[0])
    return view


def chosen_columns(request: Request) -> Sequence[str]:
    """Return the names of the columns that the address chooses, one of COLUMN_CHOICES."""
    choice = request.GET.get("columns", "record")
    if choice not in COLUMN_CHOICES:
        raise HTTPBadRequest()
    if choice == "shown":
        return "name", *display_of(request).columns
    return RECORD if choice == "record" else [name for name in ALL if name in RECORD or name in columns_for(request)]


def stream_cells(
    factory: sessionmaker[Session],
    view: View,
    zone: ZoneInfo,
    columns: Sequence[str],
    last_sign_ins: LastSignIns,
    among: Sequence[Among] = (),
) -> Iterator[Sequence[Sequence[Any]]]:
    """Yield the users of a view in chunks, each a list of rows with the cells of `columns`, moments in `zone`.

    With `among`, only those of them who are in these sets.
    """
    read = [
        users.c.created_at if name == JOINED else users.c.id if name == LAST_SIGN_IN else users.c[name]
        for name in columns
    ]
    for chunk in stream_list(factory, view, zone, read, among):
        values = dict(zip(columns, chunk, strict=True))
        if LAST_SIGN_IN in values:
            with reading(factory) as dbsession:
                moments = last_sign_ins(values[LAST_SIGN_IN], dbsession)
            values[LAST_SIGN_IN] = [moments.get(user_id) for user_id in values[LAST_SIGN_IN]]
        yield list(zip(*(_write(name, values[name], zone) for name in columns), strict=True))


def _write(column: str, values: Sequence[Any], zone: ZoneInfo) -> Sequence[Any]:
    if column in ("name", "email"):
        return [text and defuse(text) for text in values]
    if column == "active":
        return ["true" if is_active else "false" for is_active in values]
    if column in (JOINED, LAST_SIGN_IN):
        return [moment and write_moment(moment, zone) for moment in values]
    return values
