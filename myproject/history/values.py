"""Values of the ledger in SQL."""

from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Table, Text, and_, cast, func, or_, select
from sqlalchemy.orm import aliased

from .models import Change
from .recording import RECORDED

MODELS = {model.__tablename__: model for model in RECORDED}


def table_of(name: str) -> Table:
    """Return the recorded table of this name."""
    return Change.metadata.tables[name]


def is_erased(change: Any) -> ColumnElement[bool]:
    """Return whether the values of a change were removed with their person."""
    # Never NULL, so that it can be negated: a change may have no values on one side.
    return or_(*(cast(side, Text).is_not_distinct_from("{}") for side in (change.before, change.after)))


def id_of_last(change: Any) -> ScalarSelect[int]:
    """Return the id of the last change of the record of `change`."""
    newest = aliased(Change)
    of_record = (newest.table_name == change.table_name, newest.record_id == change.record_id)
    return select(func.max(newest.id)).where(*of_record).scalar_subquery()


def is_last(last: Any, change: Any) -> ColumnElement[bool]:
    """Return whether `last` is the last change of the record of `change`."""
    # The first condition follows from the second one; SQLAlchemy warns of a cartesian product without it.
    return and_(last.record_id == change.record_id, last.id == id_of_last(change))


def value_of(dialect: str, values: Any, column: Any) -> ColumnElement[Any]:
    """Return the value of `column` in `values`, a JSON column, as SQL of the column's type; NULL if it has none."""
    if dialect == "sqlite":
        return func.json_extract(values, f"$.{column.name}", type_=column.type)
    return cast(values.op("->>", return_type=Text())(column.name), column.type)
