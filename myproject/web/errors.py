"""Error pages: what is wrong and what to do next, in the layout of the site, without the database."""

import logging
import math
from typing import Any

from pyramid.config import Configurator
from pyramid.csrf import check_csrf_token
from pyramid.exceptions import BadCSRFToken, PredicateMismatch
from pyramid.httpexceptions import HTTPClientError, HTTPException, HTTPServerError
from pyramid.i18n import TranslationString
from pyramid.registry import Registry
from pyramid.response import Response
from pyramid.view import exception_view_config
from pyramid_retry import IRetryableError

from ..db import IDatabaseUnavailable, IOutcomeUnknown, IReadingTookTooLong, describe_failure
from ..db.session import SAFE_METHODS
from .busy import find_long_work, time_left
from .cookies import keep_exact_cookies
from .events import name_page, report_refusal
from .headers import add_security_headers
from .i18n import _
from .limits import WrongHost
from .origin import is_without_cookies, with_https
from .request import Handler, Request
from .routes import methods_of_route, path_of_form
from .typed import read_typed

RETRY_AFTER_SECONDS, LONGEST_RETRY_AFTER_SECONDS = 5, 60

log = logging.getLogger(__name__)

# By status, the title of the page and its advice.
ERROR_TEXTS = {
    400: (_("Invalid request"), _("Go back, reload the page and try again.")),
    403: (_("You do not have permission"), _("If you need access, ask an administrator.")),
    404: (_("Page not found"), _("It may have been deleted, or the address may be wrong.")),
    405: (_("This action is not available here"), _("Go back and use the buttons on the page.")),
    413: (
        _("Too much text"),
        _(
            "Nothing was saved. Go back: your text is still there. Shorten it, check the other fields and send it"
            " again."
        ),
    ),
    409: (_("This form was already sent"), _("Go back, reload the page and try again.")),
    503: (_("The database is not available"), _("Nothing was saved. Try again in a moment.")),
    500: (
        _("Something went wrong"),
        _("Nothing was saved. Try again. If the problem persists, tell an administrator the request number below."),
    ),
}
# The advice for a page that was only read. It may show what a form has just saved, and nobody should send that again.
READING_ADVICE = {
    413: _("Shorten the text and try again."),
    503: _("Try again in a moment."),
    500: _("Try again. If the problem persists, tell an administrator the request number below."),
}


HTTPS_NEEDED = _(
    "Nothing was saved, because this page was opened without https://. Open it with https:// and try again."
)
OUTCOME_UNKNOWN = _("The connection was lost while saving. Send the form again. It will not be saved twice.")
DELETED = _("This record was deleted by somebody else")
NOT_SAVED = _("Your changes were not saved. Copy what you still need before you leave this page.")


def includeme(config: Configurator) -> None:
    """Answer errors by a page."""
    config.scan(__name__)


def refuse_undecodable_path(handler: Handler, registry: Registry) -> Handler:
    """Answer 400 to a path or query that is not UTF-8 (`/%ff`), before other tweens and the debug toolbar read them.

    Cookies that are not exactly a name and a value are ignored.
    """

    def tween(request: Request) -> Response:
        keep_exact_cookies(request.environ)
        try:
            request.path_info  # noqa: B018
            request.GET  # noqa: B018
        except UnicodeDecodeError:
            return add_security_headers(request, request.invoke_exception_view())
        return handler(request)

    return tween


@exception_view_config(HTTPClientError, renderer="errors/error.jinja2")
@exception_view_config(HTTPServerError, renderer="errors/error.jinja2")
def http_error(error: HTTPException, request: Request) -> dict[str, Any]:
    """Show the page of a status that a view or Pyramid raised."""
    if isinstance(error, PredicateMismatch) and request.matched_route:
        return wrong_method(request)
    if isinstance(error, WrongHost):
        return wrong_address_page(request, error.detail, _("Wrong address"))
    if error.code == 404:
        return page_with_changes(request, 404, error.detail, DELETED)
    return error_page(request, error.code, error.detail)


@exception_view_config(BadCSRFToken, renderer="errors/error.jinja2")
def bad_csrf_token(error: BadCSRFToken, request: Request) -> dict[str, Any]:
    """Refuse a form whose CSRF token is not the one in the session of this browser."""
    if is_without_cookies(request):
        report_refusal(
            request, "form refused", why="over plain http, where there are no cookies", page=name_page(request)
        )
        link = _("Open this page with https://"), with_https(request, path_of_form(request))
        return wrong_address_page(request, HTTPS_NEEDED, _("This site needs HTTPS"), link)
    report_refusal(request, "form refused", why="without its token", page=name_page(request))
    return error_page(
        request,
        400,
        _("This page was open for too long, or cookies are turned off. Go back, reload the page and try again."),
    )


