"""Another attempt for a request that lost a race: the database undid it, and it may well succeed now."""

import random
import time

from pyramid.tweens import EXCVIEW

# The wait before attempt n + 1 is drawn from 0 to FIRST_WAIT * 2 ** n, and never longer than LONGEST_WAIT; seconds.
# "Full jitter", https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
FIRST_WAIT = 0.02
LONGEST_WAIT = 1.0

ATTEMPTS = 20
LONGEST_TOTAL = 10.0


def includeme(config):
    """Attempt a request up to `retry.attempts` times, as long as it has not taken `retry.longest_wait` seconds yet."""
    settings = config.get_settings()
    settings["retry.attempts"] = int(settings.get("retry.attempts", ATTEMPTS))
    settings["retry.longest_wait"] = float(settings.get("retry.longest_wait", LONGEST_TOTAL))
    config.include("pyramid_retry")
    config.add_tween(f"{__name__}.attempt_tween_factory", under=EXCVIEW, over="pyramid_tm.tm_tween_factory")


def attempt_tween_factory(handler, registry):
    """Wait before each further attempt, and make the one that fails after `retry.longest_wait` the last.

    So a person gets an answer.
    """
    longest = registry.settings["retry.longest_wait"]

    def attempt_tween(request):
        environ = request.environ
        started = environ.setdefault("myproject.started", time.monotonic())
        if environ.get("retry.attempt"):
            pause(environ["retry.attempt"] - 1)
            _rewind(environ)
        try:
            return handler(request)
        except Exception:
            if "retry.attempt" in environ and time.monotonic() - started > longest:
                environ["retry.attempts"] = environ["retry.attempt"] + 1
            raise

    return attempt_tween


def pause(attempt):
    """Wait after the failed `attempt`, the first of which is 0, before another one."""
    longest = min(LONGEST_WAIT, FIRST_WAIT * 2**attempt)
    # Spread the attempts; it is no secret.
    time.sleep(random.uniform(0, longest))  # nosec B311


def _rewind(environ):
    # WebOb keeps the parsed form for the next request over the same environ; its files have been read to their end.
    environ.pop("webob._parsed_post_vars", None)
    environ["wsgi.input"].seek(0)
