"""What becomes of each selected user when an action is done to all of them, and doing it."""

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from pyramid.i18n import TranslationString
from sqlalchemy import ColumnElement, Row, Select, and_, case, false, func, not_, or_, select, text
from sqlalchemy.orm import Session

from ...web.i18n import _
from ..administrators import CAN_ADMINISTER
from ..listing.criteria import criteria_of
from ..listing.page import matches_of
from ..models import IS_FORMER_MEMBER, User, users
from ..sets import change_users, delete_users
from .models import SelectedUser, Selection, table


class Outcome(enum.StrEnum):
    """What becomes of a selected user."""

    READY = "ready"
    # Changed since they were selected, and in the view all the same: the action includes them, and the page says so.
    CHANGED = "changed"
    # The others are left out.
    SAME = "same"
    OWN = "own"
    FORBIDDEN = "forbidden"
    LAST_ADMINISTRATOR = "last_administrator"
    FORMER_MEMBER = "former_member"
    LEFT = "left"
    GONE = "gone"


INCLUDED = (Outcome.READY, Outcome.CHANGED)


@dataclass(frozen=True)
class Action:
    """What is done to all users: `values` are given to their columns, or the users are deleted if it is `None`.

    An export gives them nothing. `permission` is what a person needs for it.
    """

    name: str
    label: TranslationString
    permission: str
    values: Mapping[str, Any] | None

    @property
    def writes(self) -> bool:
        """Whether it changes or deletes users."""
        return self.values != {}

    @property
    def sets_role(self) -> bool:
        """Whether it changes roles, before which the person's password is asked for."""
        return "role" in (self.values or {})

    @property
    def removes_administrators(self) -> bool:
        """Whether an administrator cannot administer afterwards."""
        return self.values is None or not self.values.get("active", True) or self.values.get("role", "admin") != "admin"

    @property
    def given(self) -> list[tuple[str, Any]]:
        """The values by the names of the columns; none if users are deleted."""
        return list((self.values or {}).items())


ACTIONS = {
    action.name: action
    for action in (
        Action("member", _("Set role: Member"), "administer", {"role": "member"}),
        Action("editor", _("Set role: Editor"), "administer", {"role": "editor"}),
        Action("admin", _("Set role: Administrator"), "administer", {"role": "admin"}),
        Action("activate", _("Activate"), "edit", {"active": True}),
        Action("deactivate", _("Deactivate"), "edit", {"active": False}),
        Action("delete", _("Delete"), "delete", None),
        Action("export", _("Export as CSV"), "export", {}),
    )
}


class Group(NamedTuple):
    """The users with one outcome: how many, and by the sums of ids and versions whether they are still the same."""

    number: int
    ids: int
    versions: int


