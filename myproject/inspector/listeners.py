"""Registers the listeners of the inspector for every engine, pool and Session of the process, and removes them."""

import contextlib
from collections.abc import Callable, Iterator
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
_users: list[object] = []


def listen(user: object) -> None:
    """Register the listeners, if nobody has before, until `user` and all others have called `stop`."""
    with _lock:
        if not _users:
            for target, name, function in LISTENERS:
                event.listen(target, name, function)
        _users.append(user)


def stop(user: object) -> None:
    """Remove the listeners, if nobody else needs them."""
    with _lock:
        _users.remove(user)
        if not _users:
            for target, name, function in LISTENERS:
                event.remove(target, name, function)


@contextlib.contextmanager
def listening() -> Iterator[None]:
    """Keep the listeners registered during the block."""
    user = object()
    listen(user)
    try:
        yield
    finally:
        stop(user)
