"""Compares the rows of a file with the records: who would be added, who changed and how, and which lines are refused.

The records are read by short read-only transactions, thousands of emails at a time, so that nobody waits for it. What
changes meanwhile is found when the plan is applied, by the versions of the records.
"""

import contextlib
import csv
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import IO, Any, NamedTuple

from pyramid.i18n import TranslationString
from sqlalchemy import Boolean, Row, func, literal_column, select, text
from sqlalchemy.orm import Session, sessionmaker

from ...db.stream import read_rows as read_records
from ...web.csv import defuse, restore
from ...web.i18n import _, message_from_json
from ..administrators import CAN_ADMINISTER
from ..fields import EMAIL_TAKEN, FIELDS, LAST_ADMINISTRATOR_STAYS
from ..models import users
from .reading import read_rows
from .staging import LINES_PER_STEP, NAMES, Options, Progress, Refused, open_staged, read_facts, refuse, store_facts

KINDS = ("new", "changed", "same")
DEFAULTS = {field.name: field.default for field in FIELDS}
# The email finds the record, and stays as it is.
CHANGED = tuple(name for name in NAMES if name != "email")
EMAIL = NAMES.index("email")
ROLE, ACTIVE = CHANGED.index("role"), CHANGED.index("active")
# Of a record to write, which is a line of the plan; without a user, it is added.
STEP_COLUMNS = ("line", "user_id", "version", "ends_sign_ins", *NAMES)

# Of the refused lines as a file.
ADDED_TITLES = ("line", "reason")
LINES_AFTER = f"SELECT line, email_key, {', '.join(NAMES)} FROM lines WHERE line > ? ORDER BY line LIMIT ?"  # nosec B608
SET_FOUND = f"""
    UPDATE lines SET kind = ?, user_id = ?, version = ?, before = ?, ends_sign_ins = ?, email = ?,
        {", ".join(f"{name} = ?" for name in CHANGED)}
    WHERE line = ?
"""  # nosec B608
SET_NEW = f"""
    UPDATE lines SET kind = 'new', ends_sign_ins = 0, {", ".join(f"{name} = coalesce({name}, ?)" for name in NAMES)}
    WHERE kind IS NULL
"""  # nosec B608

NO_EMAIL = _("An update finds a user by the email. Fill it in.")
NO_SUCH_USER = _("No user has this email.")
ROLE_BY_ADMINISTRATORS = _("Only administrators can set another role.")
RECORD_OF_ADMINISTRATOR = _("Only administrators can change the record of an administrator.")
# So no import signs out the person who imports.
OWN_ACCOUNT = _("This is your own account. Change its role and activity on its own page.")


@dataclass(frozen=True)
class Importer:
    """Who imports: it is decided by this for each line what they may change. A command has no `user_id`."""

    user_id: int | None
    role: str


COMMAND = Importer(None, "admin")


class Sample(NamedTuple):
    """A line of the plan: `values` of the record after the import, `before` of a changed one, by the fields' names."""

    line: int
    values: Mapping[str, Any]
    before: Mapping[str, Any]

    @property
    def changes(self) -> list[tuple[str, Any, Any]]:
        """Each field that changes, with its value before and after."""
        return [
            (name, before, self.values[name]) for name, before in self.before.items() if before != self.values[name]
        ]


class Refusal(NamedTuple):
    """A refused value: its number in the order of lines, the line, the field or `None`, the value, and why."""

    id: int
    line: int
    field: str | None
    value: str
    message: TranslationString


class AccountChange(NamedTuple):
    """A user whose role or activity changes."""

    user_id: int
    role_before: str
    active_before: bool
    role: str
    active: bool

    @property
    def facts(self) -> dict[str, Any]:
        """What a security event says of it."""
        return {name: value for name, value in self._asdict().items() if name != "user_id"} | {"email_changed": False}


