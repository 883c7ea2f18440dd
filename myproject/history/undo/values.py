"""Values of the ledger in SQL."""

from typing import Any

from sqlalchemy import ColumnElement, Table, Text, cast, func, or_

from ..models import Change
from ..recording import RECORDED

MODELS = {model.__tablename__: model for model in RECORDED}


def table_of(name: str) -> Table:
    """Return the recorded table of this name."""
    return Change.metadata.tables[name]


def is_erased(change: Any) -> ColumnElement[bool]:
    """Return whether the values of a change were removed with their person."""
    return or_(cast(change.before, Text) == "{}", cast(change.after, Text) == "{}")


def value_of(dialect: str, values: Any, column: Any) -> ColumnElement[Any]:
    """Return the value of `column` in `values`, a JSON column, as SQL of the column's type; NULL if it has none."""
    if dialect == "sqlite":
        return func.json_extract(values, f"$.{column.name}", type_=column.type)
    return cast(values.op("->>", return_type=Text())(column.name), column.type)
