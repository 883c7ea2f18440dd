"""Security events as another program reads them, and people and browsers that cause some."""

import datetime

import pytest
from sqlalchemy import insert, select

from myproject.db.base import utcnow
from myproject.models import SecurityEvent
from tests.signin.conftest import ada, admin, enter, make_person, visitor  # noqa: F401


@pytest.fixture
def stored(outside):
    """Call `stored()`: return the committed security events, oldest first, as dictionaries with their facts read."""

    def read():
        table = SecurityEvent.__table__
        with outside.connect() as connection:
            rows = connection.execute(select(table).order_by(table.c.happened_at, table.c.id)).mappings().all()
        return [{**row, "facts": SecurityEvent(facts=row["facts"]).load_facts()} for row in rows]

    return read


@pytest.fixture
def make_event(outside):
    """Call `make_event("signed in", days=3, user_id=7)`: store an event that happened so long ago."""

    def make(kind="signed in", *, address="", request_id="", facts="{}", **values):
        ago = {name: values.pop(name) for name in ("days", "hours", "minutes", "seconds") if name in values}
        moment = values.pop("happened_at", utcnow() - datetime.timedelta(**ago))
        values |= {"kind": kind, "address": address, "request_id": request_id, "facts": facts, "happened_at": moment}
        with outside.begin() as connection:
            return connection.execute(insert(SecurityEvent).values(values)).inserted_primary_key[0]

    return make


def kinds(events):
    """Return the kinds of events, and the numbers of those that count others."""
    return [event["kind"] if event["number"] is None else (event["kind"], event["number"]) for event in events]
