"""An import without pages: a file as text, its plan, and the plan applied."""

import itertools

import pytest
import transaction

from myproject.db import get_engine, get_session_factory, get_tm_session
from myproject.history.context import Origin, announce
from myproject.users.imports import jobs
from myproject.users.imports.applying import apply
from myproject.users.imports.columns import guess_columns
from myproject.users.imports.planning import COMMAND, make_plan
from myproject.users.imports.reading import read_header, recognise
from myproject.users.imports.staging import Options, stage
from myproject.users.sets import lock_users

from .importing import Importing, wait_until


class Steps:
    """A Progress that remembers its steps, and calls `at_each_step(name)` as often as it is told of rows."""

    def __init__(self, at_each_step=lambda name: None):
        self.seen, self.at_each_step = [], at_each_step

    def start(self, step, total):
        self.seen.append((step, total))

    def advance(self, number):
        self.at_each_step(self.seen[-1][0])


def options_of(path, **options):
    """Return the Options for a file as it is recognised."""
    format = recognise(path)
    return Options(format, guess_columns(read_header(path, format)), **options)


@pytest.fixture
def factory(database_url):
    """A factory of Sessions on the database of the test."""
    engine = get_engine(database_url)
    yield get_session_factory(engine)
    engine.dispose()


@pytest.fixture
def plan_of(factory, tmp_path):
    """Call `plan_of(content, importer, mode=…)`: return the plan of a file with this content."""
    numbers = itertools.count()

    def run(content, importer=COMMAND, progress=None, **options):
        folder = tmp_path / f"import {next(numbers)}"
        folder.mkdir()
        upload, staged = folder / "upload", folder / "rows.sqlite"
        upload.write_bytes(content if isinstance(content, bytes) else content.encode())
        chosen, progress = options_of(upload, **options), progress or Steps()
        stage(upload, staged, chosen, progress)
        return make_plan(factory, staged, chosen, importer, progress)

    return run


@pytest.fixture
def apply_plan(factory):
    """Call `apply_plan(plan)`: apply it in a transaction of its own."""

    def run(plan, importer=COMMAND, progress=None, import_id="an import"):
        tm = transaction.TransactionManager(explicit=True)
        with tm:
            dbsession = get_tm_session(factory, tm)
            lock_users(dbsession)
            announce(tm, Origin(route="test", request_id=import_id))
            apply(dbsession, plan, importer, import_id, progress or Steps())

    return run


@pytest.fixture
def importing(app):
    """Return an `Importing`: the administrator of the tests imports through the pages."""
    return Importing(app)


@pytest.fixture
def held(monkeypatch, importing):
    """Call `held(step)`: work on imports stops at this step until the list that it returns is not empty."""

    def hold(step):
        go_on, advance = [], jobs.Reporter.advance

        def wait(reporter, number):
            def may_go_on():
                # Told now, and not only now and then.
                reporter.reported_at = 0
                advance(reporter, 0)
                return go_on or reporter.progress.step != step

            wait_until(may_go_on)
            advance(reporter, number)

        monkeypatch.setattr(jobs.Reporter, "advance", wait)
        return go_on

    return hold
