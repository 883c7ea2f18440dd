"""Pages of the real application, `/outcome/{name}`, each with another outcome of its transaction."""

import contextlib
import sqlite3

from pyramid.events import ApplicationCreated
from pyramid.response import Response
from pyramid.security import NO_PERMISSION_REQUIRED
from sqlalchemy import event, select, text
from sqlalchemy.exc import DBAPIError

from myproject.models import User

BUSY_TIMEOUT = "PRAGMA busy_timeout = 20"  # milliseconds
RAISE = "DO $$ BEGIN RAISE 'as the test wants' USING ERRCODE = '40001'; END $$"
PAGE = "<!DOCTYPE html><html lang=en><title>Outcome</title><body><h1>An outcome</h1></body></html>"


def includeme(config):
    """Add the pages."""
    config.add_route("outcome", "/outcome/{name}")
    config.add_view(show, route_name="outcome", require_csrf=False, permission=NO_PERMISSION_REQUIRED)
    config.add_subscriber(shorten_waits, ApplicationCreated)


def shorten_waits(created):
    """Let the application wait for SQLite's lock for 20 milliseconds instead of 5 seconds."""
    engine = engine_of(created.app)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, _record: connection.execute(BUSY_TIMEOUT))
    engine.dispose()


def engine_of(application):
    """Return the engine of an application or a request."""
    return application.registry["dbsession_factory"].kw["bind"]


def show(request):
    """Run the function that the URL names."""
    return OUTCOMES[request.matchdict["name"]](request) or Response(PAGE)


def add(request):
    """Add a user."""
    request.dbsession.add(User(name="Jane Doe"))
    request.dbsession.flush()


def read(request):
    """Read a user."""
    request.dbsession.get(User, 1)


def fail(request):
    """Add a user, then raise an exception."""
    add(request)
    raise LookupError


def abort(request):
    """Add a user, and answer with a header that aborts."""
    add(request)
    return Response(PAGE, headers={"X-Tm": "abort"})


def doom(request):
    """Add a user, and say that the transaction must not commit."""
    add(request)
    request.tm.doom()


def swallow(request):
    """Go on after an error of the database, which has failed the whole transaction on PostgreSQL."""
    add(request)
    with contextlib.suppress(DBAPIError):
        request.dbsession.execute(text("SELECT nothing"))


def lose_twice(request):
    """Add a user, but let the database refuse that in the first two attempts."""
    if request.environ["retry.attempt"] >= 2:
        add(request)
    elif engine_of(request).dialect.name == "postgresql":
        add(request)
        request.dbsession.execute(text(RAISE))
    else:
        with contextlib.closing(sqlite3.connect(engine_of(request).url.database)) as other:
            other.execute("BEGIN IMMEDIATE")
            add(request)


def one_by_one(request):
    """Read the posts of each author by a statement of its own."""
    for user in request.dbsession.scalars(select(User).order_by(User.id).limit(5)):
        _ = list(user.posts)


def savepoint(request):
    """Add two users, one of them in a savepoint that is rolled back, and work after the commit."""
    add(request)
    with contextlib.suppress(LookupError), request.dbsession.begin_nested():
        add(request)
        raise LookupError
    request.after_commit(print, "after the commit")


OUTCOMES = {
    "add": add,
    "read": read,
    "fail": fail,
    "abort": abort,
    "doom": doom,
    "swallow": swallow,
    "lose-twice": lose_twice,
    "one-by-one": one_by_one,
    "savepoint": savepoint,
    "unused": lambda request: None,
}
