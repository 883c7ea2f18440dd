"""Which records the work of this moment belongs to."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from .record import Record

# The record of the request that this thread works on.
_of_request: ContextVar[Record | None] = ContextVar("record of a request", default=None)
# The records of tests, which belong to every thread.
_of_process: list[Record] = []


def current_records() -> list[Record]:
    """Return the records that what happens now belongs to."""
    record = _of_request.get()
    return _of_process if record is None else [record, *_of_process]


@contextlib.contextmanager
def recorded_in(record: Record) -> Iterator[None]:
    """Let what this thread does in the block belong to `record`, and to no other request."""
    token = _of_request.set(record)
    try:
        yield
    finally:
        _of_request.reset(token)


@contextlib.contextmanager
def recorded_everywhere(record: Record) -> Iterator[None]:
    """Let what any thread does during the block belong to `record`, too."""
    _of_process.append(record)
    try:
        yield
    finally:
        _of_process.remove(record)
