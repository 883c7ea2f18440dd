"""Removes old entries from the ledger, in steps that are short enough for others to write between them."""

import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from .models import Change, Entry


def prune_entries(dbsession: Session, older_than: datetime.datetime, limit: int) -> int:
    """Delete up to `limit` changes of entries made before `older_than`, and those entries that have none left.

    Returns how many changes and entries were deleted: 0 if there is nothing more to do.
    """
    expired = select(Entry.id).where(Entry.created_at < older_than).order_by(Entry.created_at, Entry.id).limit(limit)
    changes = select(Change.id).where(Change.entry_id.in_(expired)).limit(limit)
    is_empty = ~select(Change.id).where(Change.entry_id == Entry.id).exists()
    deleted = [
        dbsession.scalars(statement, execution_options={"synchronize_session": False}).all()
        for statement in (
            delete(Change).where(Change.id.in_(changes)).returning(Change.id),
            delete(Entry).where(Entry.id.in_(expired), is_empty).returning(Entry.id),
        )
    ]
    return sum(map(len, deleted))
