"""Safe requests may read from a standby of PostgreSQL, which may be some seconds behind: `reading.url`.

It shows everything that was committed `reading.longest_lag` seconds ago, or it is not used. A browser that has sent a
form reads from the primary for as long, so that it always sees what it has saved. A cookie remembers that, because
another process may answer the next request.
"""

import contextlib
import logging
import math
import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import Any, cast

from pyramid.config import Configurator
from pyramid.events import NewRequest
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response
from sqlalchemy import Connection, Engine, event
from sqlalchemy.orm import Session
from zope.interface import implementer

from .engine import engine_from_config, read_number
from .failure import IDatabaseUnavailable, describe_failure
from .replication import Position, read_committed, read_replayed
from .session import DEFAULT_READING_SECONDS, SAFE_METHODS, get_session_factory, get_tm_session

FRESH_ROUTES = "myproject.db.fresh_routes"
DEFAULT_LONGEST_LAG_SECONDS = 5
# The primary is asked for its position this often in the longest lag.
ASKED_PER_LAG = 4
# After a failure, the standby is not tried again for this many seconds.
PAUSE_SECONDS = 2
# Beyond its own time limit, a read waits this many seconds for a standby that is silent: it can be read elsewhere. A
# page waits as long for the primary to tell how far it is.
SILENCE_SECONDS = 1
CONNECT_SECONDS = 2

log = logging.getLogger(__name__)


@implementer(IDatabaseUnavailable)
class NotUsable(Exception):
    """The standby cannot answer now, for this reason."""


def includeme(config: Configurator) -> None:
    """Let safe requests read from the standby `reading.url`, if it is set; add `add_fresh_route`.

    `registry["read_after_cookie"]` may be set: arguments of `response.set_cookie`, such as its name.
    """
    config.registry[FRESH_ROUTES] = set()
    config.add_directive("add_fresh_route", add_fresh_route)
    settings = config.get_settings()
    if not settings.get("reading.url"):
        return
    longest_lag = read_number(settings, "reading.longest_lag", DEFAULT_LONGEST_LAG_SECONDS)
    engine = engine_from_config(
        {**settings, "sqlalchemy.url": settings["reading.url"]},
        reading_seconds=read_number(settings, "reading.longest_seconds", DEFAULT_READING_SECONDS),
        silence_seconds=SILENCE_SECONDS,
        connect_args={"connect_timeout": CONNECT_SECONDS},
    )
    config.registry["standby"] = Standby(config.registry, engine, longest_lag)
    config.add_subscriber(_note_form, NewRequest)


def add_fresh_route(config: Configurator, name: str) -> None:
    """Let the safe requests of the route `name`, and those that follow in the same browser, read from the primary.

    For a page that shows what a thread, or somebody else, has just saved for this person.
    """
    config.registry[FRESH_ROUTES].add(name)


def _note_form(received: NewRequest) -> None:
    if received.request.method not in SAFE_METHODS:
        received.request.add_response_callback(_remember)


def _remember(request: Request, response: Response) -> None:
    cookie = {"httponly": True, "samesite": "Lax", **_cookie(request)}
    response.set_cookie(value="1", max_age=request.registry["standby"].longest_lag, **cookie)


def _has_written(request: Request) -> bool:
    return _cookie(request)["name"] in request.cookies


def _cookie(request: Request) -> dict[str, Any]:
    return request.registry.get("read_after_cookie", {"name": "read_after"})


