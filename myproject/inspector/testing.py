"""For tests: what a block of code asks of the database. `pytest_plugins = ["myproject.inspector.testing"]`."""

import contextlib
from collections.abc import Callable, Iterator

import pytest

from .current import recorded_everywhere
from .listeners import listen
from .record import Record

MOST_EVENTS = 100_000

# When the plugin is loaded, before a test starts a thread.
listen()


@pytest.fixture
def recorded(request: pytest.FixtureRequest) -> Callable[[], contextlib.AbstractContextManager[Record]]:
    """Return a function that records what every thread does with SQLAlchemy in a block.

    Use it as `with recorded() as record:`. Compare `record.summary` with "3 statements, committed". If
    the test fails, its report shows the time line.
    """

    @contextlib.contextmanager
    def record() -> Iterator[Record]:
        with recording() as made:
            try:
                yield made
            finally:
                request.node.add_report_section("call", "database", made.as_text())

    return record


@contextlib.contextmanager
def recording() -> Iterator[Record]:
    """Give the block the Record of what every thread of this process does with SQLAlchemy until its end."""
    record = Record(most_events=MOST_EVENTS)
    with recorded_everywhere(record):
        yield record
