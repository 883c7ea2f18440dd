"""export_users INI: write the users, or those whom a search finds, as CSV."""

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import transaction
from pyramid.httpexceptions import HTTPBadRequest
from pyramid.paster import setup_logging
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker
from tqdm import tqdm

# Every model, since those of `users` and `posts` name each other.
from .. import models  # noqa: F401
from ..db import engine_from_config, get_session_factory, get_tm_session, reading
from ..history.events.last_sign_ins import read_last_sign_ins
from ..history.events.storing import store_act_of_command
from ..settings import read_settings
from ..users.exports import ALL, RECORD, require_understood, stream_cells
from ..users.listing.criteria import criteria_of
from ..users.listing.view import View, read_query
from ..users.models import users
from ..web.csv import BYTE_ORDER_MARK
from ..web.events import log_act_of_command
from ..web.exports import Sent, csv_lines
from . import explained, read_ini, refuse_older_database

COLUMNS = {"record": RECORD, "all": ALL}
COMMAND, EXPORTED = "export_users", "exported"


def main(argv: Sequence[str] | None = None) -> None:
    """Write the users of the list as CSV to standard output or a file, in the order of the list."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=main.__doc__)
    parser.add_argument("ini", help="the ini file, for instance production.ini")
    parser.add_argument("--query", default="", help='the part of a list\'s address after "?": "role=editor&q=kim"')
    parser.add_argument("--columns", choices=COLUMNS, default="record", help="those that an import takes, or all")
    parser.add_argument("--bom", action="store_true", help="begin with the mark by which Excel knows UTF-8")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write a file, complete or not at all")
    arguments = parser.parse_args(argv)
    settings, view = read_settings(read_ini(arguments.ini)), read_view_or_exit(arguments.query)
    engine, sent = engine_from_config(settings), Sent()
    try:
        with explained(arguments.ini), report(arguments.ini, get_session_factory(engine), sent) as factory:
            zone, columns = settings["myproject.timezone"], COLUMNS[arguments.columns]
            chunks = stream_cells(factory, view, zone, columns, read_last_sign_ins)
            mark = BYTE_ORDER_MARK if arguments.bom else ""
            with open_output(arguments.output) as file, progress_bar(factory, view, zone) as bar:
                for lines in csv_lines(columns, chunks, sent, mark):
                    file.write(lines)
                    bar.update(sent.rows - bar.n)
    finally:
        engine.dispose()


def read_view_or_exit(query: str) -> View:
    """Return the View that the query string describes, or exit with the message why it is not valid."""
    try:
        return require_understood(read_query(query.removeprefix("?")))
    except HTTPBadRequest as error:
        raise SystemExit(error.detail.interpolate()) from None


@contextlib.contextmanager
def report(ini: str, factory: sessionmaker[Session], sent: Sent) -> Iterator[sessionmaker[Session]]:
    """Give the block the factory of Sessions on a database that is up to date, and report what it has sent."""
    with reading(factory) as dbsession:
        refuse_older_database(dbsession, ini)
    try:
        yield factory
    finally:
        facts: dict[str, Any] = {"what": "users", "rows": sent.rows, "complete": sent.complete}
        with transaction.manager:
            store_act_of_command(get_tm_session(factory, transaction.manager), COMMAND, EXPORTED, **facts)
        setup_logging(ini)
        log_act_of_command(COMMAND, EXPORTED, **facts)


@contextlib.contextmanager
def open_output(path: Path | None) -> Iterator[IO[bytes]]:
    """Give the block standard output, or a file that only its owner can read and that is at `path` at the end."""
    try:
        if path is None:
            yield sys.stdout.buffer
            sys.stdout.flush()
            return
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export_users.") as folder:
            unfinished = Path(folder, path.name)
            unfinished.touch(0o600)
            with unfinished.open("wb") as file:
                yield file
            unfinished.replace(path)
    except BrokenPipeError:
        # The program that reads, such as `head`, has enough. Otherwise Python complains when it closes the output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except OSError as error:
        raise SystemExit(f"{path or 'Standard output'} cannot be written: {error.strerror}.") from None


@contextlib.contextmanager
def progress_bar(factory: sessionmaker[Session], view: View, zone: Any) -> Iterator[Any]:
    """Give the block the progress bar on standard error, which is shown in a terminal alone."""
    total = None
    if sys.stderr.isatty():
        with reading(factory) as dbsession:
            total = dbsession.scalar(select(func.count(users.c.id)).where(*criteria_of(view, zone).conditions))
    # `None`: in a terminal alone.
    with tqdm(total=total, unit=" users", unit_scale=True, disable=None) as bar:
        yield bar


if __name__ == "__main__":
    main()
