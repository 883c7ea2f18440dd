"""When people signed in last, for the pages of users: `request.last_sign_ins`."""

import datetime
from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ...users.models import User
from ...web.request import Request
from .models import SecurityEvent


def last_sign_ins(
    request: Request, user_ids: Collection[int], dbsession: Session | None = None
) -> dict[int, datetime.datetime]:
    """Return when each of these users signed in last, as far as it is known, by id. It takes one query.

    A stream, which is read after the request, gives a `dbsession` of its own.
    """
    return read_last_sign_ins(user_ids, dbsession or request.dbsession)


def read_last_sign_ins(user_ids: Collection[int], dbsession: Session) -> dict[int, datetime.datetime]:
    """Return the same from `dbsession`; the database seeks one entry of an index for each user."""
    last = (
        select(func.max(SecurityEvent.happened_at))
        .where(SecurityEvent.user_id == User.id, SecurityEvent.kind == "signed in")
        .scalar_subquery()
    )
    found = dbsession.execute(select(User.id, last).where(User.id.in_(user_ids)))
    return {user_id: moment for user_id, moment in found if moment is not None}
