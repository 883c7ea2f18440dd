"""Connections to PostgreSQL (by psycopg) that never wait for ever, and whose session belongs to them alone."""

import time
import uuid
from collections.abc import Callable, Generator
from typing import Any

import psycopg

# How long a message from one session to another may take. It is one within the server.
MESSAGE_SECONDS = 0.5


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that closes itself when it waits for the server for longer than `longest_silence`.

    TCP notices neither a server that is stopped nor a proxy that forwards nothing: their kernels still acknowledge.
    """

    # Seconds without a byte from the server, or without room for a byte to it; `None` for no limit.
    longest_silence: float | None = None

    def wait(self, gen: Generator[Any, int, Any], *args: Any, **kwargs: Any) -> Any:
        """Wait for the driver's operation `gen`. Raises `psycopg.OperationalError` after the longest silence."""
        return super().wait(gen if self.longest_silence is None else self._watched(gen), *args, **kwargs)

    def _watched(self, gen: Generator[Any, int, Any]) -> Generator[Any, int, Any]:
        heard = time.monotonic()
        try:
            waited_for = next(gen)
            while True:
                # psycopg sends 0 every 0.1 seconds while nothing is ready.
                ready = yield waited_for
                if ready:
                    heard = time.monotonic()
                elif self.longest_silence is not None and time.monotonic() - heard > self.longest_silence:
                    self.close()
                    raise psycopg.OperationalError(f"the server did not answer for {self.longest_silence} seconds")
                waited_for = gen.send(ready)
        except StopIteration as end:
            return end.value


def connect(longest_silence: float | None, settings: str, *args: Any, **kwargs: Any) -> BoundedConnection:
    """Return a new connection with `settings`, SQL statements; the other arguments are those of `psycopg.connect`.

    Raises `psycopg.NotSupportedError` if the database does not use UTF-8, and behind a pooler that gives one session to
    several clients: their prepared statements have the same names, so that one client would execute what another one
    has prepared.
    """
    connection = _connect(longest_silence, *args, **kwargs)
    try:
        encoding = connection.info.parameter_status("server_encoding")
        if encoding not in (None, "UTF8"):
            raise psycopg.NotSupportedError(
                f"the database has the encoding {encoding}, which cannot store every text; create one with UTF8"
            )
        # By SQL and not by the parameter `options`, which poolers refuse or ignore.
        connection.execute(settings)
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        is_direct = row is not None and row[0] == connection.info.backend_pid
        if not is_direct and not _keeps_session(connection, lambda: _connect(longest_silence, *args, **kwargs)):
            raise psycopg.NotSupportedError(
                "the database is behind a pooler in transaction mode, which mixes up the statements of its clients; "
                "connect to PostgreSQL itself, or to a pooler in session mode"
            )
        connection.autocommit = False
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(longest_silence: float | None, *args: Any, **kwargs: Any) -> BoundedConnection:
    connection = BoundedConnection.connect(*args, **kwargs)
    connection.longest_silence = longest_silence
    connection.autocommit = True
    return connection


def _keeps_session(connection: BoundedConnection, connect_again: Callable[[], BoundedConnection]) -> bool:
    # A pooler in transaction mode has given the session away between two transactions, so that nobody passes on to
    # `connection` the message of another session.
    channel = f"myproject_{uuid.uuid4().hex}"
    connection.execute(f"LISTEN {channel}")
    with connect_again() as other:
        other.execute(f"NOTIFY {channel}")
    heard = list(connection.notifies(timeout=MESSAGE_SECONDS, stop_after=1))
    connection.execute(f"UNLISTEN {channel}")
    return bool(heard)
