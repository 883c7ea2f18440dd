"""Long work that keeps others from saving: the page for those who wait says what it is, and keeps their form.

A feature with such work registers a function that describes it, `config.add_long_work(describe)`. It is called when the
database has refused a lock, so it uses no database.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyramid.config import Configurator
from pyramid.csrf import check_csrf_token
from pyramid.i18n import TranslationString
from pyramid.registry import Registry
from pyramid.view import exception_view_config
from pyramid_retry import IRetryableError

from ..db import IDatabaseUnavailable
from .errors import RETRY_AFTER_SECONDS, error_page, log_unavailable
from .i18n import _
from .request import Request
from .typed import read_typed

WORK_KEY = "myproject.web.busy.long_work"
LONGEST_RETRY_AFTER_SECONDS = 60


@dataclass(frozen=True)
class LongWork:
    """What is being done, for a page; `seconds_left` is an estimate, or `None` while there is none."""

    title: TranslationString
    sentence: TranslationString
    seconds_left: float | None


Describe = Callable[[], LongWork | None]


def includeme(config: Configurator) -> None:
    """Add `config.add_long_work(describe)`, and the page of requests that get no lock because of such work."""
    registry = config.registry
    registry[WORK_KEY] = []
    config.add_directive("add_long_work", lambda config, describe: config.registry[WORK_KEY].append(describe))
    config.add_view_predicate("waits_for_long_work", WaitsForLongWork)
    # For db/retry.py, which does not let anybody wait in vain.
    registry["seconds_until_lock"] = lambda: (find_long_work(registry) or NO_WORK).seconds_left or 0
    config.scan(__name__)


NO_WORK = LongWork(_("Nothing"), _("Nothing"), None)


class WaitsForLongWork:
    """A view predicate: the database has refused a lock, and there is long work that may have it."""

    def __init__(self, value: bool, _info: Any) -> None:
        """Take the value of the predicate, which is always true."""
        self.value = value

    def text(self) -> str:
        """Return how the predicate is shown to developers."""
        return f"waits_for_long_work = {self.value}"

    phash = text

    def __call__(self, error: Exception, request: Request) -> bool:
        """Return whether the exception view is for `error`."""
        return IRetryableError.providedBy(error) and find_long_work(request.registry) is not None


def find_long_work(registry: Registry) -> LongWork | None:
    """Return the long work that is being done now, if any."""
    return next(filter(None, (describe() for describe in registry[WORK_KEY])), None)


@exception_view_config(
    IDatabaseUnavailable, retryable_error=False, waits_for_long_work=True, renderer="errors/error.jinja2"
)
def wait_for_long_work(error: Exception, request: Request) -> dict[str, Any]:
    """Answer 503 and say what is being done, for how long still; a form can be sent again from this page."""
    log_unavailable(error, request)
    work = find_long_work(request.registry) or NO_WORK
    seconds = work.seconds_left or RETRY_AFTER_SECONDS
    request.response.retry_after = min(LONGEST_RETRY_AFTER_SECONDS, max(1, math.ceil(seconds)))
    fields = kept_fields(request)
    return {
        **error_page(request, 503, work.sentence, work.title),
        "time_left": time_left(work.seconds_left),
        "again": fields,
    }


def kept_fields(request: Request) -> dict[str, str] | None:
    """Return the fields of the form that was sent, without passwords; `None` if it cannot be sent again from here.

    Another site cannot fill in the form on our page: it would need the CSRF token, and the mark in it (csrf.py).
    """
    typed = read_typed(request)
    if typed is None or not check_csrf_token(request, raises=False):
        return None
    # With the mark: nobody has been identified, so a new token would have none.
    return {**typed.fields, "csrf_token": request.POST["csrf_token"]}


def time_left(seconds: float | None) -> TranslationString | None:
    """Return in words how long something still takes."""
    if seconds is None:
        return None
    if seconds < 1.5:
        return _("about a second")
    if seconds < 90:
        rounded = math.ceil(seconds) if seconds < 20 else math.ceil(seconds / 10) * 10
        return _("about ${count} seconds", mapping={"count": rounded})
    return _("about ${count} minutes", mapping={"count": math.ceil(seconds / 60)})
