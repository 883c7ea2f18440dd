"""Fixtures for every test: the real application, a database for this test only, and a second connection to it."""

import itertools
import os
import shutil
from pathlib import Path

import hypothesis
import pytest
import sqlalchemy
from alembic.config import Config
from sqlalchemy.orm import Session, undefer
from webtest import TestApp

import myproject.db
from myproject import main
from myproject.db import get_engine, get_session_factory
from myproject.inspector.testing import recorded  # noqa: F401
from myproject.logs import LineFormatter
from myproject.models import Post, SavedView, SignIn, User
from myproject.scripts import initialize_db
from myproject.signin.setup import SETUP_LOGGED
from myproject.users.imports.spool import Spool

from . import signed_in
from . import stock as stock_wiring
from .history.replay import Replay
from .postgresql import binaries, running_server

HERE = os.path.dirname(__file__)
INI = os.path.join(HERE, os.pardir, "development.ini")

DATABASE_NUMBERS = itertools.count()
APPLICATIONS = {}

# A busy machine makes examples slow, and the examples of a test share one database and one application.
hypothesis.settings.register_profile(
    "tests",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture],
)
hypothesis.settings.load_profile("tests")

# The environment of this machine must not choose the database of the tests.
for variable in ("DATABASE_URL", "DATABASE_URL_READING", "MYPROJECT_SECRET"):
    os.environ.pop(variable, None)


