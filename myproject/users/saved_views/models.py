"""A view of the list that somebody keeps by name, for themself or for all."""

import datetime
from urllib.parse import parse_qsl

from pyramid.authorization import Allow, Deny, Everyone
from pyramid.httpexceptions import HTTPBadRequest
from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, false, func, or_, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ...db import Base
from ...db.base import utcnow
from ...security import SITE
from ..listing.view import read_view
from ..models import User

NAME_LENGTH = 100
QUERY_LENGTH = 2000


class SavedView(Base):
    """The query string of a view, by name; it goes when its owner's record goes, also where it is for all."""

    __tablename__ = "saved_views"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    query: Mapped[str] = mapped_column(Text)
    for_all: Mapped[bool] = mapped_column(default=False, server_default=false(), index=True)
    version: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[datetime.datetime] = mapped_column(default=utcnow, server_default=func.now())
    updated_at: Mapped[datetime.datetime] = mapped_column(default=utcnow, onupdate=utcnow, server_default=func.now())

    user: Mapped[User] = relationship()

    @property
    def view(self):
        """The View that is kept, or `None` where the list does not understand it, or not all of it, any more."""
        kept = dict(parse_qsl(self.query, keep_blank_values=True))
        try:
            view = read_view(kept)
        except HTTPBadRequest:
            return None
        return view if view.values == kept else None

    def __acl__(self):
        """Return who may do what to the view: all is its owner's; for whom it is not, it is not there."""
        owner = (Allow, f"user:{self.user_id}", ["view", "edit", "delete"])
        if not self.for_all:
            return [owner, (Deny, Everyone, ["view", "edit", "delete"]), *SITE]
        return [owner, (Allow, "role:admin", ["edit", "delete"]), (Deny, Everyone, ["edit", "delete"]), *SITE]

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        CheckConstraint(f"length(name) BETWEEN 1 AND {NAME_LENGTH}", name="name_length"),
        CheckConstraint(f"length(query) <= {QUERY_LENGTH}", name="query_length"),
        # The id of a deleted view never comes back as another one's.
        {"sqlite_autoincrement": True},
    )


BY_NAME = (func.lower(SavedView.name, type_=String), SavedView.id)
# A person's names differ, without regard to case; it is also how theirs are found.
Index("uq_saved_views_name", SavedView.user_id, func.lower(SavedView.name), unique=True)


def of_name(identity, name):
    """Return a select of the SavedView that the person has by this name, without regard to case."""
    return select(SavedView).where(SavedView.user_id == identity.id, func.lower(SavedView.name) == func.lower(name))


def seen_by(identity):
    """Return the condition under which a SavedView is among those of the person: theirs, and those for all."""
    return or_(SavedView.user_id == identity.id, SavedView.for_all)
