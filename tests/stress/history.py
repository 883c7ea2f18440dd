"""The comparison of the history with the answers: each form that was done has one entry, and no other form has any."""

import collections

import sqlalchemy

from myproject.models import Change, Entry

from .ledger import ADD, DELETE, EDIT

ROUTES = {ADD: "users.new", EDIT: "users.edit", DELETE: "users.delete"}


def read_changes(connection, after):
    """Return the changes with an id above `after`, each with the columns of its entry."""
    columns = (Change.record_id, Change.before, Change.after, Entry.actor_id, Entry.route, Entry.request_id)
    query = sqlalchemy.select(*columns).outerjoin(Entry, Entry.id == Change.entry_id).where(Change.id > after)
    return connection.execute(query.order_by(Change.id)).all()


def contradicting_history(done, changes, actor_id=0):
    """Return a sentence for each form of `done` that has not one entry, and for each entry that no form has made."""
    found = collections.defaultdict(list)
    for change in changes:
        found[key_of_change(change)].append(change)
    expected = {key_of(write): write for write in done}
    sentences = [f"done, but not in the history: {write}" for key, write in expected.items() if key not in found]
    for key, same in found.items():
        if key not in expected:
            sentences.append(f"in the history, but not done: {same[0]}")
        elif len(same) > 1:
            sentences.append(f"{len(same)} times in the history: {expected[key]}")
        elif (same[0].actor_id, same[0].route) != (actor_id, ROUTES[key[0]]):
            sentences.append(f"in the history of another person or page: {same[0]}")
    shared = collections.Counter(change.request_id for change in changes)
    return [*sentences, *(f"{number} changes of the request {name}" for name, number in shared.items() if number > 1)]


def key_of(write):
    """Return what tells one form from all others: an added or edited user gets a name that nobody else has."""
    return write.kind, write.user if write.kind == DELETE else write.values["name"]


def key_of_change(change):
    """Return the key of the form that has made this change."""
    if change.after is None:
        return DELETE, change.record_id
    return ADD if change.before is None else EDIT, change.after["name"]