def migrate(url):
    """Migrate the database of `url` to the newest revision, and add the administrator of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", url)
        initialize_db.upgrade(INI)
    signed_in.add_administrator(url)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory):
    """The path of a migrated SQLite database, to copy from; its only user is the administrator of the tests."""
    path = tmp_path_factory.mktemp("migrated") / "empty.sqlite"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql():
    """A PostgreSQL server with the migrated database `migrated`, to copy from; its only user is the administrator."""
    if not binaries():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("PostgreSQL's server binaries were not found")
    with running_server() as server:
        server.execute("CREATE DATABASE migrated")
        migrate(server.url("migrated"))
        yield server


@pytest.fixture
def programs(monkeypatch):
    """PostgreSQL's programs, such as pg_dump, in PATH: those of the server under test."""
    monkeypatch.setenv("PATH", f"{binaries() or ''}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """The URL of a migrated database that only this test uses; its only user is the administrator of the tests.

    At the end, its ledger has to tell what has become of the rows; not after a test with the mark `passes_ledger_by`.
    """
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "test.sqlite")
        yield from checked_by_ledger(f"sqlite:///{path}", request.node)
    else:
        server = request.getfixturevalue("postgresql")
        name = f"test_{next(DATABASE_NUMBERS)}"
        server.execute(f"CREATE DATABASE {name} TEMPLATE migrated STRATEGY file_copy")
        yield from checked_by_ledger(server.url(name), request.node)
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def checked_by_ledger(url, test):
    """Yield `url`, then replay the ledger of its database, unless the test has failed or passes the ledger by."""
    if test.get_closest_marker("passes_ledger_by"):
        yield url
        return
    replay = Replay(url)
    yield url
    replay.check()


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request, tmp_path):
    """Call `new_database()`: an engine on an empty database without tables."""
    engines = []

    def make():
        name = f"new_{len(engines)}"
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path / name}.sqlite"
        else:
            server = request.getfixturevalue("postgresql")
            server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            server.execute(f"CREATE DATABASE {name}")
            url = server.url(name)
        engines.append(sqlalchemy.create_engine(url))
        return engines[-1]

    yield make
    for engine in engines:
        engine.dispose()


@pytest.fixture
def empty(new_database):
    """An engine on an empty database without tables."""
    return new_database()


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Call `config(engine)`: Alembic on that database, with a copy of the migrations that a test may add to."""
    copy = shutil.copytree(Path(myproject.__file__).parent / "migrations", tmp_path / "migrations")

    def configure(engine):
        monkeypatch.setenv("DATABASE_URL", engine.url.render_as_string())
        config = Config(INI)
        config.set_main_option("script_location", str(copy))
        return config

    return configure


@pytest.fixture
def short_waits(monkeypatch):
    """Waits for a lock are short, also those after which a request is known to meet long work."""
    monkeypatch.setattr("myproject.db.sqlite.LOCK_TIMEOUT_SECONDS", 0.2)
    short = "SET timezone = 'UTC'; SET lock_timeout = '200ms'"
    monkeypatch.setattr("myproject.db.postgresql.SESSION_SETTINGS", short)
    monkeypatch.setattr("myproject.db.retry.LONG_WAIT_SECONDS", 0.1)


@pytest.fixture
def settings(database_url, tmp_path):
    """The settings of the application; a test may change them before it requests `wsgi` or `app`."""
    return {
        "sqlalchemy.url": database_url,
        "myproject.secret": signed_in.SECRET,
        # The tests use http.
        "myproject.development": "true",
        **{f"argon2.{name}": str(cost) for name, cost in signed_in.COSTS.items()},
        "retry.attempts": "5",
        "pyramid.includes": "tests.probe",
        # `configured` makes it one of this test.
        "spool.folder": str(tmp_path / "spool"),
        # All tests share the compiled templates.
        "jinja2.bytecode_caching": "true",
    }


@pytest.fixture
def wsgi(settings):
    """The WSGI application, with an engine for this test only."""
    application = configured(settings)
    yield application
    finish_writes(application)
    finish_imports(application)
    finish_asking(application)
    engine = application.registry["dbsession_factory"].kw["bind"]
    assert engine.pool.checkedout() == 0, "a connection was left behind"
    engine.dispose()


def finish_asking(application):
    """Return when the thread has ended that asks the primary how far it is, for the pages of a standby."""
    if "standby" in application.registry and application.registry["standby"].asking is not None:
        application.registry["standby"].asking.result(60)


def finish_writes(application):
    """Return when the writes of `request.in_own_transaction` have ended: one thread runs one after the other."""
    application.registry["own_transactions"].thread.submit(int).result(60)


def finish_imports(application):
    """Return when no thread works on an import any more."""
    application.registry["imports"].wait(60)


def configured(settings):
    """Return the application for `settings`; tests share it, because configuring it takes longer than most tests."""
    if myproject.db.includeme is stock_wiring.includeme:
        return main({}, **settings)
    key = frozenset(item for item in settings.items() if item[0] not in ("sqlalchemy.url", "spool.folder"))
    if key not in APPLICATIONS:
        APPLICATIONS[key] = main({}, **settings)
    registry = APPLICATIONS[key].registry
    engine = get_engine(
        settings["sqlalchemy.url"],
        reading_seconds=registry.settings["reading.longest_seconds"],
        silence_seconds=registry.settings["database.longest_silence"],
    )
    registry["dbsession_factory"] = get_session_factory(engine)
    registry.settings["spool.folder"] = folder = Path(settings["spool.folder"])
    registry["imports"].spool = Spool(folder, registry["imports"].spool.max_bytes)
    # Remove what another test has left.
    registry.pop("probe", None)
    registry.pop(SETUP_LOGGED, None)
    registry.get("late", {}).clear()
    registry["stored_refusals"].forget()
    return APPLICATIONS[key]


@pytest.fixture
def app(wsgi):
    """A browser without scripts, in English, in which the administrator of the tests is signed in."""
    return signed_in.browser(wsgi)


@pytest.fixture
def stranger(wsgi):
    """A browser in which nobody is signed in."""
    return TestApp(wsgi, extra_environ={"HTTP_ACCEPT_LANGUAGE": "en"})


@pytest.fixture
def probe(app, wsgi):
    """Call `probe(view, method="POST")`: run `view(request)` as a page of the application; return the response."""

    def run(view, method="POST", **options):
        wsgi.registry["probe"] = view
        return app.request("/probe", method=method, **options)

    return run


@pytest.fixture
def log_lines(caplog, monkeypatch):
    """Call `log_lines()`: what was logged so far, each line with its request: `request 5da4…: POST /probe failed`."""
    # All tests share the handler.
    monkeypatch.setattr(caplog.handler, "formatter", LineFormatter("%(request)s%(message)s"))
    return lambda: caplog.text.splitlines()


@pytest.fixture
def outside(database_url):
    """An engine of plain SQLAlchemy on the same database, as another program has it: it sees what is committed."""
    engine = sqlalchemy.create_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def rows(outside):
    """Call `rows(User)`: return the committed rows of a model, by id, without the administrator of the tests."""

    def read(model):
        with Session(outside, expire_on_commit=False) as session:
            query = sqlalchemy.select(model).options(undefer("*")).where(model.id > 0).order_by(model.id)
            return session.scalars(query).all()

    return read


@pytest.fixture
def nobody(outside):
    """Delete the administrator of the tests, for tests that count all rows or visit no page."""
    with outside.begin() as connection, signed_in.without_administrator_check(connection):
        connection.execute(sqlalchemy.delete(SignIn))
        connection.execute(sqlalchemy.delete(User))


@pytest.fixture
def make_user(outside):
    """Call `make_user(name=…)`: store a user by `outside`, and return it."""

    def make(name="John Doe", **values):
        return _stored(outside, User(name=name, **values))

    return make


@pytest.fixture
def make_post(outside, make_user):
    """Call `make_post(title=…, author=user)`: store a post by `outside`, and return it."""

    def make(title="Hello", body="World", author=None, **values):
        author = author or make_user("Ada Lovelace")
        return _stored(outside, Post(title=title, body=body, author_id=author.id, **values))

    return make


@pytest.fixture
def make_view(outside):
    """Call `make_view(user, name=…, query=…)`: store a saved view by `outside`, and return it."""

    def make(user, name="Admins", query="role=admin", **values):
        return _stored(outside, SavedView(user_id=user.id, name=name, query=query, **values))

    return make


def _stored(engine, row):
    with Session(engine, expire_on_commit=False) as session:
        session.add(row)
        session.commit()
    return row


@pytest.fixture
def stock(monkeypatch):
    """Replace our wiring by the starter template's; request it before `wsgi`, `app` or `probe`."""
    monkeypatch.setattr("myproject.db.includeme", stock_wiring.includeme)
    monkeypatch.setattr("myproject.tweens.ORDER", stock_wiring.TWEENS)
