"""Users with a role, and browsers in which they are signed in."""

import datetime
import itertools

import sqlalchemy
from sqlalchemy.orm import Session
from webtest import TestApp

from myproject.db.base import utcnow
from myproject.models import Base, Selection, SignIn, User
from myproject.signin.models import digest
from myproject.web.cookies import cookie_name

from . import signed_in
from .signed_in import PASSWORD_HASH

NUMBERS = itertools.count(1)
TOMORROW = datetime.timedelta(days=1)


def add_person(engine, name="John Doe", role="member", **values):
    """Store and return a user who can sign in with the password of `signed_in`."""
    number = next(NUMBERS)
    values = {"email": f"person{number}@example.com", "password_hash": PASSWORD_HASH, **values}
    with Session(engine, expire_on_commit=False) as session:
        user = User(name=name, role=role, **values)
        session.add(user)
        session.commit()
    return user


def browser_of(wsgi, engine, user, **values):
    """Return a browser without scripts in which `user` is signed in; `values` are columns of the `SignIn`."""
    token = f"of the tests, {next(NUMBERS)}"
    # Seen tomorrow, so that no request writes "last seen".
    values = {"address": "", "browser": "", "seen_at": utcnow() + TOMORROW, **values}
    with engine.begin() as connection:
        connection.execute(sqlalchemy.insert(SignIn).values(token=digest(token), user_id=user.id, **values))
    app = TestApp(wsgi, extra_environ=dict(signed_in.ENVIRON))
    app.set_cookie(cookie_name(wsgi.registry.settings, "session"), signed_in.cookie(token=token))
    return app


def select_for(engine, person, user):
    """Return a selection of `person`, with one user in it."""
    with Session(engine, expire_on_commit=False) as session:
        selection = Selection(user_id=person.id, query="sort=-name")
        session.add(selection)
        session.flush()
        selection.tick([user.id], [user.id])
        session.commit()
    return selection


def token_of(app):
    """Return the CSRF token of a browser, from the language form, which is on every page."""
    return app.get("/nothing", status=404).forms[0]["csrf_token"].value


def everything_stored(engine, but_for=()):
    """Return the rows of all tables `but_for` some as text, by the name of the table; read without the models."""
    with engine.connect() as connection:
        names = {*Base.metadata.tables, *_tables_of(connection)} - {*but_for}
        return {name: _rows_of(connection, name) for name in sorted(names)}


def _tables_of(connection):
    return sqlalchemy.inspect(connection).get_table_names()


def _rows_of(connection, table):
    return sorted(map(repr, connection.exec_driver_sql(f"SELECT * FROM {table}").all()))
