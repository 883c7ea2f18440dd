"""Error pages: what went wrong and what to do next, in the layout of the site, without the database."""

import logging

from pyramid.exceptions import BadCSRFToken, PredicateMismatch
from pyramid.httpexceptions import HTTPClientError, HTTPServerError
from pyramid.i18n import TranslationString
from pyramid.tweens import EXCVIEW, INGRESS
from pyramid.view import exception_view_config

from .i18n import _
from .security import with_headers

log = logging.getLogger(__name__)

PAGES = {
    400: (_("This request is not valid"), _("Go back, reload the page and try again.")),
    403: (_("You may not do this"), _("Ask an administrator if you should be able to.")),
    404: (_("There is nothing here"), _("It may have been deleted, or the address is mistyped.")),
    405: (_("This page does not work that way"), _("Go back and use the buttons of the page.")),
    413: (_("That is too large"), _("Go back and send less.")),
    500: (
        _("Something went wrong on our side"),
        _("Nothing was saved. Please try again; if it stays, tell us when."),
    ),
}


def includeme(config):
    """Answer errors by a page."""
    config.add_tween(
        "myproject.errors.refuse_undecodable_path",
        under=INGRESS,
        over=["pyramid_debugtoolbar.toolbar_tween_factory", EXCVIEW],
    )
    config.scan(__name__)


def refuse_undecodable_path(handler, registry):
    """Answer 400 to a path that is not UTF-8 (`/%ff`), and forget cookies that are not, before others read them."""

    def tween(request):
        try:
            request.cookies.values()
        except UnicodeDecodeError:
            del request.environ["HTTP_COOKIE"]
        try:
            request.path_info  # noqa: B018
        except UnicodeDecodeError:
            return with_headers(request.invoke_exception_view())
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
    return page(
        request,
        400,
        _("This page was open for too long, or cookies are off. Go back, reload it and try again."),
    )


@exception_view_config(UnicodeDecodeError, renderer="errors/error.jinja2")
def not_utf8(error, request):
    """A byte in the path, the query or the body is not UTF-8."""
    return page(request, 400)


# While another attempt is to come, there is no page to make: pyramid_retry sees the error itself.
@exception_view_config(Exception, retryable_error=False, renderer="errors/error.jinja2")
def server_error(error, request):
    """A defect of ours: logged in full, shown without details."""
    log.error("%s failed", request.method, exc_info=error)
    return page(request, 500)


def wrong_method(request):
    """Return the page of 405, and name in `Allow` what the route takes."""
    views = request.registry.introspector.get_category("views")
    views = [entry["introspectable"] for entry in views]
    methods = {view["request_methods"] for view in views if view["route_name"] == request.matched_route.name}
    request.response.allow = sorted(methods | ({"HEAD"} if "GET" in methods else set()))
    return page(request, 405)


def page(request, status, advice=None):
    """Set the status and return what the template needs; `advice`, a translation string, replaces the usual one."""
    title, usual = PAGES.get(status, PAGES[500 if status >= 500 else 400])
    request.response.status_int = status
    return {"title": title, "advice": advice if isinstance(advice, TranslationString) else usual}
