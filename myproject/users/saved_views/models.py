"""A view of the list that a user has saved by name, for themself or for everybody."""

import datetime
from typing import Any
from urllib.parse import parse_qsl

from pyramid.authorization import Allow, Deny, Everyone
from pyramid.httpexceptions import HTTPBadRequest
from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    Select,
    String,
    Text,
    false,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ...db import Base
from ...db.base import utcnow
from ...db.version import Version, keep_version
from ...security import SITE_ACL
from ..listing.view import View, read_view
from ..models import User

NAME_LENGTH = 100
QUERY_LENGTH = 2000


class SavedView(Base):
    """The query string of a list of users, by name. It is deleted with its owner, even if it is for everybody.

    `user` is `None` only after another program has deleted the owner with foreign keys off.
    """

    __tablename__ = "saved_views"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    query: Mapped[str] = mapped_column(Text)
    for_all: Mapped[bool] = mapped_column(default=False, server_default=false(), index=True)
    version: Mapped[Version]
    created_at: Mapped[datetime.datetime] = mapped_column(default=utcnow, server_default=func.now())
    updated_at: Mapped[datetime.datetime] = mapped_column(default=utcnow, onupdate=utcnow, server_default=func.now())

    user: Mapped[User | None] = relationship()

    @property
    def view(self) -> View | None:
        """The View that the query describes, or `None` if the list no longer understands all of it."""
        parameters = dict(parse_qsl(self.query, keep_blank_values=True))
        try:
            view = read_view(parameters)
        except HTTPBadRequest:
            return None
        return view if view.values == parameters else None

    def __acl__(self) -> list[tuple[str, str, list[str]]]:
        """Return the permissions on the view: its owner may do everything, others may see it if it is for everybody.

        An owner who has become a member can no longer change what everybody sees.
        """
        owner = (Allow, f"user:{self.user_id}", ["view", "edit", "delete"])
        if not self.for_all:
            return [owner, (Deny, Everyone, ["view", "edit", "delete"]), *SITE_ACL]
        changing = ["edit", "delete"]
        return [
            (Allow, "role:admin", changing),
            (Deny, "role:member", changing),
            owner,
            (Deny, Everyone, changing),
            *SITE_ACL,
        ]

    __table_args__ = (
        CheckConstraint(f"length(name) BETWEEN 1 AND {NAME_LENGTH}", name="name_length"),
        CheckConstraint(f"length(query) <= {QUERY_LENGTH}", name="query_length"),
        # SQLite must not give the id of a deleted view to another one.
        {"sqlite_autoincrement": True},
    )


keep_version(SavedView)


def name_key(name: Any) -> ColumnElement[str]:
    """Return the SQL expression by which names are compared, without regard to case and accents: École is ecole.

    It is cut, since a name can unfold to more bytes than an entry of an index may have. The numbers are literals, so
    that the expression equals that of the index.
    """
    return func.substr(func.folded_2(name), literal_column("1"), literal_column(str(3 * NAME_LENGTH)), type_=String)


BY_NAME = (name_key(SavedView.name), SavedView.id)
# The views of one user have different names. The views of a user are found by it too.
Index("uq_saved_views_name", SavedView.user_id, name_key(SavedView.name), unique=True)


def select_by_name(user_id: int, name: str) -> Select[SavedView]:
    """Return a query for the view that the user has saved by this name."""
    return select(SavedView).where(SavedView.user_id == user_id, name_key(SavedView.name) == name_key(name))


def is_visible_to(user_id: int) -> ColumnElement[bool]:
    """Return the SQL condition that a view was saved by the user, or is for everybody."""
    return or_(SavedView.user_id == user_id, SavedView.for_all)
