"""The names of the people of a page of the history, by one query, and by another one for those who are deleted."""

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import func, select

from ..users.models import User
from ..web.request import Request
from .labels import PERSON_COLUMNS, title_of
from .models import Change, Entry


def people_in(entries: Iterable[Entry], changes: Iterable[Change | None]) -> set[int]:
    """Return the ids of the users whom entries and changes name: who made them, authors, owners of saved views."""
    ids = {entry.actor_id for entry in entries}
    for change in changes:
        for values in (change.before, change.after) if change else ():
            ids |= {(values or {}).get(column) for column in PERSON_COLUMNS}
    return {number for number in ids if isinstance(number, int)}


def names_of(request: Request, ids: Collection[int]) -> dict[int, str]:
    """Return the names of users by id: of deleted ones the last name. Those who were erased are missing."""
    if not ids:
        return {}
    found = select(User.id, User.name, User.email, User.active).where(User.id.in_(ids))
    names = {user.id: request.name_of(user) for user in request.dbsession.execute(found)}
    return {**_last_names(request, set(ids) - names.keys()), **names}


def _last_names(request: Request, ids: Collection[int]) -> dict[int, str]:
    if not ids:
        return {}
    of_users = Change.table_name == User.__tablename__, Change.record_id.in_(ids)
    last = select(func.max(Change.id)).where(*of_users).group_by(Change.record_id)
    rows: Any = request.dbsession.execute(
        select(Change.record_id, Change.before, Change.after).where(Change.id.in_(last))
    )
    names = {number: title_of(User.__tablename__, after or before) for number, before, after in rows}
    return {number: name for number, name in names.items() if name}
