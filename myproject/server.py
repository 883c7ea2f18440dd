"""The server of `[server:main] use = egg:myproject`: waitress, with a graceful stop.

waitress itself ends at once on SIGTERM, and cuts off the requests in flight: https://github.com/Pylons/waitress/issues/198
Here SIGTERM closes the port; requests that have arrived are answered, then the process ends. A second SIGTERM, or
Ctrl-C, ends it at once.
"""

import contextlib
import ctypes
import logging
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

import waitress
from waitress import wasyncore

from .logs import logging_lost_errors
from .probes import Application, Dispatcher, tell_state
from .settings import SettingsError, read_whole_number

STOP_SETTING = "stop_within_seconds"
DEFAULT_STOP_SECONDS = 30
LONGEST_STOP_SECONDS = 3600
# Settings of waitress that make no sense below 1: with `threads = 0` it would accept requests and answer none.
COUNTS = ("threads", "connection_limit", "backlog", "channel_timeout", "cleanup_interval")
HIGHEST_COUNT = 9_999_999
# A client may be about to send its next request on an open connection. It is given this time to do so, and is then
# told to close the connection.
IDLE_SECONDS = 1
# How long clients may take to complete a connection that they have begun before the port closed.
HANDSHAKE_SECONDS = 0.2
# A program for Linux that drops the packets that begin a TCP connection: load the flags, the byte 13 of the header;
# drop the packet if SYN is set; else take all of it. https://docs.kernel.org/networking/filter.html
DROP_SYN = struct.pack("HBBI" * 4, 0x30, 0, 0, 13, 0x45, 0, 1, 2, 0x06, 0, 0, 0, 0x06, 0, 0, 0xFFFFFFFF)
SO_ATTACH_FILTER = 26
# How often the connections are looked at while the server stops.
STOPPING_LOOP_SECONDS = 0.1

log = logging.getLogger(__name__)


def make_server(global_config: dict[str, str], **settings: str) -> Callable[[Application], None]:
    """Return the function that serves an application until SIGTERM or Ctrl-C: a `paste.server_factory`.

    The settings are waitress's, and `stop_within_seconds`. The port is taken at once, before the application is loaded.
    Raises `SettingsError`.
    """
    stop_text = settings.pop(STOP_SETTING, str(DEFAULT_STOP_SECONDS))
    stop_seconds = read_whole_number(STOP_SETTING, stop_text, 0, LONGEST_STOP_SECONDS)
    for name in settings.keys() & COUNTS:
        read_whole_number(name, settings[name], 1, HIGHEST_COUNT)
    sockets: dict[int, Any] = {}
    applications: list[Application] = []

    def application_to_come(environ: dict[str, Any], start_response: Any) -> Any:
        return applications[0](environ, start_response)

    try:
        server = waitress.create_server(application_to_come, map=sockets, **settings)
    except (OSError, ValueError) as error:
        wasyncore.close_all(sockets)
        raise SettingsError(_explain(error, settings)) from error
    stopping = _listen_for_sigterm(sockets)
    _serve_probes(server, sockets, stopping)

    def serve(application: Application) -> None:
        applications.append(application)
        log.info("serving on %s", " and ".join(_addresses(sockets)))
        with logging_lost_errors():
            try:
                while not stopping:
                    _loop_once(server, sockets, server.adj.asyncore_loop_timeout)
                _finish(server, sockets, stop_seconds)
            except KeyboardInterrupt:
                server.task_dispatcher.shutdown()
        log.info("stopped")

    return serve


def _serve_probes(server: Any, sockets: dict[int, Any], stopping: list[int]) -> None:
    """Answer `/healthz` and the like even if all threads are busy, and tell the application what it cannot know."""
    server.task_dispatcher = dispatcher = Dispatcher(server.task_dispatcher)
    for listener in [each for each in sockets.values() if each.accepting]:
        listener.task_dispatcher = dispatcher
        listener.application = tell_state(listener, dispatcher, stopping)


