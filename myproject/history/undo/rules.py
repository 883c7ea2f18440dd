"""The rules by which a record of an entry is put back, as SQL conditions."""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, false, func, not_, or_, select, true
from sqlalchemy.orm import aliased

from ...posts.models import Post
from ...users.models import User
from ...users.saved_views.models import SavedView, name_key
from ..models import Change
from ..values import is_erased, is_last, table_of, value_of


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

    def __init__(self, viewer: Viewer, dialect: str, change: Any, last: Any, *, has_users: bool = True) -> None:
        """Take the person, the database, the change to undo and the last change of the same record.

        `has_users`: whether the same undo puts back the users of the entry, too.
        """
        self.viewer, self.dialect, self.change, self.last, self.has_users = viewer, dialect, change, last, has_users

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
            (and_(is_deleted, self.has_changed_belongings()), Outcome.CHANGED),
            # A view is deleted with its user: as long as the user stays, it is for its owner alone to delete.
            (and_(is_deleted, self._is("saved_views"), self._deletes_changed_user(change.owner_id)), Outcome.CHANGED),
            else_=Outcome.READY,
        )

    def is_risky(self) -> ColumnElement[int]:
        """Return 1 if the person's password is asked for: for a role, and for an email that somebody signs in with."""
        has_password = exists().where(User.id == self.change.record_id, User.password_hash.is_not(None))
        changes = and_(self._is("users"), self.change.before.is_not(None), self.change.after.is_not(None))
        restores = and_(self._is("users"), self.change.after.is_(None), self._before("users", "role") != "member")
        risky = or_(self._differs("role"), and_(self._differs("email"), has_password))
        return case((or_(and_(changes, risky), restores), 1), else_=0)

    def is_account(self) -> ColumnElement[bool]:
        """Return whether it is a user whose email, role or activity differs, or who is restored or deleted."""
        return and_(self._is("users"), or_(*(self._differs(column) for column in ("email", "role", "active"))))

    def is_permitted(self) -> ColumnElement[bool]:
        """Return whether the person may do this to the record: what pages allow, see security.py and the `__acl__`s."""
        return or_(
            and_(self._is("users"), self.may_change_user()),
            and_(self._is("posts"), self._may_change_post()),
            and_(self._is("saved_views"), self._may_change_saved_view()),
        )

    def may_change_user(self) -> ColumnElement[bool]:
        """Return whether the person may do this to the record of a user."""
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
        before, after, now = (self._value(side, "saved_views", "for_all") for side in self._sides())
        was_shared = func.coalesce(or_(before, after), false())
        own = self._belongs_to_viewer("saved_views", "user_id")
        if self.viewer.role == "member":
            return and_(own, not_(was_shared), not_(func.coalesce(now, false())))
        # A view that has become private since is closed to everybody but its owner.
        shared = and_(was_shared, func.coalesce(now, true())) if self.viewer.role == "admin" else false()
        # A view that came or went with its user is no decision about the view.
        return or_(own, shared, self._with_owner())

    def _belongs_to_viewer(self, table: str, owner: str) -> ColumnElement[bool]:
        owners = [self._value(side, table, owner) for side in self._sides()]
        return and_(*(func.coalesce(each, self.viewer.id) == self.viewer.id for each in owners))

    def _sides(self) -> tuple[Any, ...]:
        """Return the values of the record before the change, after it, and now."""
        return self.change.before, self.change.after, self.last.after

    def is_owner_missing(self) -> ColumnElement[bool]:
        """Return whether the author of the post, or the user of the saved view, is not there and does not come back."""
        return or_(self._misses("posts", "author_id"), self._misses("saved_views", "user_id"))

    def _misses(self, table: str, owner: str) -> ColumnElement[bool]:
        owner_id = self._before(table, owner)
        is_given = owner_id.is_distinct_from(self._after(table, owner))
        is_there = or_(exists().where(User.id == owner_id), self._restores_user(owner_id))
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
        return self._has_belonging(lambda added, _last: added.is_(None))

    def has_changed_belongings(self) -> ColumnElement[bool]:
        """Return whether a user who would be deleted has something that the entry added, and that was changed since."""
        return self._has_belonging(lambda added, last: and_(added.is_not(None), last.is_distinct_from(added)))

    def _has_belonging(self, condition: Callable[[Any, Any], ColumnElement[bool]]) -> ColumnElement[bool]:
        """Return whether the user has a row that meets `condition`: its values as the entry has added it, and now.

        They are looked up row by row: PostgreSQL would join all rows with all changes of the entry for each user.
        """
        found = []
        for model, owner in ((Post, Post.author_id), (SavedView, SavedView.user_id)):
            added, last = aliased(Change), aliased(Change)
            is_added = added.entry_id == self.change.entry_id, added.before.is_(None)
            values = [
                select(each.after)
                .where(each.table_name == model.__tablename__, each.record_id == model.id, *conditions)
                .order_by(each.id.desc())
                .limit(1)
                .correlate(model, self.change)
                .scalar_subquery()
                for each, conditions in ((added, is_added), (last, ()))
            ]
            found.append(exists().where(owner == self.change.record_id, condition(*values)))
        return and_(self._is("users"), or_(*found))

    def _restores_user(self, user_id: Any) -> ColumnElement[bool]:
        """Return whether the same undo restores this user."""

        def is_restored(rules: Rules) -> ColumnElement[bool]:
            return and_(rules.change.after.is_(None), rules.last.after.is_(None), not_(rules.is_email_taken()))

        return self._puts_user_back(user_id, is_restored)

    def _deletes_user(self, user_id: Any) -> ColumnElement[bool]:
        """Return whether the same undo deletes this user, perhaps only if it puts back what was changed since."""

        def is_deleted(rules: Rules) -> ColumnElement[bool]:
            return and_(rules.change.before.is_(None), not_(rules.has_belongings()))

        return self._puts_user_back(user_id, is_deleted)

    def _deletes_changed_user(self, user_id: Any) -> ColumnElement[bool]:
        """Return whether the same undo deletes this user only if it puts back what was changed since."""

        def is_changed(rules: Rules) -> ColumnElement[bool]:
            differs = rules.last.after.is_distinct_from(rules.change.after)
            return and_(rules.change.before.is_(None), or_(differs, rules.has_changed_belongings()))

        return self._puts_user_back(user_id, is_changed)

    def _puts_user_back(self, user_id: Any, condition: Callable[["Rules"], ColumnElement[bool]]) -> ColumnElement[bool]:
        """Return whether the undo may put back the record of this user, if it meets `condition`."""
        if not self.has_users:
            return false()
        user, last = aliased(Change), aliased(Change)
        rules = Rules(self.viewer, self.dialect, user, last)
        return exists().where(
            user.entry_id == self.change.entry_id,
            user.table_name == "users",
            user.record_id == user_id,
            is_last(last, user),
            not_(is_erased(user)),
            rules.may_change_user(),
            condition(rules),
        )

    def _with_owner(self) -> ColumnElement[bool]:
        """Return whether the same undo restores, or deletes, the user of a saved view too."""
        is_restored, is_deleted = self.change.after.is_(None), self.change.before.is_(None)
        owner_id = self.change.owner_id
        return or_(and_(is_restored, self._restores_user(owner_id)), and_(is_deleted, self._deletes_user(owner_id)))

    def _is(self, table: str) -> ColumnElement[bool]:
        return self.change.table_name == table

    def _differs(self, column: str) -> ColumnElement[bool]:
        return self._before("users", column).is_distinct_from(self._after("users", column))

    def _before(self, table: str, column: str) -> ColumnElement[Any]:
        return self._value(self.change.before, table, column)

    def _after(self, table: str, column: str) -> ColumnElement[Any]:
        return self._value(self.change.after, table, column)

    def _value(self, values: Any, table: str, column: str) -> ColumnElement[Any]:
        # The values of a record of another table have no such column: it is NULL.
        return value_of(self.dialect, values, table_of(table).c[column])
