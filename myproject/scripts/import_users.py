"""import_users INI FILE: add and change users from a CSV file or an Excel workbook, all in one transaction."""

import argparse
import contextlib
import os
import sys
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import transaction
from pyramid.i18n import TranslationString
from sqlalchemy.orm import Session, sessionmaker
from tqdm import tqdm

# Every model, since those of `users` and `posts` name each other.
from .. import models  # noqa: F401
from ..db import engine_from_config, get_session_factory, get_tm_session
from ..db.retry import try_again
from ..history.context import Origin, announce
from ..history.events.storing import store_act_of_command
from ..settings import read_settings
from ..users.imports.applying import Outdated, apply
from ..users.imports.columns import Unreadable, guess_columns
from ..users.imports.planning import COMMAND, Plan, make_plan
from ..users.imports.reading import DELIMITERS, ENCODINGS, Format, read_header, recognise
from ..users.imports.spool import Progress
from ..users.imports.staging import MODES, NAMES, Options, stage
from ..users.sets import lock_users
from ..web.busy import IMPORT, Announcement, announced
from ..web.events import MOST_REPORTED
from . import explained, read_ini, refuse_older_database

SHOWN_REFUSALS = 20
SHOWN_SAMPLES = 5
# The site goes on writing: a transaction that waits for too long for it is tried again.
TRIES = 5
# In --columns, a column that is left out.
IGNORED = "-"


def main(argv: Sequence[str] | None = None) -> None:
    """Import the users of a CSV file or an Excel workbook (.xlsx) in one transaction; print what was done.

    If a line is refused, nothing is imported, unless --good-lines is given. The first line of the file names the
    columns: name, email, age, role, active, in any order, in English or Korean. Others are ignored.
    """
    options = read_arguments(argv)
    settings = read_settings(read_ini(options.ini))
    if not options.file.is_file():
        raise SystemExit(f"There is no file {options.file.absolute()}.")
    if not os.access(options.file, os.R_OK):
        raise SystemExit(f"{options.file.absolute()} cannot be read: Permission denied.")
    engine = engine_from_config(settings)
    try:
        with explained(options.ini), tempfile.TemporaryDirectory(prefix="import-users-") as folder:
            factory = get_session_factory(engine)
            with transaction.manager:
                refuse_older_database(get_tm_session(factory, transaction.manager, read_only=True), options.ini)
            run(factory, Path(folder) / "rows.sqlite", settings["spool.folder"], options)
    except Unreadable as error:
        raise SystemExit(f"{options.file}: {in_english(error.message)}") from None
    finally:
        engine.dispose()


def read_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="import_users", description=main.__doc__)
    parser.add_argument("ini", help="the ini file, for instance production.ini")
    parser.add_argument("file", type=Path, help="the CSV file or Excel workbook")
    parser.add_argument("--dry-run", action="store_true", help="print what would be done, and write nothing")
    parser.add_argument(
        "--mode", choices=MODES, default="both", help="add new users only, update by email only, or both (%(default)s)"
    )
    parser.add_argument("--good-lines", action="store_true", help="leave out the refused lines, and import the others")
    parser.add_argument(
        "--columns", help=f"the field of each column in their order, {IGNORED} for none: {','.join(NAMES)},{IGNORED}"
    )
    parser.add_argument("--encoding", choices=ENCODINGS, help="the encoding, if it is recognised wrongly")
    parser.add_argument(
        "--delimiter",
        choices=DELIMITERS,
        type=lambda text: text.replace("\\t", "\t"),
        metavar="CHARACTER",
        help="one of , ; | \\t (a tab), if it is recognised wrongly",
    )
    parser.add_argument("--refused", type=Path, help="write the refused lines into this CSV file, to correct them")
    return parser.parse_args(argv)


def run(factory: sessionmaker[Session], staged: Path, spool: Path, arguments: argparse.Namespace) -> None:
    """Check the file, and apply the plan unless it is a dry run; print the numbers. Raises `Unreadable`.

    People who have to wait for it are told so by the site, if `spool` is its folder.
    """
    options = options_for(arguments)
    with Bar() as bar:
        stage(arguments.file, staged, options, bar)
        plan = make_plan(factory, staged, options, COMMAND, bar)
    print_plan(plan, arguments.refused)
    if arguments.dry_run:
        print_samples(plan)
        return
    if plan.numbers["refused"] and not options.good_lines_only:
        raise SystemExit("Nothing was imported. Correct the refused lines, or leave them out with --good-lines.")
    if plan.can_be_applied:
        with Bar() as bar, contextlib.ExitStack() as stack:
            # Another user may run the site, or on another machine.
            with contextlib.suppress(OSError):
                bar.start("waiting for other imports", None)
                work = announced(spool, IMPORT, plan.writes, wait=lambda: bar.advance(0))
                bar.announcement = stack.enter_context(work)
            apply_in_transaction(factory, plan, bar)
    print(f"{plan.writes:,} users were imported.")


