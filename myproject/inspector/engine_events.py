"""Listeners for what goes to the database: connections, statements, COMMIT and ROLLBACK, of every engine."""

import re
import threading
import time
from typing import Any

from sqlalchemy import Connection as EngineConnection
from sqlalchemy import ExceptionContext, QueuePool

from . import events
from .current import current_records
from .events import Connection, Event, Statement
from .places import find_place
from .record import Record
from .values import show_error, show_parameters

CONTROL = re.compile(r"\s*(BEGIN|SAVEPOINT|RELEASE|ROLLBACK|SET|PRAGMA)\b", re.IGNORECASE)
SAVEPOINT = re.compile(r"\s*(SAVEPOINT|RELEASE SAVEPOINT|ROLLBACK TO SAVEPOINT) (\w+)", re.IGNORECASE)
WRITE = re.compile(
    r"\s*(INSERT|UPDATE|DELETE|MERGE|REPLACE|CREATE|DROP|ALTER|TRUNCATE|COPY|WITH\b.*\b(INSERT|UPDATE|DELETE|MERGE))\b",
    re.IGNORECASE | re.DOTALL,
)
# The execution option by which a statement says what it loads for an attribute that was read.
LAZY_LOAD = "inspector_lazy_load"


def note_asked(record: Record) -> None:
    """Remember that this thread is about to use a connection: it may have to wait for one."""
    record.pending["asked", threading.get_ident()] = time.perf_counter()


def note_taken(connection: EngineConnection) -> None:
    """Listen to "engine_connect": a connection was taken from the pool."""
    for record in current_records():
        engine = connection.engine
        taken = Connection(
            len(record.connections) + 1,
            engine.url.render_as_string(hide_password=True),
            engine.dialect.name,
            find_place(),
        )
        record.connections.append(taken)
        record.pending[id(connection.connection.record_info)] = taken
        asked = record.pending.pop(("asked", threading.get_ident()), None)
        facts = [] if asked is None else [f"after {(time.perf_counter() - asked) * 1000:.1f} ms"]
        if isinstance(engine.pool, QueuePool):
            facts.append(f"{engine.pool.checkedout()} in use")
        record.add(Event(events.TAKEN, ", ".join(facts), taken.number, taken.place))


def note_returned(_driver: Any, entry: Any) -> None:
    """Listen to "checkin": a connection was returned to the pool."""
    for record in current_records():
        taken = record.pending.pop(id(entry.record_info), None)
        if taken is not None:
            taken.is_returned = True
            record.pending.pop(("committing", taken.number), None)
            record.add(Event(events.RETURNED, connection=taken.number))


def note_reset(_driver: Any, entry: Any, state: Any) -> None:
    """Listen to "reset": a COMMIT that SQLAlchemy has to roll back was refused by a listener, or has failed."""
    for record in current_records():
        taken = record.pending.get(id(entry.record_info))
        if taken is not None and state.transaction_was_reset:
            _note_failed_commit(record, taken.number)


def note_begin(connection: EngineConnection) -> None:
    """Listen to "begin"."""
    _note_end(connection, events.BEGIN)


def note_commit(connection: EngineConnection, *_: Any) -> None:
    """Listen to "commit" and "commit_twophase", which come before the COMMIT itself."""
    for record in current_records():
        number = number_of(record, connection)
        event = Event(events.COMMIT, connection=number, place=find_place())
        [failed] = [
            transaction.failed_statement
            for transaction in record.transactions
            if transaction.connection == number and transaction.end is None
        ] or [None]
        if failed is not None and connection.dialect.name == "postgresql":
            event.error = "a statement has failed before, so the database answers COMMIT by a ROLLBACK"
        record.pending["committing", number] = event
        record.add(event)
        record.depth = 0


def note_rollback(connection: EngineConnection, *_: Any) -> None:
    """Listen to "rollback" and "rollback_twophase", which come before the ROLLBACK itself."""
    for record in current_records():
        _note_failed_commit(record, number_of(record, connection))
    _note_end(connection, events.ROLLBACK)


def _note_end(connection: EngineConnection, kind: str) -> None:
    for record in current_records():
        number = number_of(record, connection)
        record.pending.pop(("committing", number), None)
        record.add(Event(kind, connection=number, place=find_place()))
        record.depth = 0


def _note_failed_commit(record: Record, number: int | None) -> None:
    event = record.pending.pop(("committing", number), None)
    if event is not None:
        event.error = event.error or "refused before it was sent"


def note_statement(
    connection: EngineConnection, _cursor: Any, sql: str, parameters: Any, context: Any, is_many: bool
) -> None:
    """Listen to "before_cursor_execute"."""
    for record in current_records():
        rows = getattr(context, "compiled_parameters", None) or (parameters if is_many else [parameters])
        statement = Statement(
            events.CONTROL if CONTROL.match(sql) else events.STATEMENT,
            sql,
            number_of(record, connection),
            find_place(),
            parameters=show_parameters(sql, rows[0]) if rows else "",
            parameter_sets=max(len(rows), 1),
            is_write=WRITE.match(sql) is not None,
            lazy_load=context.execution_options.get(LAZY_LOAD, ""),
        )
        record.pending[context] = statement
        _add_at_its_depth(record, statement)


def _add_at_its_depth(record: Record, statement: Statement) -> None:
    found = SAVEPOINT.match(statement.text)
    if found and found[1].upper() != "SAVEPOINT":
        record.depth = record.pending.pop(("savepoint", found[2]), 0)
    record.add(statement)
    if found and found[1].upper() == "SAVEPOINT":
        record.pending["savepoint", found[2]] = record.depth
        record.depth += 1


def note_result(
    connection: EngineConnection, cursor: Any, _sql: str, _parameters: Any, context: Any, _is_many: bool
) -> None:
    """Listen to "after_cursor_execute"."""
    # SQLite counts the rows of a SELECT or of RETURNING only while they are fetched.
    is_uncounted = cursor.rowcount < 0 or (connection.dialect.name == "sqlite" and cursor.description is not None)
    for record in current_records():
        statement = record.pending.pop(context, None)
        if statement is not None:
            statement.took_ms = record.elapsed_ms - statement.at_ms
            statement.rows = None if is_uncounted else cursor.rowcount
            _move_commit(record, statement.connection)


def _move_commit(record: Record, number: int | None) -> None:
    # Another listener to "commit" has sent the statement: the COMMIT itself comes after it.
    event = record.pending.get(("committing", number))
    if event is not None:
        record.move_to_end(event)


def note_error(context: ExceptionContext) -> None:
    """Listen to "handle_error": a statement, a COMMIT or the connecting has failed."""
    text = show_error(context.original_exception)
    for record in current_records():
        statement = record.pending.pop(context.execution_context, None) if context.execution_context else None
        number = None if context.connection is None else number_of(record, context.connection)
        committing = record.pending.get(("committing", number))
        if statement is not None:
            statement.took_ms = record.elapsed_ms - statement.at_ms
            statement.error = text
        elif committing is not None:
            committing.error = text
        else:
            record.add(Event(events.ERROR, text, number, find_place()))


def number_of(record: Record, connection: EngineConnection) -> int | None:
    """Return the number of `connection` in `record`; `None` if it was taken before the record."""
    # Asked for its connection, one that is broken would try to connect again.
    if connection.closed or connection.invalidated:
        return None
    taken = record.pending.get(id(connection.connection.record_info))
    return None if taken is None else taken.number
