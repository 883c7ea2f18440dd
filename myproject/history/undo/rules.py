"""The rules by which a record of an entry is put back, as SQL conditions."""

import enum
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, false, func, not_, or_, select, true
from sqlalchemy.orm import aliased

from ...posts.models import Post
from ...users.models import User
from ...users.saved_views.models import SavedView, name_key
from ..models import Change
from .values import is_erased, table_of, value_of


class Outcome(enum.StrEnum):
    """What becomes of a record when an entry is undone."""

    READY = "ready"
    # Changed since: put back as well if the person says so.
    CHANGED = "changed"
    # The others are left alone.
    SAME = "same"
    GONE = "gone"
    EXISTS = "exists"
    ERASED = "erased"
    EMAIL_TAKEN = "email_taken"
    NAME_TAKEN = "name_taken"
    OWNER_MISSING = "owner_missing"
    BELONGINGS = "belongings"
    FORBIDDEN = "forbidden"


class Action(enum.StrEnum):
    """What undoing does to a record."""

    RESTORE = "restore"
    CHANGE = "change"
    DELETE = "delete"


@dataclass(frozen=True)
class Viewer:
    """Who undoes: their id and role, and the id of the sign-in that stays when others end.

    People who do not see everything see, and undo, the changes of their own records only.
    """

    id: int
    role: str
    sign_in: int | None = None
    sees_everything: bool = True


