"""Fixtures for every test: the real application, a database for this test only, and a second connection to it."""

import itertools
import os
import shutil

import hypothesis
import pytest
import sqlalchemy
from sqlalchemy.orm import Session, undefer
from webtest import TestApp

import myproject.db
from myproject import main
from myproject.db import get_engine, get_session_factory
from myproject.models import Post, SavedView, SignIn, User
from myproject.scripts import initialize_db
from myproject.signin.setup import SETUP_LOGGED

from . import signed_in
from . import stock as stock_wiring
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
for variable in ("DATABASE_URL", "MYPROJECT_SECRET"):
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


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """The URL of a migrated database that only this test uses; its only user is the administrator of the tests."""
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "test.sqlite")
        yield f"sqlite:///{path}"
    else:
        server = request.getfixturevalue("postgresql")
        name = f"test_{next(DATABASE_NUMBERS)}"
        server.execute(f"CREATE DATABASE {name} TEMPLATE migrated STRATEGY file_copy")
        yield server.url(name)
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def settings(database_url):
    """The settings of the application; a test may change them before it requests `wsgi` or `app`."""
    return {
        "sqlalchemy.url": database_url,
        "myproject.secret": signed_in.SECRET,
        # The tests use http.
        "myproject.development": "true",
        **{f"argon2.{name}": str(cost) for name, cost in signed_in.COSTS.items()},
        "retry.attempts": "5",
        "pyramid.includes": "tests.probe",
        # All tests share the compiled templates.
        "jinja2.bytecode_caching": "true",
    }


@pytest.fixture
def wsgi(settings):
    """The WSGI application, with an engine for this test only."""
    application = configured(settings)
    yield application
    engine = application.registry["dbsession_factory"].kw["bind"]
    assert engine.pool.checkedout() == 0, "a connection was left behind"
    engine.dispose()


def configured(settings):
    """Return the application for `settings`; tests share it, because configuring it takes longer than most tests."""
    if myproject.db.includeme is stock_wiring.includeme:
        return main({}, **settings)
    key = frozenset(item for item in settings.items() if item[0] != "sqlalchemy.url")
    if key not in APPLICATIONS:
        APPLICATIONS[key] = main({}, **settings)
    registry = APPLICATIONS[key].registry
    engine = get_engine(
        settings["sqlalchemy.url"],
        reading_seconds=registry.settings["reading.longest_seconds"],
        silence_seconds=registry.settings["database.longest_silence"],
    )
    registry["dbsession_factory"] = get_session_factory(engine)
    # Remove what another test has left.
    registry.pop("probe", None)
    registry.pop(SETUP_LOGGED, None)
    registry.get("late", {}).clear()
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
