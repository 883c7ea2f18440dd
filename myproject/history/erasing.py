"""Removes the values of an erased person from the ledger, in the transaction that erases them."""

from pyramid.events import subscriber
from sqlalchemy import case, literal, update
from sqlalchemy.orm import Session

from ..users.erasing import UserErased
from .models import Change

ERASED: dict[str, str] = {}


@subscriber(UserErased)
def erase_values(event: UserErased) -> None:
    """Empty every change of the person's record, of their posts and of their saved views."""
    empty_changes(event.dbsession, event.user_id)


def empty_changes(dbsession: Session, owner_id: int) -> None:
    """Replace the values of each change of a record of this owner by `{}`: it still tells that there was one."""
    values = {
        column: case((getattr(Change, column).is_not(None), literal(ERASED, getattr(Change, column).type)))
        for column in ("before", "after")
    }
    dbsession.execute(update(Change).where(Change.owner_id == owner_id).values(values))
