"""What every test stands on: the real application, over a database of its own, read again from outside."""

import itertools
import os
import shutil

import pytest
import sqlalchemy
from sqlalchemy.orm import Session, undefer
from webtest import TestApp

import myproject.db
from myproject import main
from myproject.db import get_engine, get_session_factory
from myproject.models import Post, SavedView, SignIn, User
from myproject.scripts import initialize_db

from . import signed_in
from .postgresql import binaries, running_server
from .stock import includeme as stock_includeme

HERE = os.path.dirname(__file__)
INI = os.path.join(HERE, os.pardir, "development.ini")

NUMBERS = itertools.count()
APPLICATIONS = {}

# What this machine is set to must not choose the database of the tests.
for variable in ("DATABASE_URL", "MYPROJECT_SECRET"):
    os.environ.pop(variable, None)


def migrate(url):
    """Bring the database of `url` to the newest revision, with nobody in it but the administrator of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", url)
        initialize_db.upgrade(INI)
    signed_in.add_administrator(url)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory):
    """The path of an SQLite database with every migration and no rows, to copy from."""
    path = tmp_path_factory.mktemp("migrated") / "empty.sqlite"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql():
    """A PostgreSQL server with a database `migrated`, with every migration and no rows, to copy from."""
    if not binaries():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("PostgreSQL's server binaries were not found")
    with running_server() as server:
        server.execute("CREATE DATABASE migrated")
        migrate(server.url("migrated"))
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """The URL of a migrated, empty database that only this test uses."""
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "test.sqlite")
        yield f"sqlite:///{path}"
    else:
        server = request.getfixturevalue("postgresql")
        name = f"test_{next(NUMBERS)}"
        server.execute(f"CREATE DATABASE {name} TEMPLATE migrated STRATEGY file_copy")
        yield server.url(name)
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def settings(database_url):
    """The settings of the application under test; a test may change them before it asks for `wsgi` or `app`."""
    return {
        "sqlalchemy.url": database_url,
        "myproject.secret": signed_in.SECRET,
        # No TLS in front of the tests.
        "myproject.development": "true",
        **{f"argon2.{name}": str(cost) for name, cost in signed_in.COSTS.items()},
        "retry.attempts": "5",
        "pyramid.includes": "tests.probe",
        # A template compiled for one test serves them all.
        "jinja2.bytecode_caching": "true",
    }


@pytest.fixture
def wsgi(settings):
    """The WSGI application, over an engine of this test's own."""
    application = configured(settings)
    yield application
    engine = application.registry["dbsession_factory"].kw["bind"]
    assert engine.pool.checkedout() == 0, "a connection was left behind"
    engine.dispose()


def configured(settings):
    """Return the application for `settings`: to configure it takes longer than most tests, so it is kept for others."""
    if myproject.db.includeme is stock_includeme:
        return main({}, **settings)
    key = frozenset(item for item in settings.items() if item[0] != "sqlalchemy.url")
    if key not in APPLICATIONS:
        APPLICATIONS[key] = main({}, **settings)
    registry = APPLICATIONS[key].registry
    seconds = registry.settings["reading.longest_seconds"]
    registry["dbsession_factory"] = get_session_factory(get_engine(settings["sqlalchemy.url"], reading_seconds=seconds))
    # What another test has put there.
    registry.pop("probe", None)
    registry.get("late", {}).clear()
    return APPLICATIONS[key]


@pytest.fixture
def app(wsgi):
    """A browser without scripts on the application, in English, in which an administrator is signed in."""
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
    """A second connection to the database, with nothing of ours on it: what it sees has been committed."""
    engine = sqlalchemy.create_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def rows(outside):
    """Call `rows(User)`: the stored rows of a model, by id, through the second connection; none of `signed_in`."""

    def read(model):
        with Session(outside, expire_on_commit=False) as session:
            query = sqlalchemy.select(model).options(undefer("*")).where(model.id > 0).order_by(model.id)
            return session.scalars(query).all()

    return read


@pytest.fixture
def nobody(outside):
    """Take the administrator out of the database: for tests of all that is in it, and of what is no page."""
    with outside.begin() as connection, signed_in.without_administrator_check(connection):
        connection.execute(sqlalchemy.delete(SignIn))
        connection.execute(sqlalchemy.delete(User))


@pytest.fixture
def make_user(outside):
    """Call `make_user(name=…)`: store a user through the second connection; return it."""

    def make(name="John Doe", **values):
        return _stored(outside, User(name=name, **values))

    return make


@pytest.fixture
def make_post(outside, make_user):
    """Call `make_post(title=…, author=user)`: store a post through the second connection; return it."""

    def make(title="Hello", body="World", author=None, **values):
        author = author or make_user("Ada Lovelace")
        return _stored(outside, Post(title=title, body=body, author_id=author.id, **values))

    return make


@pytest.fixture
def make_view(outside):
    """Call `make_view(user, name=…, query=…)`: store a saved view through the second connection; return it."""

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
    """Put the starter template's wiring in place of ours; ask for it before `wsgi`, `app` or `probe`."""
    monkeypatch.setattr("myproject.db.includeme", stock_includeme)
