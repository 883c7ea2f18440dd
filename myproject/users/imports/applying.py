"""Writes the records of a plan, thousands by a statement, in the caller's transaction."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    case,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateTable, DropTable

from ...db.constraints import violated_constraint
from ..administrators import LAST_ADMINISTRATOR
from ..models import User, end_sign_ins, users
from .models import AppliedImport
from .planning import CHANGED, STEP_COLUMNS, Importer, Plan
from .staging import NAMES, Progress

STEPS_PER_STATEMENT = 10_000
ENDS_SIGN_INS = STEP_COLUMNS.index("ends_sign_ins")
# How many of the records that have moved are named.
MOST_NAMED = 20
# Exists only while a plan is applied, and only for its connection.
STEPS = Table(
    "import_steps",
    MetaData(),
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("user_id", Integer),
    Column("version", Integer),
    Column("ends_sign_ins", Boolean),
    *(Column(name, users.c[name].type) for name in NAMES),
    prefixes=["TEMPORARY"],
)


class Moved(NamedTuple):
    """A record that was changed or deleted, or an email that was taken, since the plan was made.

    `changes` are the fields that were changed, with their values then and now; none if it was something else.
    """

    line: int
    user_id: int | None
    name: str
    email: str | None
    # "changed", "deleted" or "taken".
    what: str
    changes: Sequence[tuple[str, Any, Any]] = ()


class Outdated(Exception):
    """The plan is out of date, and nothing of it is written. `moved` are the first ones of `number` records.

    There are none if the role of the importer is another one by now, or the last administrator would leave.
    """

    def __init__(self, moved: Sequence[Moved], number: int) -> None:
        super().__init__(f"{number} records of the plan have moved")
        self.moved, self.number = moved, number


def apply(dbsession: Session, plan: Plan, importer: Importer, import_id: str, progress: Progress) -> None:
    """Write the records of `plan` in the transaction of `dbsession`, whose first call is `lock_users` (sets.py).

    Users whose role or activity changes are signed out. Raises `Outdated`, and what `progress` raises: then the
    transaction has to abort.
    """
    if importer.role != plan.role:
        raise Outdated([], 0)
    progress.start("applying", plan.writes)
    connection = dbsession.connection()
    connection.execute(CreateTable(STEPS))
    moved: list[Moved] = []
    number = 0
    for steps in plan.steps(STEPS_PER_STATEMENT):
        _fill(connection, steps)
        found = connection.execute(MOVED).all()
        number += len(found)
        moved += [Moved(*row) for row in found[: MOST_NAMED - len(moved)]]
        # Once a record has moved, the others are only looked at.
        if not number:
            _write(dbsession, steps)
        connection.execute(STEPS.delete())
        progress.advance(len(steps))
    if number:
        raise Outdated([_with_changes(connection, plan, each) for each in moved], number)
    connection.execute(DropTable(STEPS))
    added, changed = plan.numbers["new"], plan.numbers["changed"]
    dbsession.add(AppliedImport(id=import_id, user_id=importer.user_id, added=added, changed=changed))
    dbsession.flush()


# Scalar subqueries, which PostgreSQL looks up in an index for each step. For a join, it might read all users each time.
PRESENT_VERSION = select(users.c.version).where(users.c.id == STEPS.c.user_id).scalar_subquery()
OWNER_OF_EMAIL = select(users.c.id).where(func.lower(users.c.email) == func.lower(STEPS.c.email)).scalar_subquery()
WHAT = case(
    (STEPS.c.user_id.is_(None), case((OWNER_OF_EMAIL.is_not(None), "taken"))),
    (PRESENT_VERSION.is_(None), "deleted"),
    (STEPS.c.version != PRESENT_VERSION, "changed"),
)
STEPS_WITH_WHAT = select(STEPS.c.line, STEPS.c.user_id, STEPS.c.name, STEPS.c.email, WHAT.label("what")).subquery()
MOVED = select(STEPS_WITH_WHAT).where(STEPS_WITH_WHAT.c.what.is_not(None)).order_by(STEPS_WITH_WHAT.c.line)
ADD = insert(User).from_select(
    NAMES, select(*(STEPS.c[name] for name in NAMES)).where(STEPS.c.user_id.is_(None)).order_by(STEPS.c.line)
)
CHANGE = update(User).where(users.c.id == STEPS.c.user_id).values({name: STEPS.c[name] for name in CHANGED})


def _with_changes(connection: Connection, plan: Plan, moved: Moved) -> Moved:
    """Return `moved` with what has changed since the plan was made."""
    columns = [users.c[name] for name in CHANGED]
    present = connection.execute(select(*columns).where(users.c.id == moved.user_id)).first()
    if present is None:
        return moved
    both = zip(plan.before(moved.line).items(), present, strict=True)
    return moved._replace(changes=[(name, then, now) for (name, then), now in both if then != now])


def _fill(connection: Connection, steps: Sequence[tuple[Any, ...]]) -> None:
    columns = ", ".join(STEP_COLUMNS)
    if connection.dialect.name == "postgresql":
        driver: Any = connection.connection.dbapi_connection
        with driver.cursor() as cursor, cursor.copy(f"COPY {STEPS.name} ({columns}) FROM STDIN") as copy:
            for step in steps:
                copy.write_row(step)
        # Without it, PostgreSQL plans for a few rows.
        connection.execute(text(f"ANALYZE {STEPS.name}"))
    else:
        values = ", ".join("?" * len(STEP_COLUMNS))
        connection.exec_driver_sql(f"INSERT INTO {STEPS.name} ({columns}) VALUES ({values})", steps)  # nosec B608


def _write(dbsession: Session, steps: Sequence[tuple[Any, ...]]) -> None:
    """Write the records of STEPS, which has `steps`."""
    if any(step[ENDS_SIGN_INS] for step in steps):
        end_sign_ins(dbsession, select(STEPS.c.user_id).where(STEPS.c.ends_sign_ins))
    try:
        dbsession.execute(ADD)
        dbsession.execute(CHANGE)
    except IntegrityError as error:
        # Other administrators have left since.
        if violated_constraint(error) == LAST_ADMINISTRATOR:
            raise Outdated([], 0) from error
        raise
