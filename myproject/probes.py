"""What the server does for probes, requests for `/healthz`, `/readyz` and `/metrics`, beyond running the application.

Probes have threads of their own: while a database hangs, all other threads may wait for it, and the server is alive.
The application is told what only the server knows, in `environ[SERVER_KEY]`: whether it stops, how many requests wait
for a thread, and whether a proxy that it does not trust has forwarded the request.
"""

import logging
from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass
from typing import Any

from waitress.task import ThreadedTaskDispatcher

from .logs import current_request

ALIVE = "/healthz"
PROBES = (ALIVE, "/readyz", "/metrics")
SERVER_KEY = "myproject.server"
# For those that may wait for the database.
PROBE_THREADS = 3
# With one of these, a proxy names the address of the client.
ADDRESS_HEADERS = {"HTTP_FORWARDED": "forwarded", "HTTP_X_FORWARDED_FOR": "x-forwarded-for"}
# waitress removes them from requests of proxies that it does not trust.
FORWARDING_HEADERS = (
    *ADDRESS_HEADERS,
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_BY",
)

Application = Callable[..., Any]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServerState:
    """What the server knows of itself and of a request."""

    is_stopping: bool
    threads: int
    waiting_requests: int
    # Whether a proxy has forwarded the request, and the address that it seems to come from is the proxy's own.
    is_address_of_proxy: bool


class Dispatcher:
    """Gives requests to the threads of waitress's dispatcher, and probes to threads of their own.

    `/healthz` has one that waits for nothing: any number of `/readyz` may wait for a database that hangs.
    """

    def __init__(self, pages: ThreadedTaskDispatcher) -> None:
        self.pages, self.probes, self.alive = pages, ThreadedTaskDispatcher(), ThreadedTaskDispatcher()
        self.probes.set_thread_count(PROBE_THREADS)
        self.alive.set_thread_count(1)

    @property
    def threads(self) -> Sized:
        """The threads that answer pages."""
        return self.pages.threads

    @property
    def queue(self) -> Sized:
        """The requests that wait for one of them."""
        return self.pages.queue

    def add_task(self, task: Any) -> None:
        """Let a thread answer the first request of `task`, a channel of waitress."""
        # A request that could not be read has no path.
        path = getattr(task.requests[0], "path", "") if task.requests else ""
        if path == ALIVE:
            self.alive.add_task(task)
        else:
            (self.probes if path in PROBES else self.pages).add_task(task)

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:
        """End the threads, when they have finished what they do, or after `timeout` seconds."""
        self.alive.shutdown(cancel_pending, timeout=1)
        self.probes.shutdown(cancel_pending, timeout=1)
        return self.pages.shutdown(cancel_pending, timeout)


def tell_state(listener: Any, dispatcher: Dispatcher, stopping: Sized) -> Application:
    """Return the WSGI application that puts the ServerState into the environ, before waitress removes headers.

    The first request whose address is that of a proxy is logged: to the site, all such requests come from one address.
    """
    application = listener.application
    warned: list[str] = []

    def telling(environ: dict[str, Any], start_response: Any) -> Any:
        # Of the request before, which this thread has worked for; the application names this one.
        current_request.set("")
        hides_client = is_address_of_proxy(environ, listener.adj)
        environ[SERVER_KEY] = ServerState(bool(stopping), len(dispatcher.threads), len(dispatcher.queue), hides_client)
        if hides_client and not warned:
            warned.append(environ["REMOTE_ADDR"])
            log.warning(
                "the proxy at %s is not trusted, so all requests seem to come from there; set trusted_proxy"
                " and trusted_proxy_headers",
                warned[0],
            )
        return application(environ, start_response)

    return telling


def is_address_of_proxy(environ: Mapping[str, Any], adjustments: Any) -> bool:
    """Return whether a proxy has forwarded a request, and waitress does not learn the client's address from it."""
    if environ.keys().isdisjoint(FORWARDING_HEADERS):
        return False
    is_trusted = adjustments.trusted_proxy in ("*", environ["REMOTE_ADDR"])
    trusted_headers = adjustments.trusted_proxy_headers or set()
    return not is_trusted or not any(
        key in environ and header in trusted_headers for key, header in ADDRESS_HEADERS.items()
    )
