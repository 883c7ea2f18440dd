"""What becomes of each record of an entry when it is undone, and undoing it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Subquery, and_, case, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from ..kinds import RecordKey
from ..models import Change, Entry
from ..values import id_of_last
from .chosen import chosen_steps
from .rules import Action, Outcome, Rules, Viewer
from .writing import Writing

# A user is there before what belongs to them, and goes after it.
ORDER = (
    (Action.DELETE, "saved_views"),
    (Action.DELETE, "posts"),
    *((action, table) for action in (Action.RESTORE, Action.CHANGE) for table in ("users", "posts", "saved_views")),
    (Action.DELETE, "users"),
)


@dataclass(frozen=True)
class Step:
    """One record of the entry, and what becomes of it."""

    change: Change
    action: Action
    outcome: Outcome
    # The last change of the record, and its entry: who has changed it since.
    last: Change
    last_entry: Entry


@dataclass(frozen=True)
class Group:
    """How many records of one table have the same action and outcome.

    `risky` of them get another role, or an email to sign in with; `last_id` is the newest of their changes.
    """

    table: str
    action: Action
    outcome: Outcome
    number: int
    risky: int
    last_id: int


def applied_outcomes(changed_too: bool) -> tuple[Outcome, ...]:
    """Return the outcomes of the records that an undo puts back."""
    return (Outcome.READY, Outcome.CHANGED) if changed_too else (Outcome.READY,)


@dataclass(frozen=True)
class Undo:
    """What an undo is about: an entry, or `only` one of its records, for a person.

    `only` is the table and the id of a record. A user is restored, or deleted, with what came or went with them.
    """

    entry_id: int
    viewer: Viewer
    dialect: str
    only: RecordKey | None = None

    def count(self, dbsession: Session) -> list[Group]:
        """Return the groups of records, as they are now."""
        steps = self._steps()
        columns = (steps.c.table_name, steps.c.action, steps.c.outcome)
        totals = (func.count(), func.sum(steps.c.is_risky), func.max(steps.c.last_id))
        rows = dbsession.execute(select(*columns, *totals).group_by(*columns).order_by(*columns))
        return [Group(table, Action(action), Outcome(outcome), *numbers) for table, action, outcome, *numbers in rows]

    def read(self, dbsession: Session, outcome: Outcome, limit: int) -> list[Step]:
        """Return up to `limit` records that have this outcome, the first one first."""
        steps = self._steps()
        return self._read(dbsession, steps, limit, steps.c.outcome == outcome)

    def accounts(self, dbsession: Session, limit: int, *, changed_too: bool) -> list[Step]:
        """Return up to `limit` users whose email, role or activity `apply` is going to change, or the whole record."""
        steps = self._steps()
        is_applied = steps.c.outcome.in_(applied_outcomes(changed_too))
        return self._read(dbsession, steps, limit, is_applied, steps.c.is_account)

    def _read(self, dbsession: Session, steps: Subquery, limit: int, *conditions: ColumnElement[bool]) -> list[Step]:
        last = aliased(Change)
        query = (
            select(Change, steps.c.action, steps.c.outcome, last, Entry)
            .join(steps, steps.c.change_id == Change.id)
            .join(last, last.id == steps.c.last_id)
            .join(Entry, Entry.id == last.entry_id)
            .where(*conditions)
            .order_by(Change.id)
            .limit(limit)
        )
        return [
            Step(change, Action(action), Outcome(outcome), last_change, entry)
            for change, action, outcome, last_change, entry in dbsession.execute(query)
        ]

    def apply(self, dbsession: Session, groups: Sequence[Group], *, changed_too: bool) -> int:
        """Put back the records that are ready, and those `changed_too`; return how many.

        `groups` is what `count` has returned in this transaction. Raises `IntegrityError` if a constraint refuses it:
        the last administrator has to stay, and an email or a name can be taken by a record that is left alone.
        """
        applied = applied_outcomes(changed_too)
        chosen = [group for group in groups if group.outcome in applied]
        kinds = {(group.action, group.table) for group in chosen}
        with chosen_steps(dbsession, self._steps(), applied) as steps:
            writing = Writing(dbsession, self.dialect, self.viewer, steps)
            if any(table == "users" for _, table in kinds):
                writing.free_emails()
            for action, table in ORDER:
                if (action, table) in kinds:
                    writing.run(action, table)
        dbsession.expire_all()
        return sum(group.number for group in chosen)

    def _steps(self) -> Subquery:
        """Select what becomes of each record, as they are now."""
        change, last = aliased(Change, name="change"), aliased(Change, name="last")
        has_users = self.only is None or self.only[0] == "users"
        rules = Rules(self.viewer, self.dialect, change, last, has_users=has_users)
        action = case(
            (change.after.is_(None), Action.RESTORE), (change.before.is_(None), Action.DELETE), else_=Action.CHANGE
        )
        query = select(
            change.id.label("change_id"),
            change.table_name,
            change.record_id,
            change.before,
            change.after,
            last.id.label("last_id"),
            action.label("action"),
            rules.outcome().label("outcome"),
            rules.is_risky().label("is_risky"),
            rules.is_account().label("is_account"),
        ).join(last, last.id == id_of_last(change))
        return query.where(change.entry_id == self.entry_id, *self._is_wanted(change)).subquery("steps")

    def _is_wanted(self, change: Any) -> tuple[ColumnElement[bool], ...]:
        visible = () if self.viewer.sees_everything else (change.owner_id == self.viewer.id,)
        if self.only is None:
            return visible
        table, record_id = self.only
        wanted = and_(change.table_name == table, change.record_id == record_id)
        if table != "users":
            return (*visible, wanted)
        # What was deleted, or added, with the user. Without the user, it is not wanted either.
        return (
            *visible,
            or_(wanted, *(self._comes_with_user(change, record_id, side) for side in ("before", "after"))),
        )

    def _comes_with_user(self, change: Any, user_id: int, missing: str) -> ColumnElement[bool]:
        """Return whether a record of the user was deleted (no `after`) or added (no `before`) with them."""
        user = aliased(Change)
        of_user = user.entry_id == self.entry_id, user.table_name == "users", user.record_id == user_id
        with_user = exists().where(*of_user, getattr(user, missing).is_(None))
        return and_(change.owner_id == user_id, getattr(change, missing).is_(None), with_user)