class Rules:
    """The rules by which a record of an entry is put back, as SQL conditions over `change` and the record's `last`."""

    def __init__(self, viewer: Viewer, dialect: str, change: Any, last: Any) -> None:
        """Take the person, the database, the change to undo and the last change of the same record."""
        self.viewer, self.dialect, self.change, self.last = viewer, dialect, change, last

    def outcome(self) -> ColumnElement[str]:
        """Return the Outcome of the record."""
        change, last = self.change, self.last
        is_restored, is_deleted = change.after.is_(None), change.before.is_(None)
        return case(
            (or_(is_erased(change), is_erased(last)), Outcome.ERASED),
            (last.after.is_not_distinct_from(change.before), Outcome.SAME),
            (and_(is_restored, last.after.is_not(None)), Outcome.EXISTS),
            (and_(not_(is_restored), last.after.is_(None)), Outcome.GONE),
            (not_(self.is_permitted()), Outcome.FORBIDDEN),
            (and_(not_(is_deleted), self.is_owner_missing()), Outcome.OWNER_MISSING),
            (and_(not_(is_deleted), self.is_email_taken()), Outcome.EMAIL_TAKEN),
            (and_(not_(is_deleted), self.is_name_taken()), Outcome.NAME_TAKEN),
            (and_(is_deleted, self.has_belongings()), Outcome.BELONGINGS),
            (last.after.is_distinct_from(change.after), Outcome.CHANGED),
            else_=Outcome.READY,
        )

    def is_risky(self) -> ColumnElement[int]:
        """Return 1 if the person's password is asked for: for a role, and for an email that somebody signs in with."""
        has_password = exists().where(User.id == self.change.record_id, User.password_hash.is_not(None))
        changes = and_(self._is("users"), self.change.before.is_not(None), self.change.after.is_not(None))
        restores = and_(self._is("users"), self.change.after.is_(None), self._before("users", "role") != "member")
        risky = or_(self._differs("role"), and_(self._differs("email"), has_password))
        return case((or_(and_(changes, risky), restores), 1), else_=0)

    def is_permitted(self) -> ColumnElement[bool]:
        """Return whether the person may do this to the record: what pages allow, see security.py and the `__acl__`s."""
        return or_(
            and_(self._is("users"), self._may_change_user()),
            and_(self._is("posts"), self._may_change_post()),
            and_(self._is("saved_views"), self._may_change_saved_view()),
        )

    def _may_change_user(self) -> ColumnElement[bool]:
        if self.viewer.role == "admin":
            return true()
        is_same_role = and_(
            self.change.before.is_not(None), self.change.after.is_not(None), not_(self._differs("role"))
        )
        own = and_(self.change.record_id == self.viewer.id, is_same_role, not_(self._differs("active")))
        if self.viewer.role != "editor":
            return own
        is_admin = exists().where(User.id == self.change.record_id, User.role == "admin")
        restores_member = and_(self.change.after.is_(None), self._before("users", "role") != "admin")
        return or_(own, and_(not_(is_admin), or_(is_same_role, self.change.before.is_(None), restores_member)))

    def _may_change_post(self) -> ColumnElement[bool]:
        if self.viewer.role in ("admin", "editor"):
            return true()
        return self._belongs_to_viewer("posts", "author_id")

    def _may_change_saved_view(self) -> ColumnElement[bool]:
        is_shared = or_(self._before("saved_views", "for_all"), self._after("saved_views", "for_all"))
        own = self._belongs_to_viewer("saved_views", "user_id")
        if self.viewer.role == "member":
            return and_(own, not_(func.coalesce(is_shared, false())))
        shared = func.coalesce(is_shared, false()) if self.viewer.role == "admin" else false()
        # A view that came or went with its user is no decision about the view.
        return or_(own, shared, self._with_owner())

    def _belongs_to_viewer(self, table: str, owner: str) -> ColumnElement[bool]:
        owners = (self._before(table, owner), self._after(table, owner))
        return and_(*(func.coalesce(each, self.viewer.id) == self.viewer.id for each in owners))

    def is_owner_missing(self) -> ColumnElement[bool]:
        """Return whether the author of the post, or the user of the saved view, is not there and does not come back."""
        return or_(self._misses("posts", "author_id"), self._misses("saved_views", "user_id"))

    def _misses(self, table: str, owner: str) -> ColumnElement[bool]:
        owner_id = self._before(table, owner)
        is_given = owner_id.is_distinct_from(self._after(table, owner))
        is_there = or_(exists().where(User.id == owner_id), self._in_entry("users", owner_id, "after"))
        return and_(self._is(table), is_given, not_(is_there))

    def is_email_taken(self) -> ColumnElement[bool]:
        """Return whether somebody has the user's email who does not lose it by the same undo."""
        email, moved = self._before("users", "email"), aliased(Change)
        email_before, email_after = (self._value(values, "users", "email") for values in (moved.before, moved.after))
        moves = (
            exists()
            .where(
                moved.entry_id == self.change.entry_id,
                moved.table_name == "users",
                moved.record_id == User.id,
                email_before.is_distinct_from(email_after),
            )
            .correlate(User, self.change)
        )
        taken = exists().where(
            func.lower(User.email) == func.lower(email), User.id != self.change.record_id, not_(moves)
        )
        return and_(self._is("users"), self._differs("email"), taken)

    def is_name_taken(self) -> ColumnElement[bool]:
        """Return whether the user of the saved view, if it is given back its name, has another one of the same name."""
        name, user_id = self._before("saved_views", "name"), self._before("saved_views", "user_id")
        is_given = [
            self._before("saved_views", column).is_distinct_from(self._after("saved_views", column))
            for column in ("name", "user_id")
        ]
        taken = exists().where(
            SavedView.user_id == user_id,
            name_key(SavedView.name) == name_key(name),
            SavedView.id != self.change.record_id,
        )
        return and_(self._is("saved_views"), or_(*is_given), taken)

    def has_belongings(self) -> ColumnElement[bool]:
        """Return whether a user who would be deleted has a post or a saved view that the entry has not added."""
        found = []
        for model, owner in ((Post, Post.author_id), (SavedView, SavedView.user_id)):
            is_added = self._in_entry(model.__tablename__, model.id, "before", correlate=model)
            found.append(exists().where(owner == self.change.record_id, not_(is_added)))
        return and_(self._is("users"), or_(*found))

    def _with_owner(self) -> ColumnElement[bool]:
        """Return whether the user of a saved view was deleted, or added, by the same entry."""
        deleted = self._in_entry("users", self.change.owner_id, "after")
        added = self._in_entry("users", self.change.owner_id, "before")
        return or_(and_(self.change.after.is_(None), deleted), and_(self.change.before.is_(None), added))

    def _in_entry(self, table: str, record_id: Any, missing: str, correlate: Any = None) -> ColumnElement[bool]:
        """Return whether the entry has added this record (`before` is missing), or deleted it (`after`).

        The change is found by its record, and looked at then: the databases would rather read all changes of the entry
        that have added or deleted something, for each record again.
        """
        other = aliased(Change)
        found = select(getattr(other, missing).is_(None)).where(
            other.entry_id == self.change.entry_id, other.table_name == table, other.record_id == record_id
        )
        outer = [self.change] if correlate is None else [self.change, correlate]
        return func.coalesce(found.correlate(*outer).scalar_subquery(), false())

    def _is(self, table: str) -> ColumnElement[bool]:
        return self.change.table_name == table

    def _differs(self, column: str) -> ColumnElement[bool]:
        return self._before("users", column).is_distinct_from(self._after("users", column))

    def _before(self, table: str, column: str) -> ColumnElement[Any]:
        return self._value(self.change.before, table, column)

    def _after(self, table: str, column: str) -> ColumnElement[Any]:
        return self._value(self.change.after, table, column)

    def _value(self, values: Any, table: str, column: str) -> ColumnElement[Any]:
        # A table that has no such column has no such value either; the CASE keeps PostgreSQL from casting others.
        return value_of(self.dialect, values, table_of(table).c[column])
