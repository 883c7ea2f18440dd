"""The answer to each write, and the comparison with the database."""

import collections
import dataclasses
import uuid

ADD, EDIT, DELETE = "add", "edit", "delete"
# 303; 4xx, or 5xx with "Nothing was saved"; no answer that tells.
ACKNOWLEDGED, REFUSED, UNSETTLED = "acknowledged", "refused", "unsettled"


def values_of(token):
    """Return the name, email and age for `token`, 32 hexadecimal digits; each value is derived from it.

    Every fourth has no email, so that only the receipt prevents a second copy of the user.
    """
    number = int(token, 16)
    return {
        "name": f"O'Neil {token}",
        "email": f"{token}@example.com" if number % 4 else "",
        "age": str(number // 4 % 151),
    }


@dataclasses.dataclass
class Write:
    """One form, sent once or several times."""

    kind: str
    receipt: str
    values: dict = dataclasses.field(default_factory=dict)
    user: int | None = None
    version: int | None = None  # in the form
    answer: str = UNSETTLED
    answered_at: float = 0  # time.monotonic() of the acknowledgement
    unknown: int = 0  # number of attempts without an answer that tells
    already: bool = False  # whether a repeated form was answered with "This was saved already"


class Ledger:
    """All writes. Threads append to its lists without a lock, which is safe in Python."""

    def __init__(self):
        self.writes = []
        self.users = []  # ids to choose from; some may be deleted
        self.imports = []

    def open(self, kind, form, **details):
        """Add and return a Write for `form`, the fields of a page."""
        version = int(form["version"]) if form.get("version") else None
        write = Write(kind, form["form_token"], version=version, **details)
        self.writes.append(write)
        return write


def new_token():
    """Return a token for `values_of`."""
    return uuid.uuid4().hex


def done_of(writes, receipts):
    """Return the writes that the database has to contain: the acknowledged ones, and those that left a receipt."""
    return [w for w in writes if w.answer == ACKNOWLEDGED or (w.answer == UNSETTLED and w.receipt in receipts)]


def violations(writes, rows, receipts):
    """Return a sentence for each contradiction between `writes` and the stored `rows` of users and `receipts`."""
    done = done_of(writes, receipts)
    return [*_contradicting_receipts(writes, done, receipts), *_contradicting_rows(writes, done, rows)]


def _contradicting_receipts(writes, done, receipts):
    known = {write.receipt for write in writes if write.answer != REFUSED}
    for write in done:
        if write.receipt not in receipts:
            yield f"acknowledged, but without a receipt: {write}"
    for receipt in receipts - known:
        yield f"a receipt of what nobody did: {receipt}"


def _contradicting_rows(writes, done, rows):
    by_name = {write.values["name"]: write for write in writes if write.kind != DELETE}
    for name, count in collections.Counter(row.name for row in rows).items():
        if count > 1:
            yield f"there {count} times: {by_name.get(name, name)}"
    for row in rows:
        write = by_name.get(row.name)
        if write is None:
            yield f"nobody wrote {row}"
        elif write not in done:
            yield f"{write.answer}, but there: {write}"
        elif (row.email or "", str(row.age)) != (write.values["email"], write.values["age"]):
            yield f"half-written: {row}"
    yield from _contradicting_users(done, {row.id: row for row in rows})


def _contradicting_users(done, rows):
    """Check the versions of each user: exactly one write made each of them, and the last one is stored."""
    histories = collections.defaultdict(list)
    for write in done:
        # An unanswered add is looked up by its name.
        if write.kind == ADD and write.user is None:
            write.user = next((row.id for row in rows.values() if row.name == write.values["name"]), None)
        histories[write.user].append(write)
    # Unanswered adds whose user is missing: nobody knew the id, so nobody can have deleted the user.
    for write in histories.pop(None, ()):
        yield f"a receipt, but not there: {write}"
    for user, history in histories.items():
        kinds = collections.Counter(write.kind for write in history)
        edits = sorted((write for write in history if write.kind == EDIT), key=lambda write: write.version)
        row = rows.get(user)
        if kinds[ADD] != 1:
            yield f"user {user} was added {kinds[ADD]} times"
        if [write.version for write in edits] != list(range(1, len(edits) + 1)):
            yield f"user {user}: an edit was lost or made by nobody, {[write.version for write in edits]} were done"
        if row is None and not kinds[DELETE]:
            yield f"acknowledged, but gone: {history}"
        if row is not None and kinds[DELETE]:
            yield f"deleted, but there: {row}"
        if row is not None and row.version != len(edits) + 1:
            yield f"user {user} has version {row.version}, and {len(edits)} edits"
        last = (edits or [write for write in history if write.kind == ADD] or [None])[-1]
        if row is not None and last and row.name != last.values["name"]:
            yield f"acknowledged last, but not there: {last}"


def counts(writes):
    """Return `{label: number}` for the printed table."""
    by_answer = collections.Counter(write.answer for write in writes)
    unknown = [write for write in writes if write.unknown]
    again = collections.Counter(write.answer for write in unknown)
    return {
        "forms sent": len(writes),
        **{f"of them to {kind}": sum(write.kind == kind for write in writes) for kind in (ADD, EDIT, DELETE)},
        "acknowledged": by_answer[ACKNOWLEDGED],
        "refused": by_answer[REFUSED],
        "no answer, sent again": len(unknown),
        "… had been saved already": sum(write.already for write in unknown),
        "… were saved then": again[ACKNOWLEDGED] - sum(write.already for write in unknown),
        "… were refused then": again[REFUSED],
        "… only the receipt knows": again[UNSETTLED],
    }
