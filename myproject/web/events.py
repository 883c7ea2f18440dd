"""The log of what matters to security, one line of JSON for each event."""

import json
import logging

log = logging.getLogger("myproject.security")


def log_event(request, event, **facts):
    """Log what matters to security as one line of JSON: the event, who, from where. Never a secret among `facts`."""
    by = request.known_identity.id if request.known_identity else None
    line = {"event": event, "by": by, "address": request.remote_addr, "request": request.id, **facts}
    log.info("%s", json.dumps(line, ensure_ascii=True))
