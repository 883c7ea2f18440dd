"""Try a request again after the database has rolled it back in favour of another one."""

import contextlib
import logging
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

from pyramid.config import Configurator
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response
from pyramid.tweens import EXCVIEW
from pyramid_retry import IRetryableError

from .engine import read_number

# The pause before attempt n + 1 is drawn from 0 to FIRST_PAUSE_SECONDS * 2 ** n, and never longer than
# LONGEST_PAUSE_SECONDS: "full jitter", https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 1.0

# A request that has waited this long has met a lock that somebody keeps, and not just other requests.
LONG_WAIT_SECONDS = 2

STARTED_KEY = "myproject.started"

DEFAULT_ATTEMPTS = 20
# With fewer, many of the requests that change the same row at once end with an error.
FEWEST_SENSIBLE_ATTEMPTS = 10
DEFAULT_LONGEST_WAIT_SECONDS = 10

log = logging.getLogger(__name__)


def includeme(config: Configurator) -> None:
    """Run a request up to `retry.attempts` times; `retry.longest_wait` seconds after its start, no further time."""
    settings = config.get_settings()
    settings["retry.attempts"] = read_number(settings, "retry.attempts", DEFAULT_ATTEMPTS)
    settings["retry.longest_wait"] = read_number(settings, "retry.longest_wait", DEFAULT_LONGEST_WAIT_SECONDS)
    if settings["retry.attempts"] < FEWEST_SENSIBLE_ATTEMPTS:
        log.warning("retry.attempts = %d is few: requests that meet fail; remove it", settings["retry.attempts"])
    config.include("pyramid_retry")
    config.add_tween(f"{__name__}.attempt_tween_factory", under=EXCVIEW, over="pyramid_tm.tm_tween_factory")


def attempt_tween_factory(handler: Callable[[Request], Response], registry: Registry) -> Callable[[Request], Response]:
    """Wait before each further attempt; an attempt that fails after `retry.longest_wait` is the last one.

    So the client gets an answer in time. `registry["seconds_until_lock"]` may be set: a function that estimates for how
    long somebody will keep a lock, for instance a long import. A request is not tried again if that is too long.
    """
    deadline_seconds = registry.settings["retry.longest_wait"]

    def is_last(waited_seconds: float) -> bool:
        if waited_seconds > LONG_WAIT_SECONDS:
            waited_seconds += registry.get("seconds_until_lock", int)()
        return waited_seconds > deadline_seconds

    def attempt_tween(request: Request) -> Response:
        environ = request.environ
        started = environ.setdefault(STARTED_KEY, time.monotonic())
        if environ.get("retry.attempt"):
            pause(environ["retry.attempt"] - 1)
            _rewind_body(environ)
        try:
            with _abort_at_exit(request):
                response = handler(request)
            # Tests may bring a manager of their own, as those of Pyramid's starter do.
            failed_rollback = getattr(request.tm, "failed_rollback", None)
            if failed_rollback is not None:
                # The database rolls back what it was not told to, but it may be gone: another attempt finds out.
                raise failed_rollback
            return response
        except Exception:
            if "retry.attempt" in environ and is_last(time.monotonic() - started):
                environ["retry.attempts"] = environ["retry.attempt"] + 1
            raise

    return attempt_tween


def try_again(work: Callable[[int], object], attempts: int = DEFAULT_ATTEMPTS) -> None:
    """Call `work(attempt)`, counted from 1, again while it loses its race for the database, up to `attempts` times.

    For a thread or a script; pyramid_retry does it for a request.
    """
    for attempt in range(attempts):
        try:
            work(attempt + 1)
            return
        except Exception as error:
            if attempt + 1 == attempts or not IRetryableError.providedBy(error):
                raise
        pause(attempt)


def pause(attempt: int) -> None:
    """Wait after the failed `attempt`, counted from 0, before the next one."""
    longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**attempt)
    # It only spreads the attempts, so it need not be unpredictable.
    time.sleep(random.uniform(0, longest))  # nosec B311


@contextlib.contextmanager
def _abort_at_exit(request: Request) -> Iterator[None]:
    """Abort the transaction if `sys.exit()` ends the block: pyramid_tm would leave it open, with its locks."""
    try:
        yield
    except Exception:
        raise
    except BaseException:
        if not getattr(request.tm, "is_completed", True):
            request.tm.abort()
        raise


def _rewind_body(environ: dict[str, Any]) -> None:
    # WebOb keeps the parsed form in the environ for the next request; the files in it have been read to their end.
    environ.pop("webob._parsed_post_vars", None)
    environ["wsgi.input"].seek(0)
