"""Fixtures for the tests of the request's transaction."""

import sqlite3
from threading import Thread

import pytest
import waitress
from sqlalchemy import event, func, select

from myproject.db.sqlite import prepare_for_triggers
from myproject.models import User

from .proxy import Proxy


@pytest.fixture
def engine(wsgi):
    """The application's own engine."""
    return wsgi.registry["dbsession_factory"].kw["bind"]


@pytest.fixture
def with_places(settings):
    """Add the places outside the transaction, and the exception views, of late.py; request it before `wsgi`."""
    settings["pyramid.includes"] = "tests.probe tests.db.late"


@pytest.fixture
def places(with_places, wsgi):
    """The functions to run in the places outside the transaction, by the names of late.py."""
    return wsgi.registry["late"]


@pytest.fixture
def names(rows):
    """Call `names()`: return the names of the committed users, by id."""
    return lambda: [user.name for user in rows(User)]


@pytest.fixture
def checkouts(engine):
    """A list that grows with each connection that the application takes from its pool."""
    taken = []
    event.listen(engine, "checkout", lambda *_: taken.append("checkout"))
    return taken


@pytest.fixture
def form(app):
    """The form for a new user, filled in."""
    form = app.get("/users/new").forms["record"]
    form["name"] = "Jane Doe"
    return form


@pytest.fixture
def impatient(engine):
    """Let the application wait for SQLite's lock for 0.02 instead of 5 seconds."""
    event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA busy_timeout = 20"))


@pytest.fixture
def writer(engine):
    """Another program's connection to the SQLite database; with `BEGIN IMMEDIATE` it takes the write lock."""
    connection = sqlite3.connect(engine.url.database, timeout=0.1)
    prepare_for_triggers(connection)
    yield connection
    connection.close()


@pytest.fixture
def port(wsgi):
    """The port of waitress on loopback, which serves the application."""
    # A small buffer: it reads little from the application that it cannot send.
    server = waitress.create_server(wsgi, host="127.0.0.1", port=0, threads=6, outbuf_high_watermark=1000)
    thread = Thread(target=server.run)
    thread.start()
    yield int(server.effective_port)
    # The server's loop ends when no socket is left.
    server.task_dispatcher.shutdown()
    server.asyncore.close_all(server._map)
    thread.join(5)


@pytest.fixture
def writing_function(outside):
    """A SELECT of a PostgreSQL function that adds Jane Doe."""
    with outside.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION add_jane() RETURNS INTEGER LANGUAGE SQL AS "
            "$$ INSERT INTO users (name) VALUES ('Jane Doe') RETURNING id $$"
        )
    return select(func.add_jane())


@pytest.fixture
def proxy(settings, postgresql):
    """A Proxy between the application and the PostgreSQL server; request it before `wsgi`, `app` or `probe`."""
    proxy = Proxy(postgresql.port)
    settings["sqlalchemy.url"] = settings["sqlalchemy.url"].replace(str(postgresql.port), str(proxy.port))
    yield proxy
    proxy.refuse()


@pytest.fixture
def connected(proxy, engine):
    """The engine has connected once before: SQLAlchemy's own first statements end in a ROLLBACK too."""
    engine.connect().close()
