"""Old entries are removed in short steps, and nothing else."""

import datetime

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from myproject.db.base import utcnow
from myproject.history.pruning import prune_entries
from myproject.models import Change, Entry, User

DAY = datetime.timedelta(days=1)


@pytest.fixture
def age(outside):
    """Call `age(entry, days)`: let an entry have been made `days` days ago."""

    def run(entry, days):
        with outside.begin() as connection:
            connection.execute(update(Entry).where(Entry.id == entry.id).values(created_at=utcnow() - days * DAY))

    return run


@pytest.fixture
def prune(outside):
    """Call `prune(limit)`: remove what is older than 100 days in one step; return how many rows went."""

    def run(limit=1000):
        with Session(outside) as session, session.begin():
            return prune_entries(session, utcnow() - 100 * DAY, limit)

    return run


def stored(outside, model):
    with Session(outside) as session:
        return session.scalars(select(model.id).order_by(model.id)).all()


@pytest.mark.passes_ledger_by
def test_old_entries_are_removed_with_their_changes(outside, make_user, entries, age, prune):
    make_user(name="Ada"), make_user(name="Bob")
    old, young = entries()
    age(old, 101), age(young, 99)
    assert prune() == 2
    assert [entry.id for entry in entries()] == [young.id]
    assert old.changes[0].id not in stored(outside, Change)
    assert prune() == 0


@pytest.mark.passes_ledger_by
def test_a_large_entry_is_removed_in_several_steps(outside, entries, age, prune):
    with outside.begin() as connection:
        connection.execute(insert(User), [{"name": f"User {number}"} for number in range(7)])
    for entry in entries():
        age(entry, 101)
    before = len(stored(outside, Change)), len(stored(outside, Entry))
    steps = []
    while removed := prune(3):
        steps.append(removed)
    assert max(steps) <= 6
    assert sum(steps) == sum(before) - 2
    assert (len(stored(outside, Change)), entries()) == (1, [])


@pytest.mark.passes_ledger_by
def test_the_records_stay(make_user, age, entries, prune, rows):
    make_user(name="Ada")
    age(entries()[0], 101)
    prune()
    assert [user.name for user in rows(User)] == ["Ada"]
