"""The log of security events, one line of JSON each."""

import json
import logging
from typing import Any

from .request import Request

log = logging.getLogger("myproject.security")


def log_event(request: Request, event: str, **facts: Any) -> None:
    """Log a security event as one line of JSON: the event, the user, the address, and `facts`, never a secret."""
    by = request.known_identity.id if request.known_identity else None
    line = {"event": event, "by": by, "address": request.remote_addr, "request": request.id, **facts}
    log.info("%s", json.dumps(line, ensure_ascii=True))
