"""Deletes old security events, in steps that a command repeats."""

import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from .models import SecurityEvent


def prune_events(dbsession: Session, older_than: datetime.datetime, limit: int) -> int:
    """Delete the oldest events from before `older_than`, at most `limit`; return how many were deleted."""
    event = SecurityEvent
    oldest = select(event.id).where(event.happened_at < older_than).order_by(event.happened_at, event.id).limit(limit)
    deleted = delete(event).where(event.id.in_(oldest)).returning(event.id)
    return len(dbsession.scalars(deleted, execution_options={"synchronize_session": False}).all())
