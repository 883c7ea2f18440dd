"""The Session of a transaction: made on first use, joined to the transaction at once, closed when that ends."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyramid.config import Configurator
from pyramid.request import Request
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError, InvalidRequestError, ResourceClosedError
from sqlalchemy.orm import Session, SessionTransaction, sessionmaker
from transaction import TransactionManager
from zope.sqlalchemy.datamanager import STATUS_CHANGED, STATUS_READONLY, SessionDataManager, SessionSavepoint

from .changes import forget_savepoint, note_flush, note_savepoint
from .engine import engine_from_config, read_number
from .failure import CommitRefused
from .transaction import is_of_script

# Data managers vote in the order of their keys; this is the last character of Unicode.
LAST_SORT_KEY = "\U0010ffff"
SAFE_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE"}
READING_ROUTES = "myproject.db.reading_routes"
DEFAULT_READING_SECONDS = 5
DEFAULT_SILENCE_SECONDS = 30


@dataclass
class Owner:
    """Who may use a Session: one thread; and its data manager alone begins and commits it."""

    thread: int
    may_begin: bool = False
    may_commit: bool = False


def includeme(config: Configurator) -> None:
    """Add `request.dbsession`, the factory behind it in `registry["dbsession_factory"]`, and `add_reading_route`."""
    settings = config.get_settings()
    engine = engine_from_config(
        settings,
        reading_seconds=read_number(settings, "reading.longest_seconds", DEFAULT_READING_SECONDS),
        silence_seconds=read_number(settings, "database.longest_silence", DEFAULT_SILENCE_SECONDS),
        before_connecting=config.registry.get("before_connecting"),
    )
    config.registry["dbsession_factory"] = get_session_factory(engine)
    config.registry[READING_ROUTES] = set()
    config.add_directive("add_reading_route", add_reading_route)
    config.add_request_method(dbsession, reify=True)


def dbsession(request: Request) -> Session:
    """Return the request's Session; the database refuses the writes of a safe request's Session.

    Raises `transaction.interfaces.NoTransaction` before the request's transaction has begun and after it has ended.
    The request of a script has one that may write, in each transaction that the script begins. Tests may put a Session
    of their own into the environ, as those of Pyramid's starter do.
    """
    if "app.dbsession" in request.environ:
        return request.environ["app.dbsession"]
    factory = request.registry["dbsession_factory"]
    if is_of_script(request):
        return get_rejoining_session(factory, request.tm)
    if request.method in SAFE_METHODS and "standby" in request.registry:
        session = request.registry["standby"].session_of(request)
        if session is not None:
            return session
    return get_tm_session(factory, request.tm, read_only=is_reading(request))


def is_reading(request: Request) -> bool:
    """Return whether the database refuses what `request` writes: by its method, or because its route only reads."""
    route = request.matched_route
    return request.method in SAFE_METHODS or (route is not None and route.name in request.registry[READING_ROUTES])


def add_reading_route(config: Configurator, name: str) -> None:
    """Let the forms of the route `name` write nothing to the database, so that they wait for no lock of it."""
    config.registry[READING_ROUTES].add(name)


def get_session_factory(engine: Engine) -> sessionmaker[Session]:
    """Return a factory of Sessions on `engine` that only a transaction manager begins and ends."""
    # Without autobegin, a Session refuses to be used after its transaction has ended. With it, the Session would
    # silently take a connection for a new transaction that nobody commits.
    factory = sessionmaker(engine, autobegin=False)
    event.listen(factory, "after_transaction_create", _refuse_begin)
    event.listen(factory, "before_attach", lambda session, _: _refuse_other_threads(session))
    event.listen(factory, "before_flush", lambda session, *_: _refuse_other_threads(session))
    event.listen(factory, "after_flush", note_flush)
    event.listen(factory, "after_transaction_create", note_savepoint)
    event.listen(factory, "after_soft_rollback", forget_savepoint)
    event.listen(factory, "do_orm_execute", lambda state: _refuse_other_threads(state.session))
    # A view can give the Session's connection to another thread, and commit it: the Session's events do not see that.
    event.listen(engine, "before_cursor_execute", _refuse_connection_of_other_threads)
    event.listen(engine, "commit", _refuse_commit)
    return factory


def get_tm_session(
    factory: sessionmaker[Session], tm: TransactionManager, *, read_only: bool = False, wait_for_locks: bool = True
) -> Session:
    """Return a new Session that lives as long as the current transaction of `tm`, the transaction manager.

    It takes a connection when it first needs one. When the transaction commits, the Session flushes, commits and
    closes; when it aborts, the Session rolls back and closes. Only the thread that made the Session may use it.

    With `read_only`, the database refuses to write. Without `wait_for_locks`, a statement that meets a lock of
    somebody else fails at once (SQLite) or after 10 ms (PostgreSQL), as a lost race.
    """
    session = _make_session(factory, read_only=read_only, wait_for_locks=wait_for_locks)
    _join_transaction(session, tm, read_only=read_only)
    return session


def get_rejoining_session(factory: sessionmaker[Session], tm: TransactionManager) -> Session:
    """Return a new Session that joins each transaction of `tm`: for a script or a shell, with several of them.

    Between two transactions it refuses to be used. Only the thread that made it may use it.
    """
    session = _make_session(factory)
    # The manager has only a weak reference to it, and calls it at once if a transaction has begun.
    session.info["rejoin"] = rejoin = Rejoin(session, tm)
    tm.registerSynch(rejoin)
    return session


class Rejoin:
    """Joins a Session to each transaction that its manager begins."""

    def __init__(self, session: Session, tm: TransactionManager) -> None:
        """Take the Session and the manager of its transactions."""
        self.session, self.tm = session, tm

    def newTransaction(self, transaction: Any) -> None:
        """Join the Session to the new transaction."""
        _join_transaction(self.session, self.tm)

    def beforeCompletion(self, transaction: Any) -> None:
        """Do nothing: the Session has joined already."""

    afterCompletion = beforeCompletion


def _make_session(factory: sessionmaker[Session], **options: bool) -> Session:
    owner = Owner(threading.get_ident())
    return factory(execution_options={"owner": owner, **options}, info={"owner": owner})


def _join_transaction(session: Session, tm: TransactionManager, *, read_only: bool = False) -> None:
    owner = session.info["owner"]
    owner.may_begin = True
    # For listeners that need what is said of the transaction.
    session.info["transaction"] = tm.get()
    try:
        # Joined as changed, it commits whatever was written. zope.sqlalchemy's own listeners notice what the ORM
        # writes, but not a Core statement, a SELECT of a function that writes, or a raw cursor. A read-only Session
        # has nothing to commit: it is closed.
        if read_only:
            Reader(session, STATUS_READONLY, tm)
        else:
            LastVoter(session, STATUS_CHANGED, tm)
    finally:
        owner.may_begin = False


class LastVoter(SessionDataManager):
    """Commits a Session with its transaction, in the last vote: nothing can fail after the database has committed."""

    def sortKey(self) -> str:
        """Return the key that makes this data manager vote after all others."""
        return LAST_SORT_KEY

    def tpc_vote(self, trans: Any) -> None:
        """Commit the Session, and close it."""
        if self.session is None:  # A read-only one has been closed already.
            return
        owner = self.session.info["owner"]
        owner.may_commit = True
        try:
            super().tpc_vote(trans)
        except ResourceClosedError as error:
            raise CommitRefused(
                "This Session was rolled back, committed or closed before its transaction ended. "
                "Put what may fail into begin_nested(); to save nothing, raise an exception or answer 4xx.",
                "a COMMIT of a Session that had ended before",
            ) from error
        finally:
            owner.may_commit = False

    def savepoint(self) -> SessionSavepoint:
        """Return a savepoint, on SQLite too, which zope.sqlalchemy takes for a database without them."""
        return SessionSavepoint(self.session)


class Reader(LastVoter):
    """Closes a read-only Session with its transaction; a connection that breaks at its ROLLBACK loses nothing."""

    def commit(self, trans: Any) -> None:
        """Close the Session."""
        with _ignoring_broken_connection():
            super().commit(trans)

    def abort(self, trans: Any) -> None:
        """Close the Session."""
        with _ignoring_broken_connection():
            super().abort(trans)


@contextlib.contextmanager
def _ignoring_broken_connection() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise


def _refuse_begin(session: Session, transaction: SessionTransaction) -> None:
    if _is_other_thread(session.info):
        transaction.close()  # of a savepoint or a bulk write
        _refuse_other_threads(session)
    if transaction.parent is None and not ("owner" in session.info and session.info["owner"].may_begin):
        transaction.close()
        raise InvalidRequestError(
            "This Session begins and ends with a transaction of its transaction manager: get_tm_session(), or in a "
            "script or shell request.tm.begin()."
        )


def _refuse_other_threads(session: Session) -> None:
    # The request may end before the other thread does, and would commit half of its work.
    if _is_other_thread(session.info):
        raise InvalidRequestError("A Session belongs to one thread; another one opens its own.")


def _refuse_connection_of_other_threads(connection: Connection, *_: Any) -> None:
    if _is_other_thread(connection.get_execution_options()):
        raise InvalidRequestError("A Session's connection belongs to one thread; another one opens its own Session.")


def _is_other_thread(options: Any) -> bool:
    return "owner" in options and options["owner"].thread != threading.get_ident()


def _refuse_commit(connection: Connection) -> None:
    owner = connection.get_execution_options().get("owner")
    if owner is not None and not owner.may_commit:
        raise InvalidRequestError("Leave the commit to the transaction manager; for a part of it, use begin_nested().")
