"""Reads a file, applies the rules of the fields, and writes what is valid and what is refused into `rows.sqlite`.

That is a file of SQLite of its own, which only one import writes: the database of the site is neither read nor locked.
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from pyramid.i18n import TranslationString

from ...web.csv import restore
from ...web.i18n import _, message_to_json
from ...web.rules import Invalid, Rule
from ..fields import FIELDS
from .columns import Unreadable, check_columns, rule_of
from .reading import Format, estimate_rows, next_header, read_rows

# Add new users only, change those who have the email of a line only, or both.
MODES = ("add", "update", "both")
NAMES = tuple(field.name for field in FIELDS)
# Lines between two looks at whether the import is cancelled.
LINES_PER_STEP = 1000
# Of a refused value, which may be long.
SHOWN_CHARACTERS = 200

# `kind` is set by planning.py, with what else it finds: the user with the email, their version and their values before.
SCHEMA = f"""
    CREATE TABLE facts (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE lines (
        line INTEGER NOT NULL PRIMARY KEY, email_key, {", ".join(NAMES)},
        kind, user_id, version, before, ends_sign_ins
    );
    CREATE TABLE refusals (
        id INTEGER NOT NULL PRIMARY KEY, line INTEGER NOT NULL, field TEXT, value TEXT NOT NULL, message TEXT NOT NULL
    );
"""
INSERT_LINE = f"""
    INSERT INTO lines (line, email_key, {", ".join(NAMES)}) VALUES (?, ?, {", ".join("?" * len(NAMES))})
"""  # nosec B608
INSERT_REFUSAL = "INSERT INTO refusals (line, field, value, message) VALUES (?, ?, ?, ?)"
REPEATED = """
    SELECT line, email, first_line FROM (
        SELECT line, email, min(line) OVER (PARTITION BY email_key) AS first_line
        FROM lines WHERE email_key IS NOT NULL
    ) WHERE line <> first_line ORDER BY line
"""

NO_LINES = _("The file has no lines below its header.")


@dataclass(frozen=True)
class Options:
    """How a file is imported: its format, the field of each column or `None`, one of MODES, and what if lines are bad.

    With `good_lines_only`, the refused lines are left out; otherwise they keep the whole file from being imported.
    """

    format: Format
    columns: tuple[str | None, ...]
    mode: str = "both"
    good_lines_only: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the options as what JSON can write."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Options":
        """Return the options from `as_json`."""
        return cls(**{**values, "format": Format(**values["format"]), "columns": tuple(values["columns"])})


class Cancelled(Exception):
    """The import was cancelled by the person."""


class Progress(Protocol):
    """Is told how far an import has come, by the thread that does the work."""

    def start(self, step: str, total: int | None) -> None:
        """Begin a step, "reading", "comparing" or "applying", of about `total` rows, if that is known."""

    def advance(self, number: int) -> None:
        """Count `number` more rows. Raises `Cancelled` if the import is not to go on."""


# A refused value: the number of the line, the field (`None`: the line itself), the value, and why.
Refused = tuple[int, str | None, str, TranslationString]


def stage(upload: Path, staged: Path, options: Options, progress: Progress) -> None:
    """Write the rows of the file `upload` into the new file `staged`, with each refused line.

    Raises `Unreadable` if the file as a whole is refused, and what `progress` raises.
    """
    check_columns(options.columns, options.mode)
    staged.unlink(missing_ok=True)
    with open_staged(staged) as connection:
        connection.executescript(SCHEMA)
        progress.start("reading", estimate_rows(upload, options.format))
        rows = read_rows(upload, options.format)
        header = next_header(rows)
        store_facts(connection, upload=str(upload), header=list(header), options=options.as_json())
        check = LineCheck(header, options.columns)
        for lines, refusals, count in _checked(rows, check):
            connection.executemany(INSERT_LINE, lines)
            refuse(connection, refusals)
            progress.advance(count)
        if not connection.execute("SELECT EXISTS (SELECT 1 FROM lines) OR EXISTS (SELECT 1 FROM refusals)").fetchone()[
            0
        ]:
            raise Unreadable(NO_LINES)
        _refuse_repeated_emails(connection)


class LineCheck:
    """Turns the cells of a line into values by the rules of the fields, those of the form."""

    def __init__(self, header: Sequence[str], columns: Sequence[str | None]) -> None:
        """Take the header of the file, and the field of each column."""
        self.width = len(header)
        rules = {field.name: rule_of(field) for field in FIELDS}
        # The position in the file, the position among NAMES, the field, and its rule.
        self.columns: list[tuple[int, int, str, Rule]] = [
            (position, NAMES.index(name), name, rules[name])
            for position, name in enumerate(columns[: self.width])
            if name is not None
        ]

    def __call__(self, line: int, cells: Sequence[str]) -> tuple[list[Any], list[Refused]]:
        """Return the values of NAMES, `None` for what the line does not say, and the refused ones."""
        values: list[Any] = [None] * len(NAMES)
        if len(cells) != self.width and (len(cells) < self.width or any(map(str.strip, cells[self.width :]))):
            facts = {"count": len(cells), "expected": self.width}
            message = _("This line has ${count} columns, the header ${expected}.", mapping=facts)
            return values, [(line, None, ",".join(cells), message)]
        refused: list[Refused] = []
        for position, index, name, rule in self.columns:
            try:
                values[index] = rule(restore(cells[position]))
            except Invalid as error:
                refused.append((line, name, cells[position], error.message))
        return values, refused


def _checked(
    rows: Iterator[tuple[int, Sequence[str]]], check: LineCheck
) -> Iterator[tuple[list[tuple[Any, ...]], list[Refused], int]]:
    """Yield, for each LINES_PER_STEP rows or so, the valid lines for INSERT_LINE, the refused values, and the count."""
    lines: list[tuple[Any, ...]] = []
    refusals: list[Refused] = []
    email = NAMES.index("email")
    count = 0
    for line, cells in rows:
        count += 1
        # Spreadsheets write empty lines at the end.
        if any(map(str.strip, cells)):
            values, refused = check(line, cells)
            if refused:
                refusals += refused
            else:
                key = values[email]
                lines.append((line, key and key.lower(), *values))
        if count == LINES_PER_STEP:
            yield lines, refusals, count
            lines, refusals, count = [], [], 0
    yield lines, refusals, count


def _refuse_repeated_emails(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE INDEX lines_by_email ON lines (email_key, line) WHERE email_key IS NOT NULL")
    cursor = connection.execute(REPEATED)
    while repeated := cursor.fetchmany(LINES_PER_STEP):
        refuse(
            connection,
            [
                (line, "email", email, _("Line ${line} has the same email.", mapping={"line": first}))
                for line, email, first in repeated
            ],
        )
    connection.execute("DELETE FROM lines WHERE line IN (SELECT line FROM refusals)")


def refuse(connection: sqlite3.Connection, refusals: Sequence[Refused]) -> None:
    """Store refused values. They are not deleted from `lines`."""
    connection.executemany(
        INSERT_REFUSAL,
        [
            (line, field, value[:SHOWN_CHARACTERS], json.dumps(message_to_json(message)))
            for line, field, value, message in refusals
        ],
    )


def store_facts(connection: sqlite3.Connection, **facts: Any) -> None:
    """Store values of JSON under their names."""
    rows = [(name, json.dumps(value)) for name, value in facts.items()]
    connection.executemany("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", rows)


def read_facts(connection: sqlite3.Connection) -> dict[str, Any]:
    """Return all stored facts."""
    return {name: json.loads(value) for name, value in connection.execute("SELECT name, value FROM facts")}


@contextlib.contextmanager
def open_staged(staged: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection to `rows.sqlite`; commit at the end, unless an error is raised."""
    with contextlib.closing(sqlite3.connect(staged)) as connection:
        # A file that a killed server has left is thrown away, so it needs no journal and no sync.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -16000")
        yield connection
        connection.commit()
