"""Removes the values of an erased person from the ledger, in the transaction that erases them."""

from typing import Any

from pyramid.events import subscriber
from sqlalchemy import ColumnElement, case, func, literal, or_, select, update
from sqlalchemy.orm import Session, aliased

from ..posts.models import Post
from ..users.erasing import UserErased
from ..users.models import User
from .models import Change
from .values import value_of

ERASED: dict[str, str] = {}


@subscriber(UserErased)
def erase_values(event: UserErased) -> None:
    """Empty every change of the person's record, of their posts and of their saved views."""
    empty_changes(event.dbsession, event.user_id)
    empty_given_posts(event.dbsession, event.user_id)


def empty_changes(dbsession: Session, owner_id: int) -> None:
    """Replace the values of each change of a record of this owner by `{}`: it still tells that there was one."""
    values = {column: emptied(getattr(Change, column)) for column in ("before", "after")}
    dbsession.execute(update(Change).where(Change.owner_id == owner_id).values(values))


def empty_given_posts(dbsession: Session, author_id: int) -> None:
    """Do the same with what this author's posts were before they were given to somebody else, also by the erasing.

    They are found by the emptied changes of the author, and by the entry of the erasing: few of all changes.
    """
    dialect, changes, of_erasing = dbsession.get_bind().dialect.name, aliased(Change), aliased(Change)
    is_user = of_erasing.table_name == User.__tablename__, of_erasing.record_id == author_id
    erasing = select(func.max(of_erasing.entry_id)).where(*is_user).scalar_subquery()
    post_ids = select(changes.record_id).where(
        changes.table_name == Post.__tablename__, or_(changes.owner_id == author_id, changes.entry_id == erasing)
    )
    given = update(Change).where(
        Change.table_name == Post.__tablename__,
        Change.record_id.in_(post_ids),
        value_of(dialect, Change.before, Post.__table__.c.author_id) == author_id,
    )
    dbsession.execute(given.values(before=emptied(Change.before)), execution_options={"synchronize_session": False})


def emptied(column: Any) -> ColumnElement[Any]:
    """Return `{}` for a value, and NULL for none."""
    return case((column.is_not(None), literal(ERASED, column.type)))
