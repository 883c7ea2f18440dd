"""The users that a person has selected in the list, each in the version that they had then."""

import datetime
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Table,
    Text,
    and_,
    delete,
    exists,
    false,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column, object_session

from ...db import Base
from ...db.base import utcnow
from ...security import SITE_ACL
from ..listing.view import View, read_query
from ..models import users

SELECTION_LIFETIME = datetime.timedelta(days=1)
# A query string is part of an address, which is no longer than that.
QUERY_LENGTH = 8192
# The columns of a user who is selected now.
FROZEN = ("selection_id", "user_id", "version")


class Selection(Base):
    """What a person selects in a view of the list, whose query string is `query`.

    If the whole view was selected, `is_whole` is true: users who match later are known to have joined it. `user_id` is
    no foreign key: nobody waits for a selection to be deleted, and it expires within a day.
    """

    __tablename__ = "selections"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int]
    query: Mapped[str] = mapped_column(Text)
    is_whole: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime.datetime] = mapped_column(default=utcnow, index=True)

    @property
    def view(self) -> View:
        """The View in which the users are selected."""
        return read_query(self.query)

    def tick(self, ticked: Collection[int], shown: Collection[int]) -> None:
        """Select those of the users `shown` that are `ticked`, and none of the others; unknown ids are left out.

        A user who is selected already keeps the version that they had then.
        """
        dbsession, selected = self._session(), table()
        row, mine = selected.c, selected.c.selection_id == self.id
        added = select(literal(self.id), users.c.id, users.c.version).where(
            users.c.id.in_(ticked), ~exists().where(mine, row.user_id == users.c.id)
        )
        dbsession.execute(insert(selected).from_select(FROZEN, added))
        for is_excluded, ids in ((False, ticked), (True, set(shown).difference(ticked))):
            changed = update(selected).where(mine, row.user_id.in_(ids), row.is_excluded != is_excluded)
            dbsession.execute(changed.values(is_excluded=is_excluded))

    def select_all(self, matches: ColumnElement[bool]) -> None:
        """Select the users who meet the SQL condition `matches`, that of the view, in their present versions."""
        self.clear()
        matching = select(literal(self.id), users.c.id, users.c.version).where(matches)
        self._session().execute(insert(table()).from_select(FROZEN, matching))
        self.is_whole = True

    def clear(self) -> None:
        """Select nobody."""
        self.is_whole = False
        self._session().execute(delete(table()).where(table().c.selection_id == self.id))

    def count(self) -> int:
        """Return how many users are selected."""
        return self._session().scalar(select(func.count()).where(self.condition())) or 0

    def find_ticked(self, ids: Collection[int]) -> frozenset[int]:
        """Return those of `ids` that are selected."""
        ticked = select(SelectedUser.user_id).where(self.condition(), SelectedUser.user_id.in_(ids))
        return frozenset(self._session().scalars(ticked))

    def condition(self) -> ColumnElement[bool]:
        """Return the SQL condition that a `SelectedUser` is selected now."""
        return and_(SelectedUser.selection_id == self.id, ~SelectedUser.is_excluded)

    def _session(self) -> Session:
        dbsession = object_session(self)
        if dbsession is None:
            raise ValueError("The selection is not stored.")
        return dbsession

    def __acl__(self) -> list[tuple[str, str, list[str]]]:
        """Return the permissions on the selection: those of the site. That of somebody else is not found."""
        return SITE_ACL

    __table_args__ = (
        CheckConstraint(f"length(query) <= {QUERY_LENGTH}", name="query_length"),
        # An old page must not lead to the selection of somebody else.
        {"sqlite_autoincrement": True},
    )


class SelectedUser(Base):
    """A user of a selection, and their version at that time; `is_excluded` after the tick was removed again.

    `user_id` is no foreign key: that a selected user was deleted is to be seen, and no deletion looks into selections.
    """

    __tablename__ = "selected_users"

    selection_id: Mapped[int] = mapped_column(ForeignKey(Selection.id, ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int]
    is_excluded: Mapped[bool] = mapped_column(default=False, server_default=false())

    # On SQLite, the rows are in the primary key itself: a million of them take half the room and time.
    __table_args__: Mapping[str, Any] = {"sqlite_with_rowid": False}


def is_selected(selection_id: int, user_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Return the SQL condition that the selection has this user."""
    row = table().c
    return exists().where(row.selection_id == selection_id, row.user_id == user_id, ~row.is_excluded)


def table() -> Table:
    """Return the table of selected users, for statements about many of them."""
    return SelectedUser.metadata.tables[SelectedUser.__tablename__]


def delete_expired(dbsession: Session) -> None:
    """Delete the selections that have expired, with what was selected."""
    dbsession.execute(delete(Selection).where(Selection.created_at < utcnow() - SELECTION_LIFETIME))
