"""The Session: made on first use, joined to the transaction before anything else, closed when that ends."""

import threading

from sqlalchemy import event
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import sessionmaker
from transaction._transaction import Status
from zope.sqlalchemy import mark_changed
from zope.sqlalchemy.datamanager import STATUS_READONLY, join_transaction

from .engine import get_engine

LAST = "\U0010ffff"
SAFE_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE"}
READING_SECONDS = 5


def includeme(config):
    """Add `request.dbsession` and the factory behind it, `registry["dbsession_factory"]`."""
    settings = config.get_settings()
    reading_seconds = int(settings.get("reading.longest_seconds", READING_SECONDS))
    engine = get_engine(settings["sqlalchemy.url"], reading_seconds=reading_seconds)
    config.registry["dbsession_factory"] = get_session_factory(engine)
    config.add_request_method(dbsession, reify=True)


def dbsession(request):
    """Return the request's Session; for a safe request, one whose writes the database refuses.

    Raises `transaction.interfaces.NoTransaction` before the request's transaction has begun and after it has ended.
    """
    reading = request.method in SAFE_METHODS
    return get_tm_session(request.registry["dbsession_factory"], request.tm, read_only=reading)


def get_session_factory(engine):
    """Return a factory of Sessions on `engine` that only a transaction manager begins and ends."""
    # Without autobegin, a session refuses to be used after its transaction has ended, instead of quietly taking a
    # connection for a new one that nobody would commit.
    factory = sessionmaker(engine, autobegin=False)
    event.listen(factory, "after_transaction_create", _leave_begin_to_the_manager)
    event.listen(factory, "before_attach", lambda session, _: _refuse_other_threads(session))
    event.listen(factory, "before_flush", lambda session, *_: _refuse_other_threads(session))
    event.listen(factory, "do_orm_execute", lambda state: _refuse_other_threads(state.session))
    # What goes past the session: a connection of it, handed to another thread.
    event.listen(engine, "before_cursor_execute", _refuse_connection_of_other_threads)
    event.listen(engine, "commit", _leave_commit_to_the_manager)
    return factory


def get_tm_session(factory, tm, *, read_only=False):
    """Return a new Session whose whole life is the current transaction of `tm`, the transaction manager.

    It takes a connection when it first needs one. When the transaction commits, the session flushes, commits and
    closes; when it aborts, the session rolls back and closes. With `read_only`, the database refuses to write. Only
    the thread that made the session may use it.
    """
    thread = threading.get_ident()
    options = {"tm": tm, "read_only": read_only, "thread": thread}
    session = factory(execution_options=options, info={"thread": thread})
    join(session, tm, read_only=read_only)
    return session


def join(session, tm, *, read_only=False):
    """Begin `session` as a part of the current transaction of `tm`."""
    session.info["joining"] = True
    try:
        if read_only:
            # Of one snapshot, and the database refuses to write: there is nothing to commit, and it is only closed.
            join_transaction(session, STATUS_READONLY, tm)
        else:
            # Joined as changed, it commits whatever was written and however: zope.sqlalchemy's listeners see what the
            # ORM writes, but not a Core statement, a SELECT of a function that writes, or a raw cursor.
            mark_changed(session, tm)
    finally:
        del session.info["joining"]
    # It commits when it votes: whatever else takes part has to have voted by then, however it is called.
    tm.get()._resources[-1].sortKey = lambda: LAST


def _leave_begin_to_the_manager(session, transaction):
    if _is_other_thread(session.info):
        transaction.close()  # a savepoint's or a bulk write's
        _refuse_other_threads(session)
    if transaction.parent is None and "joining" not in session.info:
        transaction.close()
        raise InvalidRequestError(
            "This Session begins and ends with its transaction manager's transaction: get_tm_session()."
        )


def _refuse_other_threads(session):
    # The request may end before another thread does, and commit half of that one's work.
    if _is_other_thread(session.info):
        raise InvalidRequestError("A Session belongs to one thread; another one opens its own.")


def _refuse_connection_of_other_threads(connection, *_):
    if _is_other_thread(connection.get_execution_options()):
        raise InvalidRequestError("A Session's connection belongs to one thread; another one opens its own Session.")


def _is_other_thread(info):
    return info.get("thread") not in (None, threading.get_ident())


def _leave_commit_to_the_manager(connection):
    tm = connection.get_execution_options().get("tm")
    if tm is not None and tm.get().status != Status.COMMITTING:
        raise InvalidRequestError("Leave the commit to the transaction manager; for a part of it, use begin_nested().")
