"""Error pages: what went wrong and what to do next, in the layout of the site, without the database."""

import logging
import uuid

from pyramid.exceptions import BadCSRFToken, PredicateMismatch
from pyramid.httpexceptions import HTTPClientError, HTTPServerError
from pyramid.i18n import TranslationString
from pyramid.view import exception_view_config
from pyramid_retry import IRetryableError

from ..db import IDatabaseUnavailable, IOutcomeUnknown, IReadingTookTooLong
from .events import log_event
from .headers import with_headers
from .i18n import _

# Seconds after which a person or a program may try again.
RETRY_AFTER = 5

log = logging.getLogger(__name__)

PAGES = {
    400: (_("This request is not valid"), _("Go back, reload the page and try again.")),
    403: (_("You may not do this"), _("Ask an administrator if you should be able to.")),
    404: (_("There is nothing here"), _("It may have been deleted, or the address is mistyped.")),
    405: (_("This page does not work that way"), _("Go back and use the buttons of the page.")),
    413: (_("That is too large"), _("Go back and send less.")),
    409: (_("Somebody else was faster"), _("Go back, reload the page and try again.")),
    503: (_("The database does not answer"), _("Nothing was saved. Please try again in a moment.")),
    500: (
        _("Something went wrong on our side"),
        _("Nothing was saved. Please try again; if it stays, tell us when."),
    ),
}


def includeme(config):
    """Answer errors by a page, and give each request an `id`, by which the log can be searched."""
    config.add_request_method(request_id, "id", property=True)
    config.scan(__name__)


def request_id(request):
    """Return the id of a request, the same for each of its attempts."""
    return request.environ.setdefault("myproject.request_id", uuid.uuid4().hex)


def refuse_undecodable_path(handler, registry):
    """Answer 400 to a path that is not UTF-8 (`/%ff`), before others read it."""

    def tween(request):
        try:
            request.path_info  # noqa: B018
        except UnicodeDecodeError:
            return with_headers(request, request.invoke_exception_view())
        return handler(request)

    return tween


@exception_view_config(HTTPClientError, renderer="errors/error.jinja2")
@exception_view_config(HTTPServerError, renderer="errors/error.jinja2")
def http_error(error, request):
    """The request cannot be answered as it is, or not now."""
    if isinstance(error, PredicateMismatch) and request.matched_route:
        return wrong_method(request)
    return page(request, error.code, error.detail)


@exception_view_config(BadCSRFToken, renderer="errors/error.jinja2")
def bad_csrf_token(error, request):
    """The form is not one that this browser got from us, or its cookie has gone."""
    log_event(request, "form refused", why="without its token", path=request.path_here)
    return page(
        request,
        400,
        _("This page was open for too long, or cookies are off. Go back, reload it and try again."),
    )


@exception_view_config(UnicodeDecodeError, renderer="errors/error.jinja2")
def not_utf8(error, request):
    """A byte in the path, the query or the body is not UTF-8."""
    return page(request, 400)


@exception_view_config(IDatabaseUnavailable, retryable_error=False, renderer="errors/error.jinja2")
def database_unavailable(error, request):
    """The database is away, busy or full, and further attempts did not help."""
    log.error("request %s: %s: the database is unavailable", request.id, request.method, exc_info=error)
    request.response.retry_after = RETRY_AFTER
    if IOutcomeUnknown.providedBy(error):
        return page(request, 503, _("The connection broke while saving. Send the form again: it is saved once."))
    return page(request, 503)


@exception_view_config(IReadingTookTooLong, renderer="errors/error.jinja2")
def reading_took_too_long(error, request):
    """The database was asked for more than it could find in time, and would be no quicker the next time."""
    log.warning("request %s: %s took too long to read", request.id, request.method, exc_info=error)
    advice = _("Narrow the search, or leave out a filter: the list answers at once then.")
    return page(request, 503, advice, _("This takes too long"))


# While another attempt is to come, there is no page to make: pyramid_retry sees the error itself.
@exception_view_config(Exception, retryable_error=False, renderer="errors/error.jinja2")
def server_error(error, request):
    """A defect of ours: logged in full, shown without details."""
    if IRetryableError.providedBy(error):
        return database_unavailable(error, request)
    log.error("request %s: %s failed", request.id, request.method, exc_info=error)
    return page(request, 500)


def wrong_method(request):
    """Return the page of 405, and name in `Allow` what the route takes."""
    views = request.registry.introspector.get_category("views")
    views = [entry["introspectable"] for entry in views]
    methods = {view["request_methods"] for view in views if view["route_name"] == request.matched_route.name}
    request.response.allow = sorted(methods | ({"HEAD"} if "GET" in methods else set()))
    return page(request, 405)


def page(request, status, advice=None, title=None):
    """Set the status and return what the template needs; `advice` and `title` replace the usual translation strings."""
    usual = PAGES.get(status, PAGES[500 if status >= 500 else 400])
    request.response.status_int = status
    return {"title": title or usual[0], "advice": advice if isinstance(advice, TranslationString) else usual[1]}
