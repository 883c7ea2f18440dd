"""Who may see which part of the history: the contexts of its pages, and the changes of an entry that a person may see.

Editors and administrators see everything but the private saved views of others. Members see the history of their own
record and posts, and of an entry only those changes.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pyramid.authorization import Allow
from pyramid.httpexceptions import HTTPForbidden, HTTPNotFound
from sqlalchemy import ColumnElement, select

from ..db import Base, to_id
from ..security import SITE_ACL, Site, row_in_url
from ..users.models import User
from ..web.identity import identity_of
from ..web.request import Request
from .kinds import RecordKey
from .labels import title_of
from .models import Change, Entry
from .reading import last_change
from .recording import recorded_columns


class Record:
    """A user or a post, which may have been deleted: the context of the pages of its history."""

    def __init__(self, model: type[Base], record_id: int, row: Any, last: Change | None) -> None:
        """Take the `row` of the record, or `None`, and its `last` change, or `None`."""
        self.model, self.id, self.row, self.last = model, record_id, row, last

    @property
    def key(self) -> RecordKey:
        """The table and the id of the record."""
        return self.model.__tablename__, self.id

    @property
    def values(self) -> Mapping[str, Any]:
        """The recorded columns of the record: as they are now, or were at last."""
        if self.row is not None:
            return {name: getattr(self.row, name) for name in recorded_columns(self.model)}
        return (self.last.after or self.last.before or {}) if self.last else {}

    @property
    def title(self) -> str:
        """The name or title; empty if it was erased."""
        return title_of(self.model.__tablename__, self.values)

    def __acl__(self) -> list[tuple[str, str, list[str]]]:
        """Return the permissions on the history: users see that of their own record and of their posts."""
        owner = self.id if self.model is User else self.values.get("author_id")
        return [*SITE_ACL, (Allow, f"user:{owner}", ["history"])]


def record_in_url(model: type[Base]) -> Callable[[Request], Record]:
    """Return the factory of the Record with the id in the URL; it raises `HTTPNotFound` if there never was any."""

    def factory(request: Request) -> Record:
        # Strangers get the same answer for every id.
        if request.identity is None:
            raise HTTPForbidden()
        record_id = to_id(request.matchdict["id"])
        if record_id is None:
            raise HTTPNotFound()
        row = request.dbsession.get(model, record_id)
        last = last_change(request.dbsession, (model.__tablename__, record_id))
        if row is None and last is None:
            raise HTTPNotFound()
        return Record(model, record_id, row, last)

    return factory


def entry_in_url(request: Request) -> Entry:
    """Return the Entry with the id in the URL, or raise `HTTPNotFound`. Members may read it if it changes their own."""
    entry = row_in_url(request, Entry)
    if not sees_everything(request):
        of_own = select(Change.id).where(Change.entry_id == entry.id, *visible_changes(request)).limit(1)
        entry.readers = () if request.dbsession.scalar(of_own) is None else (identity_of(request).id,)
    return entry


def sees_everything(request: Request) -> bool:
    """Return whether the person may see the history of every record, not only of their own."""
    return bool(request.has_permission("history", Site(request)))


def visible_changes(request: Request) -> list[ColumnElement[bool]]:
    """Return the SQL conditions of the changes that the person may see: all, or those of what belongs to them."""
    return [] if sees_everything(request) else [Change.owner_id == identity_of(request).id]


def is_private(request: Request, change: Change) -> bool:
    """Return whether the change is of a saved view that was private, before or after, and is not the person's own."""
    if change.table_name != "saved_views":
        return False
    sides = [side for side in (change.before, change.after) if side]
    own_id = identity_of(request).id
    return any(not side.get("for_all") and side.get("user_id") != own_id for side in sides)


def undo_path(request: Request, entry: Entry, record: RecordKey | None = None) -> str | None:
    """Return the path of the page that undoes an entry, or one `record` of it; `None` if the person may not."""
    # Another program may have given a record an id that no URL can name.
    is_named = record is None or to_id(record[1]) is not None
    if not is_named or not request.has_permission("undo", entry):
        return None
    query = {"record": "-".join(map(str, record))} if record else None
    return request.route_path("history.undo", id=entry.id, _query=query)
