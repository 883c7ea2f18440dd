"""Listeners for what Sessions do: flushes, what they write, loads for an attribute, and objects that are dropped."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Mapper, ORMExecuteState, Session, SessionTransaction

from ..db.changes import ADDED, CHANGED, DELETED, noun_of
from . import events
from .current import current_records
from .engine_events import LAZY_LOAD, note_asked, number_of
from .events import Change, Event
from .places import find_place
from .values import show_key, show_value


def note_execute(state: ORMExecuteState) -> None:
    """Listen to "do_orm_execute": the Session takes its connection next, if it has none."""
    records = current_records()
    for record in records:
        note_asked(record)
    if records and state.is_select:
        lazy_load = _name_lazy_load(state)
        if lazy_load:
            state.update_execution_options(**{LAZY_LOAD: lazy_load})


def _name_lazy_load(state: ORMExecuteState) -> str:
    path = state.loader_strategy_path
    if state.is_relationship_load and state.lazy_loaded_from is not None and path is not None:
        return str(path[-1])
    return ""


def note_before_flush(session: Session, _context: Any, _instances: Any) -> None:
    """Listen to "before_flush"."""
    for record in current_records():
        note_asked(record)
        counts = {"new": len(session.new), "changed": len(session.dirty), "deleted": len(session.deleted)}
        text = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        record.add(Event(events.FLUSH, text, place=find_place()))


def note_after_flush(session: Session, _context: Any) -> None:
    """Listen to "after_flush", where the objects are still known as changed, and have their keys."""
    records = current_records()
    if not records:
        return
    for mapper, change in _find_changes(session):
        connection = session.connection(bind_arguments={"mapper": mapper})
        for record in records:
            record.add_change(Change(**change, connection=number_of(record, connection)))


def _find_changes(session: Session) -> Iterable[tuple[Mapper[Any], dict[str, Any]]]:
    for written in session.new:
        yield _describe(written, ADDED)
    for written in session.dirty:
        if session.is_modified(written):
            yield _describe(written, CHANGED)
    for written in session.deleted:
        yield _describe(written, DELETED)


def _describe(written: object, kind: str) -> tuple[Mapper[Any], dict[str, Any]]:
    state = inspect(written, raiseerr=True)
    values = {}
    for column in state.mapper.column_attrs:
        history, name = state.attrs[column.key].history, column.key
        old = show_value(name, history.deleted[0]) if history.deleted else ""
        new = show_value(name, history.added[0]) if history.added else ""
        if kind == DELETED:
            old, new = old or (show_value(name, history.unchanged[0]) if history.unchanged else ""), ""
        if old or new:
            values[name] = (old, new)
    columns = zip(state.mapper.primary_key, state.mapper.primary_key_from_instance(written), strict=True)
    key = ", ".join(show_key(column.name, value) for column, value in columns)
    return state.mapper, {"kind": kind, "model": noun_of(type(written)), "key": key, "values": values}


def note_savepoint(_session: Session, transaction: SessionTransaction) -> None:
    """Listen to "after_transaction_create": a savepoint, perhaps."""
    if transaction.nested:
        for record in current_records():
            record.savepoints[transaction] = len(record.changes)


def forget_savepoint(_session: Session, transaction: SessionTransaction) -> None:
    """Listen to "after_soft_rollback": what was written since a savepoint is rolled back."""
    for record in current_records():
        if transaction in record.savepoints:
            del record.changes[record.savepoints[transaction] :]


def note_unsaved(session: Session, dropped: object) -> None:
    """Listen to "pending_to_transient": a new object leaves the Session, which will not save it."""
    _note_dropped(session, f"a new {noun_of(type(dropped))} that was never saved")


def note_detached(session: Session, dropped: object) -> None:
    """Listen to "persistent_to_detached": an object leaves the Session, perhaps with changes that were never saved."""
    state = inspect(dropped, raiseerr=True)
    if state.modified and any(attribute.history.has_changes() for attribute in state.attrs):
        _note_dropped(session, f"changes of a {noun_of(type(dropped))} that were never saved")


def _note_dropped(session: Session, text: str) -> None:
    # A savepoint that is rolled back, and a transaction manager that aborts, drop objects as they should.
    if not session.in_nested_transaction():
        for record in current_records():
            if not record.is_ending:
                record.add(Event(events.DROPPED, text, place=find_place()))
