"""The statements that put back the records of an entry."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Subquery,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from ...db.base import utcnow
from ...signin.models import SignIn
from ...users.models import User
from ..models import Change
from ..recording import recorded_columns
from ..values import MODELS, table_of, value_of
from .rules import Action, Viewer


class Writing:
    """The statements of one undo, for the records of `steps` (chosen.py)."""

    def __init__(self, dbsession: Session, dialect: str, viewer: Viewer, steps: FromClause) -> None:
        self.dbsession, self.dialect, self.viewer, self.steps = dbsession, dialect, viewer, steps

    def free_emails(self) -> None:
        """Take the email from each user who loses it by this undo to another one: two may have swapped theirs."""
        users, holder = table_of("users"), table_of("users").alias("holder")
        givers, takers = (self._whose_email_changes(name) for name in ("givers", "takers"))
        is_taken = func.lower(holder.c.email) == func.lower(takers.c.email_before)
        gives = exists().where(givers.c.record_id == holder.c.id)
        freed = select(holder.c.id).join(takers, is_taken).where(holder.c.id != takers.c.record_id, gives)
        self.dbsession.execute(update(users).where(users.c.id.in_(freed)).values(email=None))

    def _whose_email_changes(self, name: str) -> Subquery:
        steps, email = self.steps, table_of("users").c.email
        before, after = self._values(steps, email)
        changes = select(steps.c.record_id, before.label("email_before"))
        return changes.where(steps.c.table_name == "users", before.is_distinct_from(after)).subquery(name)

    def run(self, action: Action, table: str) -> None:
        """Do what `action` says to the records of a table."""
        {Action.RESTORE: self.restore, Action.CHANGE: self.change, Action.DELETE: self.delete}[action](table)

    def restore(self, table: str) -> None:
        """Add the deleted rows again, each with a version above every earlier one, so that no old form fits it."""
        target, steps = table_of(table), self._of(table, Action.RESTORE)
        changes = Change.__table__
        ids = select(steps.c.record_id)
        versions = (
            select(changes.c.record_id, func.max(changes.c.record_version).label("last"))
            .where(changes.c.table_name == table, changes.c.record_id.in_(ids))
            .group_by(changes.c.record_id)
            .subquery("versions")
        )
        now = literal(utcnow(), target.c.updated_at.type)
        values = {name: self._restored(steps, target.c[name]) for name in recorded_columns(MODELS[table])}
        values = {"id": steps.c.record_id, **values, "version": versions.c.last + 1, "updated_at": now}
        rows = select(*values.values()).join_from(steps, versions, versions.c.record_id == steps.c.record_id)
        self.dbsession.execute(insert(target).from_select(list(values), rows))

    def change(self, table: str) -> None:
        """Set the columns that the entry has changed to their values before it."""
        target, steps = table_of(table), self._of(table, Action.CHANGE)
        values = {}
        for column in self._changed_columns(target, steps):
            before, after = self._values(steps, column)
            values[column.name] = case((before.is_distinct_from(after), before), else_=column)
        self.dbsession.execute(update(target).where(target.c.id == steps.c.record_id).values(values))
        if table == "users" and not values.keys().isdisjoint({"role", "active"}):
            self._end_sign_ins(steps)

    def _changed_columns(self, target: Any, steps: FromClause) -> list[Any]:
        """Return the columns that at least one step changes: to set others would fire their triggers for nothing.

        A column that the entry does not know was added later, and is not changed.
        """
        columns = [target.c[name] for name in recorded_columns(MODELS[target.name])]
        differences = []
        for column in columns:
            before, after = self._values(steps, column)
            differences.append(func.max(case((before.is_distinct_from(after), 1), else_=0)))
        found = self.dbsession.execute(select(*differences)).one()
        return [column for column, differs in zip(columns, found, strict=True) if differs]

    def _values(self, steps: FromClause, column: Any) -> Iterator[ColumnElement[Any]]:
        """Yield the value of `column` before and after."""
        return (value_of(self.dialect, values, column) for values in (steps.c.before, steps.c.after))

    def delete(self, table: str) -> None:
        """Delete the rows that the entry has added."""
        target, steps = table_of(table), self._of(table, Action.DELETE)
        self.dbsession.execute(delete(target).where(target.c.id.in_(select(steps.c.record_id))))

    def _end_sign_ins(self, steps: FromClause) -> None:
        """Sign out those whose role or activity changes, as the verbs of User do."""
        changed = []
        for column in (User.__table__.c.role, User.__table__.c.active):
            before, after = self._values(steps, column)
            changed.append(before.is_distinct_from(after))
        user_ids = select(steps.c.record_id).where(or_(*changed))
        kept = SignIn.id.is_distinct_from(self.viewer.sign_in)
        self.dbsession.execute(delete(SignIn).where(SignIn.user_id.in_(user_ids), kept))

    def _of(self, table: str, action: Action) -> Subquery:
        steps = self.steps
        return select(steps).where(steps.c.table_name == table, steps.c.action == action).subquery("of_table")

    def _restored(self, steps: FromClause, column: Any) -> ColumnElement[Any]:
        value = value_of(self.dialect, steps.c.before, column)
        default = column.server_default
        # A required column that was added since has no value in the entry.
        return value if column.nullable or default is None else func.coalesce(value, default.arg)
