"""Measures each request once, around everything else, and tells those who log and count: `RequestFinished`."""

import time
from dataclasses import dataclass

from pyramid.registry import Registry
from pyramid.response import Response
from pyramid_retry import is_error_retryable

from .request import Handler, Request

BEGAN_KEY = "myproject.began"
NO_ROUTE = "none"


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
    """Publish `RequestFinished` after the last attempt of a request, with the time of all of them."""

    def access_tween(request: Request) -> Response:
        # The attempts of a request share the environ, and each of them passes all tweens.
        began = request.environ.setdefault(BEGAN_KEY, time.perf_counter())
        response = error = None
        try:
            response = handler(request)
            error = request.exception  # Set if an exception view has made the response.
            return response
        except Exception as raised:
            error = raised
            raise
        finally:
            if error is None or not is_error_retryable(request, error):
                registry.notify(RequestFinished(request, response, time.perf_counter() - began))

    return access_tween


def name_route(request: Request) -> str:
    """Return the name of the route of a request, never its path; "none" for a page that does not exist."""
    return NO_ROUTE if request.matched_route is None else request.matched_route.name.strip("_/")
