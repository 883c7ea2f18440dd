"""The Session: made on first use, joined to the transaction before anything else, closed when that ends."""

from sqlalchemy import event
from sqlalchemy.orm import sessionmaker
from transaction._transaction import Status
from zope.sqlalchemy import mark_changed

from .engine import READ_ONLY, get_engine

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


def includeme(config):
    """Add `request.dbsession` and the factory behind it, `registry["dbsession_factory"]`."""
    engine = get_engine(config.get_settings()["sqlalchemy.url"])
    config.registry["dbsession_factory"] = get_session_factory(engine)
    config.add_request_method(dbsession, reify=True)


def dbsession(request):
    """Return the request's Session; for a safe request, one whose writes the database refuses.

    Raises `transaction.interfaces.NoTransaction` before the request's transaction has begun and after it has ended.
    """
    options = {"execution_options": READ_ONLY} if request.method in SAFE_METHODS else {}
    return get_tm_session(request.registry["dbsession_factory"], request.tm, **options)


def get_session_factory(engine):
    """Return a factory of Sessions on `engine` that only a transaction manager begins and ends."""
    # Without autobegin, a session refuses to be used after its transaction has ended, instead of quietly taking a
    # connection for a new one that nobody would commit.
    factory = sessionmaker(engine, autobegin=False)
    event.listen(factory, "before_commit", _leave_commit_to_the_manager)
    return factory


def get_tm_session(factory, tm, **options):
    """Return a new Session whose whole life is the current transaction of `tm`, the transaction manager.

    `options` go to the Session. It takes a connection when it first needs one. When the transaction commits, the
    session flushes, commits and closes; when it aborts, the session rolls back and closes.
    """
    session = factory(info={"tm": tm}, **options)
    # Joined as changed, it commits whatever was written and however: zope.sqlalchemy's listeners see what the ORM
    # writes, but not a Core statement, a SELECT of a function that writes, or a raw cursor.
    mark_changed(session, tm)
    return session


def _leave_commit_to_the_manager(session):
    committing = session.info["tm"].get().status == Status.COMMITTING
    if not committing and not session.in_nested_transaction():
        raise RuntimeError("Leave the commit to the transaction manager; for a part of it, use begin_nested().")