@exception_view_config(UnicodeDecodeError, renderer="errors/error.jinja2")
def not_utf8(error: UnicodeDecodeError, request: Request) -> dict[str, Any]:
    """Refuse a request in whose path or query a byte is not UTF-8."""
    return error_page(request, 400)


@exception_view_config(IDatabaseUnavailable, retryable_error=False, renderer="errors/error.jinja2")
def database_unavailable(error: Exception, request: Request) -> dict[str, Any]:
    """Answer 503 when the database is down, busy or full, and further attempts did not help.

    A form that was sent can be sent again from the page. If long work keeps others from saving, the page says so.
    """
    reason = describe_failure(error)
    log.error("%s: the database is unavailable: %s", name_page(request), reason)
    again = kept_fields(request)
    # The work may have come to its end since.
    work = find_long_work(request.registry) if IRetryableError.providedBy(error) else None
    if work is not None:
        seconds = math.ceil(work.seconds_left or 0)
        request.response.retry_after = min(LONGEST_RETRY_AFTER_SECONDS, max(RETRY_AFTER_SECONDS, seconds))
        page = error_page(request, 503, work.sentence, work.title)
        return {**page, "again": again, "time_left": time_left(work.seconds_left)}
    request.response.retry_after = RETRY_AFTER_SECONDS
    advice = OUTCOME_UNKNOWN if IOutcomeUnknown.providedBy(error) else None
    return {**error_page(request, 503, advice), "again": again}


def kept_fields(request: Request) -> dict[str, str] | None:
    """Return the fields of the form that was sent, without passwords; `None` if it cannot be sent again from the page.

    Another site cannot fill in the form on our page: it would need the CSRF token, and the mark in it (csrf.py).
    """
    typed = read_typed(request)
    if typed is None or not check_csrf_token(request, raises=False):
        return None
    # Perhaps nobody could be identified: the CSRF token of the page needs the mark, to be kept once more.
    request.shown_to = typed.person
    return typed.fields


@exception_view_config(IReadingTookTooLong, renderer="errors/error.jinja2")
def reading_took_too_long(error: Exception, request: Request) -> dict[str, Any]:
    """Answer 503 when a query reached its deadline, with the advice of the page, if it has any."""
    log.warning("%s took too long to read", name_page(request), exc_info=error)
    return error_page(request, 503, request.slow_advice, _("This took too long"))


# Before the last attempt no page is rendered: pyramid_retry handles the error itself.
@exception_view_config(Exception, retryable_error=False, renderer="errors/error.jinja2")
def server_error(error: Exception, request: Request) -> dict[str, Any]:
    """Log a bug in full and show a page without its details."""
    if IRetryableError.providedBy(error):
        return database_unavailable(error, request)
    log.error("%s failed", name_page(request), exc_info=error)
    return error_page(request, 500)


def wrong_method(request: Request) -> dict[str, Any]:
    """Return the page of 405, and list in `Allow` the methods of the route."""
    methods = methods_of_route(request)
    request.response.allow = sorted(methods | ({"HEAD"} if "GET" in methods else set()))
    return error_page(request, 405)


def error_page(
    request: Request, status: int, advice: str | None = None, title: TranslationString | None = None
) -> dict[str, Any]:
    """Set the status and return the values of the template; `advice` and `title` replace the usual texts.

    Only a translation string counts as `advice`: other text is Pyramid's or the code's own, and not for people.
    """
    known_status = status if status in ERROR_TEXTS else 500 if status >= 500 else 400
    usual_title, usual_advice = ERROR_TEXTS[known_status]
    if request.method in SAFE_METHODS:
        usual_advice = READING_ADVICE.get(known_status, usual_advice)
    request.response.status_int = status
    advice = advice if isinstance(advice, TranslationString) else usual_advice
    back = _("Back to users"), request.route_path("users.list")
    texts = {"title": title or usual_title, "advice": advice, "code": status, "link": back}
    # What was typed, on pages that keep it: lost.py, busy.py.
    return {**texts, "changed": [], "time_left": None, "again": None}


def wrong_address_page(
    request: Request, advice: str, title: TranslationString, link: tuple[TranslationString, str] | None = None
) -> dict[str, Any]:
    """Return the page of 400 at an address where every link of this site would lead here again; `link` does not."""
    return {**error_page(request, 400, advice, title), "code": None, "link": link}


def page_with_changes(
    request: Request, status: int, advice: str | None = None, title: TranslationString | None = None
) -> dict[str, Any]:
    """Return the page of a form that cannot be saved: with what the person has changed (lost.py), and `title`.

    For any other request it is the usual page, with `advice`.
    """
    if not request.lost_changes:
        return error_page(request, status, advice)
    return {**error_page(request, status, NOT_SAVED, title), "changed": request.lost_changes}