def _addresses(sockets: dict[int, Any]) -> list[str]:
    """Return the addresses of the open ports, each once: a name may stand for IPv4 and for IPv6."""
    listeners = [each for each in sockets.values() if each.accepting]
    hosts = [(f"[{each.effective_host}]" if ":" in each.effective_host else each.effective_host) for each in listeners]
    return sorted({f"http://{host}:{each.effective_port}" for host, each in zip(hosts, listeners, strict=True)})


def _explain(error: Exception, settings: dict[str, str]) -> str:
    if not isinstance(error, OSError):
        return f"[server:main] {str(error).rstrip('.')}"
    place = settings.get("unix_socket") or settings.get("listen")
    place = place or f"{settings.get('host', '0.0.0.0')}:{settings.get('port', '8080')}"  # nosec B104
    return f"it cannot listen on {place} ({error.strerror})"


def _listen_for_sigterm(sockets: dict[int, Any]) -> list[int]:
    """Return a list that is empty until SIGTERM arrives. The next SIGTERM ends the process at once."""
    stopping: list[int] = []
    listener = next(each for each in sockets.values() if each.accepting)

    def stop(number: int, _frame: Any) -> None:
        stopping.append(number)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # The loop may be waiting.
        listener.pull_trigger()

    signal.signal(signal.SIGTERM, stop)
    return stopping


def _loop_once(server: Any, sockets: dict[int, Any], seconds: float) -> None:
    """Read and write what there is, or wait for it up to `seconds`."""
    wasyncore.loop(timeout=seconds, use_poll=server.adj.asyncore_use_poll, map=sockets, count=1)


def _finish(server: Any, sockets: dict[int, Any], seconds: int) -> None:
    """Accept no further connections, and answer what has been sent; leave the rest after `seconds`."""
    deadline = time.monotonic() + seconds
    listeners = _stop_listening(server, sockets)
    while channels := [channel for listener in listeners for channel in listener.active_channels.values()]:
        if time.monotonic() > deadline:
            log.warning("stopped after %d seconds; connections cut off: %d", seconds, len(channels))
            break
        for channel in channels:
            _close_after_answer(channel)
        _loop_once(server, sockets, STOPPING_LOOP_SECONDS)
    # The requests of clients who have hung up are finished too.
    server.task_dispatcher.shutdown(timeout=max(1, deadline - time.monotonic()))


def _stop_listening(server: Any, sockets: dict[int, Any]) -> list[Any]:
    """Close the port, without losing who has connected; return the listeners, which know the open connections."""
    listeners = [each for each in sockets.values() if each.accepting]
    for listener in listeners:
        _drop_new_connections(listener.socket)
    completed = time.monotonic() + HANDSHAKE_SECONDS
    while time.monotonic() < completed:
        _loop_once(server, sockets, HANDSHAKE_SECONDS / 4)
    for listener in listeners:
        accepted = None
        while accepted != len(listener.active_channels):
            accepted = len(listener.active_channels)
            listener.handle_accept()
        # Not its own close(), which also closes the trigger by which threads tell the loop that an answer is ready.
        wasyncore.dispatcher.close(listener)
    return listeners


def _drop_new_connections(listener: socket.socket) -> None:
    """Let the kernel ignore clients who connect from now on; on Linux, and only over TCP.

    The kernel completes connections by itself. One that it completed between the last look and the closing of the port
    would be reset, with the request that the client has sent. An ignored client tries again after a second. Some
    containers forbid the filter; the server then stops without it.
    """
    if sys.platform == "linux" and listener.family in (socket.AF_INET, socket.AF_INET6):
        program = ctypes.create_string_buffer(DROP_SYN)
        with contextlib.suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", 4, ctypes.addressof(program)))


def _close_after_answer(channel: Any) -> None:
    requests = list(channel.requests)
    if requests:
        # waitress answers it with `Connection: close`.
        requests[-1].headers["CONNECTION"] = "close"
    elif channel.request is None and time.time() - channel.last_activity > IDLE_SECONDS:
        # waitress sends the rest of an answer first.
        channel.close_when_flushed = True