class Plan:
    """What an import would do, as `rows.sqlite` has it; any process can open it."""

    def __init__(self, staged: Path) -> None:
        """Read the facts of the plan in the file `staged`."""
        self.staged = staged
        with self._connection() as connection:
            facts = read_facts(connection)
        self.numbers: Mapping[str, int] = facts["numbers"]
        self.role: str = facts["role"]
        # Whether a role would be set: the password is asked for.
        self.changes_accounts: bool = facts["changes_accounts"]
        # How many of the new users have no email: nobody knows whether they are there already.
        self.new_without_email: int = facts["new_without_email"]
        self.options = Options.from_json(facts["options"])
        self.header: Sequence[str] = facts["header"]
        self._upload = Path(facts["upload"])

    @property
    def writes(self) -> int:
        """How many records would be written."""
        return self.numbers["new"] + self.numbers["changed"]

    @property
    def can_be_applied(self) -> bool:
        """Whether there is something to write, and no refused line forbids it."""
        return self.writes > 0 and (self.options.good_lines_only or not self.numbers["refused"])

    def samples(self, kind: str, limit: int) -> list[Sample]:
        """Return the first lines of one of KINDS."""
        query = f"SELECT line, before, {', '.join(NAMES)} FROM lines WHERE kind = ? ORDER BY line LIMIT ?"  # nosec B608
        with self._connection() as connection:
            rows = connection.execute(query, (kind, limit)).fetchall()
        return [
            Sample(line, _as_values(values), dict(zip(CHANGED, json.loads(before), strict=True)) if before else {})
            for line, before, *values in rows
        ]

    def before(self, line: int) -> dict[str, Any]:
        """Return the values of the record of a changed line, without its email, as the plan has found them."""
        with self._connection() as connection:
            [before] = connection.execute("SELECT before FROM lines WHERE line = ?", (line,)).fetchone()
        return dict(zip(CHANGED, json.loads(before), strict=True))

    def changed_accounts(self, limit: int) -> list[AccountChange]:
        """Return the first users whose role or activity changes, for the security events."""
        query = (
            "SELECT user_id, role, active, before FROM lines"
            " WHERE kind = 'changed' AND ends_sign_ins ORDER BY line LIMIT ?"
        )
        with self._connection() as connection:
            rows = connection.execute(query, (limit,)).fetchall()
        changes = []
        for user_id, role, active, before in rows:
            then = json.loads(before)
            changes.append(AccountChange(user_id, then[ROLE], then[ACTIVE], role, bool(active)))
        return changes

    def refusals(self, limit: int, after: int = 0) -> list[Refusal]:
        """Return up to `limit` refused values, by line, beyond the first `after` ones."""
        query = "SELECT field, line, value, message FROM refusals ORDER BY line, id LIMIT ? OFFSET ?"
        with self._connection() as connection:
            rows = connection.execute(query, (limit, after)).fetchall()
        return [
            Refusal(number, line, field, value, message_from_json(json.loads(message)))
            for number, (field, line, value, message) in enumerate(rows, after + 1)
        ]

    def write_refused(self, file: IO[str], translate: Callable[[TranslationString], str]) -> None:
        """Write the refused lines as CSV: their cells, and two more, the number of the line and the reason.

        When the corrected file is imported, these two are ignored. The cells beyond the header's come after them.
        """
        is_numbered = tuple(self.header[-len(ADDED_TITLES) :]) == ADDED_TITLES
        width = len(self.header) - (len(ADDED_TITLES) if is_numbered else 0)
        writer = csv.writer(file)
        writer.writerow([*(defuse(restore(title)) for title in self.header[:width]), *ADDED_TITLES])
        with self._connection() as connection:
            refused = _messages_by_line(connection)
            line, messages = next(refused, (0, []))
            for number, cells in read_rows(self._upload, self.options.format):
                if number == line:
                    own = [defuse(restore(cell)) for cell in [*cells, *[""] * (width - len(cells))]]
                    reason = " ".join(map(translate, messages))
                    writer.writerow([*own[:width], number, reason, *own[len(self.header) :]])
                    line, messages = next(refused, (0, []))

    def steps(self, size: int) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the records to write as rows of STEP_COLUMNS, by line, `size` at a time."""
        columns = ", ".join(STEP_COLUMNS)
        query = f"SELECT {columns} FROM lines WHERE kind IN ('new', 'changed') ORDER BY line"  # nosec B608
        with self._connection() as connection:
            cursor = connection.execute(query)
            while rows := cursor.fetchmany(size):
                yield rows

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(sqlite3.connect(f"{self.staged.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            yield connection


def make_plan(
    factory: sessionmaker[Session], staged: Path, options: Options, importer: Importer, progress: Progress
) -> Plan:
    """Compare the rows in the file `staged`, fresh from `stage`, with the records; return what would happen to them.

    Raises what `progress` raises.
    """
    with open_staged(staged) as connection:
        comparison = Comparison(options, importer)
        progress.start("comparing", connection.execute("SELECT count(*) FROM lines").fetchone()[0])
        lines = connection.execute(LINES_AFTER, (0, LINES_PER_STEP)).fetchall()
        while lines:
            comparison.compare(lines, _records_by_email(factory, [key for _line, key, *_ in lines if key is not None]))
            comparison.store(connection)
            progress.advance(len(lines))
            lines = connection.execute(LINES_AFTER, (lines[-1][0], LINES_PER_STEP)).fetchall()
        comparison.keep_administrator(connection, _count_administrators(factory))
        connection.execute("DELETE FROM lines WHERE line IN (SELECT line FROM refusals)")
        connection.execute(SET_NEW, tuple(DEFAULTS.values()))
        connection.execute("CREATE INDEX lines_by_kind ON lines (kind, line)")
        connection.execute("CREATE INDEX refusals_by_line ON refusals (line, id)")
        store_facts(
            connection,
            numbers=_count(connection),
            role=importer.role,
            changes_accounts=comparison.changes_role or _adds_role(connection),
            new_without_email=_count_new_without_email(connection),
        )
    return Plan(staged)


class Comparison:
    """Decides line by line what becomes of the records, and collects it for `rows.sqlite`."""

    def __init__(self, options: Options, importer: Importer) -> None:
        """Take how and by whom the file is imported."""
        self.mode = options.mode
        # Of each of CHANGED: its place in NAMES, whether the file has a column for it, and whether `None` is a value.
        self.columns = [
            (NAMES.index(name), name in options.columns, name in options.columns and DEFAULTS[name] is None)
            for name in CHANGED
        ]
        self.importer, self.is_administrator = importer, importer.role == "admin"
        self.changes_role = False
        # Lines that take an administrator away: how many, and the last one.
        self.leaving, self.last_leaving = 0, 0
        # Parameters of SET_FOUND.
        self.found: list[tuple[Any, ...]] = []
        self.refused: list[Refused] = []

    def compare(self, lines: Sequence[tuple[Any, ...]], records: Mapping[str, Row[Any]]) -> None:
        """Decide what becomes of `lines`, rows of LINES_AFTER; `records` are those with their emails."""
        for line, key, *values in lines:
            record = records.get(key)
            if record is None:
                self._add(line, values)
            elif self.mode == "add":
                self._refuse(line, "email", values[EMAIL], EMAIL_TAKEN)
            else:
                self._change(line, record, values)

    def store(self, connection: sqlite3.Connection) -> None:
        """Write what was decided since the last call."""
        connection.executemany(SET_FOUND, self.found)
        refuse(connection, self.refused)
        self.found, self.refused = [], []

    def keep_administrator(self, connection: sqlite3.Connection, administrators: int) -> None:
        """Refuse the last line that takes an administrator away, if no other of these `administrators` would stay."""
        if self.leaving and self.leaving >= administrators:
            self._refuse(self.last_leaving, None, "", LAST_ADMINISTRATOR_STAYS)
            self.store(connection)

    def _add(self, line: int, values: Sequence[Any]) -> None:
        email, role = values[EMAIL], values[NAMES.index("role")]
        if self.mode == "update":
            self._refuse(line, "email", email or "", NO_SUCH_USER if email else NO_EMAIL)
        elif role not in (None, DEFAULTS["role"]) and not self.is_administrator:
            self._refuse(line, "role", role, ROLE_BY_ADMINISTRATORS)

    def _change(self, line: int, record: Row[Any], values: Sequence[Any]) -> None:
        before = record[-len(CHANGED) :]
        after = self._after(before, values)
        accounts = (before[ROLE], bool(before[ACTIVE])), (after[ROLE], bool(after[ACTIVE]))
        if after != before:
            if self._is_refused(line, record, *accounts):
                return
            if record.can_administer and accounts[1] != ("admin", True):
                self.leaving, self.last_leaving = self.leaving + 1, line
            self.changes_role = self.changes_role or after[ROLE] != before[ROLE]
        kind, ends_sign_ins = "same" if after == before else "changed", accounts[0] != accounts[1]
        facts = (kind, record.id, record.version, json.dumps(before), ends_sign_ins, record.email)
        self.found.append((*facts, *after, line))

    def _after(self, before: tuple[Any, ...], values: Sequence[Any]) -> tuple[Any, ...]:
        """Return the values of CHANGED after the import, of a record that had those of `before`."""
        return tuple(
            values[index] if is_there and (takes_none or values[index] is not None) else value
            for value, (index, is_there, takes_none) in zip(before, self.columns, strict=True)
        )

    def _is_refused(self, line: int, record: Row[Any], before: tuple[str, bool], after: tuple[str, bool]) -> bool:
        """Refuse the line if the importer may not change role and activity, or the record, like this."""
        if not self.is_administrator and record.role == "admin":
            self._refuse(line, None, record.email, RECORD_OF_ADMINISTRATOR)
        elif not self.is_administrator and after[0] != before[0]:
            self._refuse(line, "role", after[0], ROLE_BY_ADMINISTRATORS)
        elif record.id == self.importer.user_id and after != before:
            self._refuse(line, None, record.email, OWN_ACCOUNT)
        else:
            return False
        return True

    def _refuse(self, line: int, field: str | None, value: str, message: TranslationString) -> None:
        self.refused.append((line, field, value, message))


def _records_by_email(factory: sessionmaker[Session], keys: Sequence[str]) -> dict[str, Row[Any]]:
    """Return what the comparison needs of the users with these emails, by the email in lower case."""
    if not keys:
        return {}
    key = func.lower(users.c.email)
    columns = (users.c.id, users.c.version, users.c.email, *(users.c[name] for name in CHANGED))
    query = select(key, literal_column(f"({CAN_ADMINISTER})", Boolean).label("can_administer"), *columns)
    return {row[0]: row for row in read_records(factory, query.where(key.in_(keys)))}


def _count_administrators(factory: sessionmaker[Session]) -> int:
    query = select(func.count()).select_from(users).where(text(CAN_ADMINISTER))
    return read_records(factory, query)[0][0]


def _count(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the number of lines of each of KINDS, of the refused ones, and of all."""
    counts = dict(connection.execute("SELECT kind, count(*) FROM lines GROUP BY kind").fetchall())
    [refused] = connection.execute("SELECT count(DISTINCT line) FROM refusals").fetchone()
    numbers = {**{kind: counts.get(kind, 0) for kind in KINDS}, "refused": refused}
    return {**numbers, "total": sum(numbers.values())}


def _count_new_without_email(connection: sqlite3.Connection) -> int:
    query = "SELECT count(*) FROM lines WHERE kind = 'new' AND email IS NULL"
    return int(connection.execute(query).fetchone()[0])


def _adds_role(connection: sqlite3.Connection) -> bool:
    query = "SELECT EXISTS (SELECT 1 FROM lines WHERE kind = 'new' AND role <> ?)"
    return bool(connection.execute(query, (DEFAULTS["role"],)).fetchone()[0])


def _messages_by_line(connection: sqlite3.Connection) -> Iterator[tuple[int, list[TranslationString]]]:
    """Yield each refused line, in order, with its messages."""
    rows = connection.execute("SELECT line, message FROM refusals ORDER BY line, id")
    for line, group in groupby(rows, key=itemgetter(0)):
        yield line, [message_from_json(json.loads(message)) for _line, message in group]


def _as_values(values: Sequence[Any]) -> dict[str, Any]:
    named = zip(NAMES, values, strict=True)
    return {name: bool(value) if isinstance(DEFAULTS[name], bool) else value for name, value in named}
