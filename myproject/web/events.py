"""The log of security events, one line of JSON each, and how the log names a page."""

import json
import logging
from http import HTTPMethod
from typing import Any

from ..db import to_id
from .request import Request

log = logging.getLogger("myproject.security")


def log_event(request: Request, event: str, **facts: Any) -> None:
    """Log a security event as one line of JSON: the event, the user, the address, and `facts`, never a secret."""
    by = request.known_identity.id if request.known_identity else None
    line = {"event": event, "by": by, "address": request.remote_addr, "request": request.id, **facts}
    log.info("%s", json.dumps(line, ensure_ascii=True))


def log_event_of_command(command: str, event: str, **facts: Any) -> None:
    """Log a security event of a command in a shell, where nobody is signed in, as `log_event` does."""
    log.info("%s", json.dumps({"event": event, "by": None, "command": command, **facts}, ensure_ascii=True))


def name_page(request: Request) -> str:
    """Return the method, and the pattern of the route with the id of its record, for the log: `POST /users/7/edit`.

    Never the path or the query: a link's token or an email that somebody searched for would be in the log.
    """
    method = request.method if request.method in HTTPMethod.__members__ else "unknown method"
    if request.matched_route is None:
        return f"{method}, no page"
    record_id = to_id(request.matchdict.get("id"))
    pattern = "/" + request.matched_route.pattern.removeprefix("/")
    return f"{method} {pattern if record_id is None else pattern.replace('{id}', str(record_id))}"
