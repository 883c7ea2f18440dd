"""A WSGI application whose answers take long or are large, for the tests of the server."""

import socket
import time

from myproject.probes import SERVER_KEY
from myproject.server import SO_ATTACH_FILTER

LARGE = b"x" * 4_000_000


def main(global_config, **settings):
    """Return the application: `/0.5` answers after half a second, `/large` with 4 MB, `/` at once.

    `/readyz` answers with what the server knows of itself: `is_stopping threads waiting_requests is_address_of_proxy`.

    With `filters=forbidden`, no filter can be attached to a socket, as in some containers.
    """
    if global_config.get("filters") == "forbidden":
        set_option = socket.socket.setsockopt
        socket.socket.setsockopt = lambda *arguments: set_option(*refuse_filter(*arguments))

    def application(environ, start_response):
        path = environ["PATH_INFO"].strip("/")
        if path == "readyz":
            state = environ[SERVER_KEY]
            start_response("200 OK", [])
            return [
                f"{state.is_stopping} {state.threads} {state.waiting_requests} {state.is_address_of_proxy}".encode()
            ]
        body = LARGE if path == "large" else settings["answer"].encode()
        if path not in ("", "large"):
            time.sleep(float(path))
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    return application


def refuse_filter(*arguments):
    """Return the arguments of `setsockopt`. Raises `PermissionError` if they attach a filter."""
    if arguments[2] == SO_ATTACH_FILTER:
        raise PermissionError
    return arguments