def options_for(arguments: argparse.Namespace) -> Options:
    """Return how the file is imported: as it is recognised, but for what the arguments say."""
    format: Format = recognise(arguments.file)
    if arguments.encoding:
        format = replace(format, encoding=arguments.encoding)
    if arguments.delimiter:
        format = replace(format, delimiter=arguments.delimiter)
    if arguments.columns:
        columns = tuple(None if name == IGNORED else name for name in arguments.columns.split(","))
        unknown = [name for name in columns if name not in (None, *NAMES)]
        if unknown:
            raise SystemExit(f"--columns: there is no field {unknown[0]!r}; the fields are {', '.join(NAMES)}.")
    else:
        columns = guess_columns(read_header(arguments.file, format))
    return Options(format, columns, arguments.mode, arguments.good_lines)


def apply_in_transaction(factory: sessionmaker[Session], plan: Plan, bar: "Bar") -> None:
    """Apply the plan and commit; try again if the transaction loses to another one."""
    import_id = str(uuid.uuid4())

    def apply_once(attempt: int) -> None:
        with transaction.manager:
            dbsession = get_tm_session(factory, transaction.manager)
            lock_users(dbsession)
            announce(transaction.manager, Origin(route="import_users", request_id=import_id, attempts=attempt))
            apply(dbsession, plan, COMMAND, import_id, bar)
            for change in plan.changed_accounts(MOST_REPORTED):
                facts = {"user_id": change.user_id, **change.facts}
                store_act_of_command(dbsession, "import_users", "account changed", **facts)

    try:
        try_again(apply_once, TRIES)
    except Outdated:
        raise SystemExit(
            "Nothing was imported: users of the file were changed meanwhile. Run the command again."
        ) from None


def print_plan(plan: Plan, refused: Path | None) -> None:
    """Print the numbers of the plan and the first refused lines; write all of them into the file `refused`."""
    names = {"new": "new", "changed": "changed", "same": "as they are already", "refused": "refused"}
    print(", ".join(f"{plan.numbers[kind]:,} {name}" for kind, name in names.items()) + ".")
    for refusal in plan.refusals(SHOWN_REFUSALS):
        column = f", {refusal.field}" if refusal.field else ""
        print(f"Line {refusal.line}{column} {refusal.value!r}: {in_english(refusal.message)}", file=sys.stderr)
    if plan.numbers["refused"] and refused is not None:
        with refused.open("w", encoding="utf-8", newline="") as file:
            plan.write_refused(file, in_english)


def print_samples(plan: Plan) -> None:
    """Print the first users that would be added or changed, the latter field by field."""
    for kind in "new", "changed":
        for sample in plan.samples(kind, SHOWN_SAMPLES):
            changes = "; ".join(f"{field} {before!r} -> {after!r}" for field, before, after in sample.changes)
            print(f"Line {sample.line}, {kind}: {sample.values['name']!r} {changes}".rstrip())


def in_english(message: TranslationString) -> str:
    """Return the text of a message with its values."""
    return message.interpolate()


class Bar:
    """A progress bar on standard error, if that is a terminal. Tells the site, too, if the work is announced there."""

    def __init__(self) -> None:
        self.bar: tqdm[None] = tqdm(disable=True)
        self.progress = Progress.begin("", None)
        self.announcement: Announcement | None = None

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def start(self, step: str, total: int | None) -> None:
        """Begin a bar for a step of the import."""
        self.bar.close()
        self.bar = tqdm(desc=step, total=total, unit=" rows", disable=None, leave=False)
        self.progress = Progress.begin(step, total)
        self._announce()

    def advance(self, number: int) -> None:
        """Move the bar on."""
        self.bar.update(number)
        self.progress = self.progress.advanced(number)
        self._announce()

    def _announce(self) -> None:
        if self.announcement is not None:
            with contextlib.suppress(OSError):
                self.announcement.expect(self.progress.seconds_left)


if __name__ == "__main__":
    main()
