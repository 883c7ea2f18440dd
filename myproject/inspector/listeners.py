"""Registers the listeners of the inspector for every engine, pool and Session of the process."""

from collections.abc import Callable
from threading import Lock
from typing import Any

from sqlalchemy import Engine, Pool, event
from sqlalchemy.orm import Session

from . import engine_events, session_events

LISTENERS: list[tuple[Any, str, Callable[..., Any]]] = [
    (Engine, "engine_connect", engine_events.note_taken),
    (Engine, "begin", engine_events.note_begin),
    (Engine, "before_cursor_execute", engine_events.note_statement),
    (Engine, "after_cursor_execute", engine_events.note_result),
    (Engine, "handle_error", engine_events.note_error),
    (Engine, "commit", engine_events.note_commit),
    (Engine, "commit_twophase", engine_events.note_commit),
    (Engine, "rollback", engine_events.note_rollback),
    (Engine, "rollback_twophase", engine_events.note_rollback),
    (Pool, "reset", engine_events.note_reset),
    (Pool, "checkin", engine_events.note_returned),
    (Session, "do_orm_execute", session_events.note_execute),
    (Session, "before_flush", session_events.note_before_flush),
    (Session, "after_flush", session_events.note_after_flush),
    (Session, "after_transaction_create", session_events.note_savepoint),
    (Session, "after_soft_rollback", session_events.forget_savepoint),
    (Session, "pending_to_transient", session_events.note_unsaved),
    (Session, "persistent_to_detached", session_events.note_detached),
]

_lock = Lock()
_registered: list[str] = []


def listen() -> None:
    """Register the listeners, once for the process. Without a record they do nothing.

    They stay: SQLAlchemy may be calling its listeners in another thread, and fails if their list changes then. So
    call it before there are other threads.
    """
    with _lock:
        if not _registered:
            for target, name, function in LISTENERS:
                event.listen(target, name, function)
                _registered.append(name)
