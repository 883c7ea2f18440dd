"""Old events are deleted, the oldest first, in steps."""

import datetime

from myproject.db.base import utcnow
from myproject.history.events.pruning import prune_events


def pruned(probe, days, limit):
    """Return how many events a step deletes that are older than `days`."""
    older_than = utcnow() - datetime.timedelta(days=days)
    return int(probe(lambda request: str(prune_events(request.dbsession, older_than, limit))).text)


def test_only_older_events_are_deleted(probe, make_event, stored):
    for days in 400, 401, 399, 0:
        make_event("signed in", user_id=days + 1, days=days, minutes=1)
    assert pruned(probe, 400, 100) == 2
    assert [event["user_id"] for event in stored()] == [400, 1]


def test_a_step_deletes_the_oldest_and_at_most_its_limit(probe, make_event, stored):
    for days in 3, 9, 7, 8:
        make_event("signed in", user_id=days, days=days)
    assert pruned(probe, 1, 2) == 2
    assert [event["user_id"] for event in stored()] == [7, 3]
    assert pruned(probe, 1, 3) == 2
    assert pruned(probe, 1, 3) == 0


def test_the_id_of_a_deleted_event_is_not_used_again(probe, make_event, stored):
    first = make_event("signed in", days=9)
    pruned(probe, 1, 10)
    assert make_event("signed in") > first
