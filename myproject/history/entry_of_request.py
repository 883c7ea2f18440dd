"""Finds the entry of a request, for the panel of the debug toolbar that shows what a request did."""

from pyramid.config import Configurator
from sqlalchemy import select

from ..db import read_rows
from ..web.request import Request
from .models import Entry

# How many of the newest entries are searched: the toolbar remembers 100 requests.
NEWEST_ENTRIES = 100


def includeme(config: Configurator) -> None:
    """Tell how to find the entry of a request, in a registry key: nobody imports the history."""
    config.registry["entry_path_of"] = entry_path_of


def entry_path_of(request: Request) -> str | None:
    """Return the path of the entry of what `request` has changed, after its transaction; `None` if it is nothing."""
    newest = select(Entry.id, Entry.request_id).order_by(Entry.id.desc()).limit(NEWEST_ENTRIES).subquery()
    found = read_rows(
        request.registry["dbsession_factory"], select(newest.c.id).where(newest.c.request_id == request.id)
    )
    return request.route_path("history.show", id=found[0].id) if found else None
