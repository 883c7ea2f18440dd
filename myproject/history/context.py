"""Tells the database who writes: before the first change of a transaction, as data of that transaction.

A view that may write announces its request, a command announces itself. What neither has announced is recorded as the
change of another program.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass
from typing import Any

from pyramid.config import Configurator
from pyramid.response import Response
from sqlalchemy import Connection, Engine, event
from sqlalchemy.orm import Session, SessionTransaction
from transaction import TransactionManager

from ..db.session import SAFE_METHODS
from ..web.events import actor_of
from ..web.request import Request

# In the data of a transaction of the transaction manager: its Origin, and the connection that it has taken.
ANNOUNCED, CONNECTION = "history_origin", "history_connection"
# In `Connection.info`, while SQLite's database has the row of the open transaction.
IS_OPEN = "history_is_open"


@dataclass(frozen=True)
class Origin:
    """Where the changes of a transaction come from: see `Entry`, which has the same columns."""

    actor_id: int | None = None
    route: str | None = None
    request_id: str | None = None
    attempts: int | None = None
    undoes_id: int | None = None


def includeme(config: Configurator) -> None:
    """Announce each request before its view runs, unless its method is safe."""
    config.add_view_deriver(announcing_view)
    # For threads of the application, in modules that know nothing of the history.
    config.registry["announce"] = lambda tm, **origin: announce(tm, Origin(**origin))


def announcing_view(view: Callable[[Any, Request], Response], info: Any) -> Callable[[Any, Request], Response]:
    """Return `view` with the announcement before it. It runs after the check of the permission, which names the person.

    An exception view runs after the transaction has ended.
    """
    if info.exception_only:
        return view

    def announce_and_view(context: Any, request: Request) -> Response:
        if request.method not in SAFE_METHODS:
            announce(request.tm, origin_of(request))
        return view(context, request)

    return announce_and_view


def origin_of(request: Request, undoes_id: int | None = None) -> Origin:
    """Return the Origin of what `request` changes; a page that queries nobody's identity has no person."""
    return Origin(
        actor_id=actor_of(request),
        route=request.matched_route.name if request.matched_route else None,
        request_id=request.id,
        attempts=request.environ.get("retry.attempt", 0) + 1,
        undoes_id=undoes_id,
    )


def announce(tm: TransactionManager, origin: Origin) -> None:
    """Let what the current transaction of `tm` changes from now on come from `origin`."""
    transaction = tm.get()
    transaction.setExtendedInfo(ANNOUNCED, origin)
    connection = transaction.extension.get(CONNECTION)
    if connection is not None:
        tell(connection, origin)


@event.listens_for(Session, "after_begin")
def _tell_announced(session: Session, _: SessionTransaction, connection: Connection) -> None:
    """Tell the database as soon as the Session of an announced transaction takes a connection."""
    transaction = session.info.get("transaction")
    is_read_only = connection.get_execution_options().get("read_only", False)
    if transaction is None or is_read_only or CONNECTION in transaction.extension:
        return
    transaction.setExtendedInfo(CONNECTION, connection)
    if ANNOUNCED in transaction.extension:
        tell(connection, transaction.extension[ANNOUNCED])


def tell(connection: Connection, origin: Origin) -> None:
    """Let the changes of the open transaction of `connection` come from `origin` (recording.py)."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT set_config('history.told', %s, true)", (json.dumps(asdict(origin)),))
        return
    connection.exec_driver_sql("DELETE FROM history_open")
    columns = "actor_id, route, request_id, attempts, undoes_id"
    connection.exec_driver_sql(f"INSERT INTO history_open ({columns}) VALUES (?, ?, ?, ?, ?)", astuple(origin))  # nosec B608
    connection.info[IS_OPEN] = True


@event.listens_for(Engine, "commit")
def _close(connection: Connection) -> None:
    if connection.info.pop(IS_OPEN, False):
        connection.exec_driver_sql("DELETE FROM history_open")


@event.listens_for(Engine, "rollback")
def _forget(connection: Connection) -> None:
    if not connection.invalidated:
        connection.info.pop(IS_OPEN, None)
