"""Measures each request once, around everything else, logs it and tells those who count: `RequestFinished`.

The time begins with the first attempt, and ends when the answer is ready: before its first byte is sent.
"""

import logging
import time
from dataclasses import dataclass
from typing import Any

from pyramid.registry import Registry
from pyramid.response import Response
from pyramid_retry import is_error_retryable

from ..logs import current_request
from .events import actor_of, name_method, name_page, pattern_of
from .request import Handler, Request

BEGAN_KEY = "myproject.began"
NO_ROUTE = "none"
# Of which there are very many, and nobody looks for one: those that a machine asks for every few seconds, static files,
# and the pages of the debug toolbar, which have no route of ours.
QUIET_ROUTES = {"healthz", "readyz", "metrics", "static", NO_ROUTE}

# With a name of its own, by which an operator can turn off these lines alone.
access_log = logging.getLogger("myproject.access")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RequestFinished:
    """A request has its answer, after all attempts; a body that is streamed has not been sent yet.

    `response` is `None` if an error has passed all tweens, which the server answers by 500.
    """

    request: Request
    response: Response | None
    seconds: float

    @property
    def status(self) -> int:
        """The status of the answer."""
        return 500 if self.response is None else self.response.status_int


def access_tween_factory(handler: Handler, registry: Registry) -> Handler:
    """Name the request to the log and in its answer; when the answer is ready, log it and publish `RequestFinished`."""
    slow_seconds = registry.settings["requests.slow_seconds"]

    def access_tween(request: Request) -> Response:
        attempt_began = time.perf_counter()
        # The attempts of a request share the environ, and each of them passes all tweens.
        began = request.environ.setdefault(BEGAN_KEY, attempt_began)
        # Not reset: this thread may still have to send the body and to write after the answer. The next request of the
        # thread sets its own.
        current_request.set(request.id)
        response = error = None
        try:
            response = handler(request)
            # Whatever the client calls its request, this is the id that the log has.
            response.headers["X-Request-Id"] = request.id
            error = request.exception  # Set if an exception view has made the response.
            return response
        except Exception as raised:
            error = raised
            raise
        finally:
            if error is None or not is_error_retryable(request, error):
                seconds = time.perf_counter() - began
                _finish(RequestFinished(request, response, seconds), slow_seconds, attempt_began - began)

    return access_tween


def name_route(request: Request) -> str:
    """Return the name of the route of a request, never its path; "none" for a page that does not exist."""
    return NO_ROUTE if request.matched_route is None else request.matched_route.name.strip("_/")


def _finish(finished: RequestFinished, slow_seconds: int, earlier_seconds: float) -> None:
    try:
        _log_access(finished)
        if finished.seconds > slow_seconds:
            _log_slow(finished, earlier_seconds)
        finished.request.registry.notify(finished)
    except Exception:
        # The answer is ready, and the request may have committed.
        log.exception("a request was answered, but not logged or counted")


def _log_access(finished: RequestFinished) -> None:
    is_quiet = finished.status < 400 and name_route(finished.request) in QUIET_ROUTES
    level = logging.DEBUG if is_quiet else logging.INFO
    if access_log.isEnabledFor(level):
        fields = _fields_of(finished)
        by = f" by user {fields['user']}" if fields["user"] is not None else ""
        text = f"{name_page(finished.request)} {fields['status']} in {fields['ms']} ms{by}: {fields['outcome']}"
        access_log.log(level, "%s", text, extra={"fields": fields})


def _log_slow(finished: RequestFinished, earlier_seconds: float) -> None:
    request, outcome = finished.request, finished.request.outcome
    earlier = f", {earlier_seconds:.1f} s of it before the last attempt" if outcome.attempt > 1 else ""
    page, fields = name_page(request), _fields_of(finished)
    log.warning("%s took %.1f s%s: %s", page, finished.seconds, earlier, outcome.sentence, extra={"fields": fields})


def _fields_of(finished: RequestFinished) -> dict[str, Any]:
    request, outcome = finished.request, finished.request.outcome
    return {
        "method": name_method(request),
        "route": pattern_of(request),
        "status": finished.status,
        "ms": round(finished.seconds * 1000, 1),
        "outcome": outcome.sentence,
        "attempts": outcome.attempt,
        "user": actor_of(request),
    }