class Standby:
    """A standby from which safe requests read, while it is near enough to the primary."""

    def __init__(self, registry: Registry, engine: Engine, longest_lag: int) -> None:
        """Take the registry, whose `dbsession_factory` leads to the primary, and the engine of the standby."""
        self.registry, self.engine, self.longest_lag = registry, engine, longest_lag
        self.factory = get_session_factory(engine)
        # Moments and the positions of the primary then, the latest one last.
        self.known: deque[tuple[float, Position]] = deque(maxlen=2 * ASKED_PER_LAG)
        self.lock = threading.Lock()
        self.asking: Future[None] | None = None
        self.paused_until = 0.0
        # Why it is not used, or empty.
        self.reason = ""
        event.listen(engine, "begin", self._require_near)
        event.listen(engine, "handle_error", self._pause_after_break)

    def session_of(self, request: Request) -> Session | None:
        """Return the Session of a safe request, with a connection to the standby; `None` to read from the primary."""
        # A request that is tried again may have met the end of the standby, or a conflict with its replay.
        if self.is_paused or request.environ.get("retry.attempt") or _has_written(request):
            return None
        if request.matched_route is not None and request.matched_route.name in self.registry[FRESH_ROUTES]:
            request.add_response_callback(_remember)
            return None
        session = get_tm_session(self.factory, request.tm, read_only=True)
        try:
            # Not only when the view reads: then it would be too late for the primary.
            session.connection()
        except Exception as error:
            if not IDatabaseUnavailable.providedBy(error):
                raise
            session.close()
            self._pause(describe_failure(error))
            return None
        self._note("")
        return session

    @property
    def is_paused(self) -> bool:
        """Whether the standby was found unusable a moment ago."""
        return time.monotonic() < self.paused_until

    def measure_lag(self) -> float | None:
        """Return by how many seconds at most the standby is behind; `None` if it is away, or not known for how long."""
        try:
            self._ask_primary()
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                replayed = read_replayed(connection)
        except Exception as error:
            if not IDatabaseUnavailable.providedBy(error):
                raise
            return None
        latest, now = list(self.known), time.monotonic()
        if replayed is None or replayed.includes(latest[-1][1]):
            return None if replayed is None else 0.0
        return next((now - moment for moment, position in reversed(latest) if replayed.includes(position)), None)

    def _require_near(self, connection: Connection) -> None:
        if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
            return
        # Before the transaction has begun in the database: a standby that is near only after the snapshot was taken
        # would not show it.
        needed = self._position_needed()
        asked, replayed = connection.info.get("replayed", (-math.inf, None))
        # The server of an open connection may have been promoted. Its primary, if it is idle, needs no later position.
        is_old = time.monotonic() - asked > self.longest_lag
        if is_old or replayed is None or not replayed.includes(needed):
            replayed = self._ask_standby(connection)
        if replayed is None:
            raise NotUsable("it is no standby")
        if replayed[:2] != needed[:2]:
            raise NotUsable("it is a standby of another database")
        if not replayed.includes(needed):
            raise NotUsable(f"it is behind by more than {self.longest_lag} seconds")

    def _ask_standby(self, connection: Connection) -> Position | None:
        asked, driver = time.monotonic(), cast(Any, connection.connection.dbapi_connection)
        driver.autocommit = True
        replayed = read_replayed(connection)
        driver.autocommit = False
        connection.info["replayed"] = asked, replayed
        return replayed

    def _position_needed(self) -> Position:
        """Return the oldest known position of the primary that is not older than the longest lag."""
        age = self._age_of_latest()
        if age > self.longest_lag / ASKED_PER_LAG:
            asking = self._ask_primary_in_thread()
            if age > self.longest_lag:
                with contextlib.suppress(TimeoutError):
                    asking.result(SILENCE_SECONDS)
        oldest_allowed = time.monotonic() - self.longest_lag
        for moment, position in list(self.known):
            if moment >= oldest_allowed:
                return position
        raise NotUsable("the primary does not tell how far it is")

    def _age_of_latest(self) -> float:
        return time.monotonic() - self.known[-1][0] if self.known else math.inf

    def _ask_primary_in_thread(self) -> Future[None]:
        """Ask the primary, unless a thread asks it already: a primary that hangs would keep each page waiting."""
        with self.lock:
            if self.asking is None or self.asking.done():
                self.asking = Future()
                # A thread that is no daemon would keep the process from ending while the primary hangs.
                threading.Thread(target=self._answer, args=(self.asking,), name="standby", daemon=True).start()
            return self.asking

    def _answer(self, asking: Future[None]) -> None:
        try:
            self._ask_primary()
            asking.set_result(None)
        except Exception as error:
            asking.set_exception(error)

    def _ask_primary(self) -> None:
        moment = time.monotonic()
        primary: Engine = self.registry["dbsession_factory"].kw["bind"]
        with primary.connect().execution_options(read_only=True) as connection:
            self.known.append((moment, read_committed(connection)))

    def _pause_after_break(self, context: Any) -> None:
        if context.is_disconnect or context.connection is None:
            self._pause(describe_failure(context.sqlalchemy_exception))

    def _pause(self, reason: str) -> None:
        self.paused_until = time.monotonic() + PAUSE_SECONDS
        self._note(reason)

    def _note(self, reason: str) -> None:
        # After a takeover, the first reason is not the one that stays.
        if reason and reason != self.reason:
            log.warning("the standby is not read from: %s", reason)
        elif self.reason and not reason:
            log.warning("the standby is read from again")
        self.reason = reason
