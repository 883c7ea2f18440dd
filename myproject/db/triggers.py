"""Creates with a table what its model cannot declare: triggers, and the functions and tables that they need."""

from collections.abc import Iterable

from sqlalchemy import DDL, FromClause, event


def create_with_table(table: FromClause, *, sqlite: Iterable[str], postgresql: Iterable[str]) -> None:
    """Execute the statements for the database's dialect after `table` is created; a `%` in them is written `%%`."""
    for dialect, statements in {"sqlite": sqlite, "postgresql": postgresql}.items():
        for statement in statements:
            event.listen(table, "after_create", DDL(statement).execute_if(dialect=dialect))