@dataclass(frozen=True)
class Bulk:
    """An action on the users of a selection, by a person with an id and a role; the days of the view are in `zone`."""

    dbsession: Session
    selection: Selection
    action: Action
    person_id: int
    role: str
    zone: ZoneInfo

    @cached_property
    def groups(self) -> dict[Outcome, Group]:
        """The users of each outcome as they are now, in the order of `Outcome`."""
        found = self._outcomes().subquery()
        totals = (func.count(), func.sum(found.c.id), func.coalesce(func.sum(found.c.version), 0))
        rows = self.dbsession.execute(select(found.c.outcome, *totals).group_by(found.c.outcome))
        groups = {Outcome(outcome): Group(*map(int, numbers)) for outcome, *numbers in rows}
        return {outcome: groups[outcome] for outcome in Outcome if outcome in groups}

    @property
    def number(self) -> int:
        """How many users the action includes."""
        return sum(self.groups[outcome].number for outcome in INCLUDED if outcome in self.groups)

    @cached_property
    def belongings(self) -> dict[str, Group]:
        """The posts and saved views that would be deleted with the users: by table, as for users."""
        if self.action.values is not None:
            return {}
        return {name: self._count_belongings(name, owner) for name, owner in BELONGINGS.items()}

    def name_left_out(self, limit: int) -> dict[Outcome, list[Row[Any]]]:
        """Return up to `limit` users of each outcome that the action does not include."""
        left_out: dict[Outcome, list[Row[Any]]] = {outcome: [] for outcome in self.groups if outcome not in INCLUDED}
        # Few users may be anywhere: they are looked for together.
        few = [outcome for outcome in left_out if self.groups[outcome].number <= limit]
        for row in self.name_users(few, limit * len(few)) if few else ():
            left_out[Outcome(row.outcome)].append(row)
        return {outcome: rows or [*self.name_users([outcome], limit)] for outcome, rows in left_out.items()}

    def name_users(self, outcomes: Collection[Outcome], limit: int) -> Sequence[Row[Any]]:
        """Return up to `limit` users with one of the outcomes, the first one first; deleted ones have no values."""
        shown = [users.c.name, users.c.email, users.c.role, users.c.active]
        named = self._outcomes(*shown).where(self._outcome().in_(outcomes))
        return self.dbsession.execute(named.order_by(SelectedUser.user_id).limit(limit)).all()

    @cached_property
    def joined(self) -> int:
        """How many users are in the view now who were not when the whole view was selected: they are not included."""
        if not self.selection.is_whole:
            return 0
        row, selected = table().c, table().join(users, _is_selected_user())
        still = select(func.count()).select_from(selected)
        still = still.where(row.selection_id == self.selection.id, not_(self._has_left()))
        now = select(func.count()).select_from(users).where(matches_of(self.dbsession, self.selection.view, self.zone))
        return self.dbsession.execute(now).scalar_one() - self.dbsession.execute(still).scalar_one()

    def apply(self, keep_sign_in: int) -> None:
        """Do it to the users that it includes, in the transaction of the session."""
        people = self._outcomes().where(self._outcome().in_(INCLUDED)).with_only_columns(SelectedUser.user_id)
        if self.action.values is None:
            delete_users(self.dbsession, people)
        else:
            change_users(self.dbsession, people, self.action.values, keep_sign_in=keep_sign_in)

    def _count_belongings(self, table_name: str, owner: str) -> Group:
        theirs, found = User.metadata.tables[table_name], self._outcomes().subquery()
        sums = (func.coalesce(func.sum(column), 0) for column in (theirs.c.id, theirs.c.version))
        query = select(func.count(), *sums).join_from(theirs, found, found.c.id == theirs.c[owner])
        return Group(*map(int, self.dbsession.execute(query.where(found.c.outcome.in_(INCLUDED))).one()))

    def _outcomes(self, *columns: Any) -> Select[Any]:
        """Select the id, version and Outcome of each selected user, and further columns of those who are there."""
        row = table()
        found = select(row.c.user_id.label("id"), users.c.version, self._outcome().label("outcome"), *columns)
        return found.select_from(row.outerjoin(users, _is_selected_user())).where(self.selection.condition())

    def _outcome(self, kept: bool = True) -> ColumnElement[str]:
        """Return the Outcome of a selected user, with or without the administrator who has to stay."""
        stays = users.c.id == self._last_administrator if kept and self._last_administrator is not None else false()
        has_values = [users.c[name] == value for name, value in self.action.given]
        return case(
            (users.c.id.is_(None), Outcome.GONE),
            (self._has_left(), Outcome.LEFT),
            (and_(*has_values) if has_values else false(), Outcome.SAME),
            (users.c.id == self.person_id if self.action.writes else false(), Outcome.OWN),
            (users.c.role == "admin" if self._spares_administrators else false(), Outcome.FORBIDDEN),
            (stays, Outcome.LAST_ADMINISTRATOR),
            (IS_FORMER_MEMBER if self.action.values is None else false(), Outcome.FORMER_MEMBER),
            (_is_changed(), Outcome.CHANGED),
            else_=Outcome.READY,
        )

    def _has_left(self) -> ColumnElement[bool]:
        """Return whether the user is no longer in the view.

        The version tells who may have left it, so that few are compared with the view. That a user has posts does not
        raise the version.
        """
        criteria = criteria_of(self.selection.view, self.zone)
        by_posts = [choice.condition() for choice in criteria.choices if choice.column == "has_posts"]
        changed = and_(_is_changed(), not_(and_(*criteria.conditions))) if criteria.conditions else false()
        return or_(changed, *map(not_, by_posts))

    @property
    def _spares_administrators(self) -> bool:
        return self.action.writes and self.role != "admin"

    @cached_property
    def _last_administrator(self) -> int | None:
        """The id of the administrator who has to stay because the action includes all who can administer, or `None`."""
        if not self.action.removes_administrators:
            return None
        row = table()
        is_selected = and_(_is_selected_user(), self.selection.condition())
        is_included = and_(row.c.user_id.is_not(None), self._outcome(kept=False).in_(INCLUDED))
        administrators = select(users.c.id).select_from(users.outerjoin(row, is_selected)).where(text(CAN_ADMINISTER))
        if self.dbsession.scalar(administrators.where(not_(is_included)).limit(1)) is not None:
            return None
        return self.dbsession.scalar(administrators.order_by(users.c.id).limit(1))


def _is_selected_user() -> ColumnElement[bool]:
    return users.c.id == table().c.user_id


def _is_changed() -> ColumnElement[bool]:
    return users.c.version != table().c.version


# The tables are named by string: both features import `users`.
BELONGINGS = {"posts": "author_id", "saved_views": "user_id"}
