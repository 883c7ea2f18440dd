"""python -m tests.scan: let wapiti attack the signed-in site; exit with 1 if it finds something unexplained."""

import argparse
import contextlib
import logging
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import sqlalchemy
from sqlalchemy.orm import Session

from myproject.models import Post, User
from tests import signed_in
from tests.browser import ROOT, SECRET, served
from tests.conftest import migrate

from .verdict import DOCUMENT, complaints, explained
from .wapiti import attack, crawl, prepare_forms

# A scan with lower counts did not reach the site, or was not signed in.
MIN_PAGES, MIN_FORMS, MIN_ROWS_WRITTEN = 15, 6, 50


def main(argv=None):
    """Scan, and print each finding; return the exit status."""
    parser = argparse.ArgumentParser(prog="tests.scan", description=__doc__)
    parser.add_argument(
        "--seconds", type=int, default=300, help="the longest that each half of the attacks may take (%(default)s)"
    )
    options = parser.parse_args(argv)
    logging.disable(logging.INFO)  # of each migration
    # Settings of this machine must not choose the database.
    for variable in ("DATABASE_URL", "DATABASE_URL_READING", "MYPROJECT_SECRET"):
        os.environ.pop(variable, None)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="myproject-scan-") as folder:
        wrong = scan(Path(folder), options.seconds)
    for sentence in wrong:
        print(f"FAILED {sentence}")
    print(f"{len(wrong) or 'no'} complaints, {time.monotonic() - begun:.0f} seconds")
    return int(bool(wrong))


def scan(folder, seconds):
    """Scan a new site in `folder`, each half for at most `seconds`; return a sentence for each complaint."""
    engine = sqlalchemy.create_engine(f"sqlite:///{folder / 'scan.sqlite'}")
    migrate(str(engine.url))
    fill(engine)
    with served(ROOT / "production.ini", str(engine.url), folder / "printed", MYPROJECT_SECRET=SECRET) as server:
        cookie = f"__Host-session={signed_in.cookie()}"
        history = crawl(server.url, cookie, folder)
        pages, forms = prepare_forms(history)
        before = count(engine)
        findings = attack(server.url, cookie, folder, seconds)
    written = count(engine) - before
    engine.dispose()
    print(f"{pages} pages and {forms} forms attacked, {written} rows added by it, {len(findings)} findings")
    wrong = complaints(findings, explained(DOCUMENT.read_text()))
    if pages < MIN_PAGES or forms < MIN_FORMS or written < MIN_ROWS_WRITTEN:
        wrong.append(f"expected {MIN_PAGES} pages, {MIN_FORMS} forms and {MIN_ROWS_WRITTEN} rows at least")
    # The server logs an ERROR for each answer with a status of 500 or more.
    errors = re.findall(r"^(?:\S+ \S+ (?:ERROR|CRITI).*|Traceback .*)", server.printed.read_text(), re.MULTILINE)
    return wrong + [f"the server printed: {line}" for line in errors]


def fill(engine):
    """Store two users with a post each, beside the administrator as whom the scanner is signed in."""
    with Session(engine) as session:
        for name, role in [("Ada Lovelace", "editor"), ("John Doe", "member")]:
            user = User(name=name, email=f"{name.split()[0].lower()}@example.com", age=36, role=role)
            session.add_all([user, Post(title="Hello", body="World", author=user)])
            session.flush()  # So that Ada gets the first id.
        session.commit()


def count(engine):
    """Return the number of users and posts."""
    with Session(engine) as session:
        return sum(session.scalar(sqlalchemy.select(sqlalchemy.func.count(model.id))) for model in (User, Post))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
