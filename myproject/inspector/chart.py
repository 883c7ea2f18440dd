"""The bars beside the events of the time line, on one axis for the whole request."""

from .events import COMMIT, RETURNED, ROLLBACK, TAKEN, Event
from .record import Record

# Percent of the axis: what took no time is still seen.
NARROWEST_BAR = 0.4
# SQLAlchemy tells only when a COMMIT begins; the connection is returned at its end.
UNTIL_RETURNED = (TAKEN, COMMIT, ROLLBACK)


class Chart:
    """How long the events of a record took, and where their bars are."""

    def __init__(self, record: Record) -> None:
        """Take the record. Its axis begins with the request, and ends with the last event."""
        self.end_ms = max([record.took_ms, *(event.at_ms for event in record.events)]) or 1
        self.returned = {event.connection: event.at_ms for event in record.events if event.kind == RETURNED}

    def took_ms(self, event: Event) -> float | None:
        """Return how long a statement, a COMMIT or a ROLLBACK took, or a connection was taken; `None` for others."""
        if event.kind in UNTIL_RETURNED and event.connection in self.returned:
            return self.returned[event.connection] - event.at_ms
        return getattr(event, "took_ms", None)

    def bar(self, event: Event) -> str:
        """Return the CSS that places the bar of an event on the axis."""
        left = min(100 * event.at_ms / self.end_ms, 100 - NARROWEST_BAR)
        width = max(100 * (self.took_ms(event) or 0) / self.end_ms, NARROWEST_BAR)
        return f"left: {left:.2f}%; width: {min(width, 100 - left):.2f}%"
