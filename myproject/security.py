"""Who may do what, and what every answer carries: closed unless opened."""

import hashlib
import json
import logging

from pyramid.authorization import Allow, Authenticated
from pyramid.httpexceptions import HTTPForbidden
from pyramid.session import BaseCookieSessionFactory, JSONSerializer
from pyramid.tweens import EXCVIEW, INGRESS
from webob.cookies import SignedSerializer

from .db import get_or_404

# What each role may do anywhere; what people may do to what is theirs stands in the models, `__acl__`.
#   view        see users, posts, the overview
#   write       add a post of one's own
#   add, edit, delete   any user or post
#   share       a saved view with all
#   account     the password and the sign-ins of a user
#   administer  roles, erasing
SITE = [
    (Allow, Authenticated, ["view", "write"]),
    (Allow, "role:editor", ["add", "edit", "delete", "share"]),
    (Allow, "role:admin", ["add", "edit", "delete", "share", "account", "administer"]),
]

YEAR = 365 * 24 * 60 * 60

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
FOR_THIS_BROWSER = {"Cache-Control": "private, no-cache", "Vary": "Accept-Language, Cookie"}
HEADERS_OVER_TLS = {**HEADERS, "Strict-Transport-Security": f"max-age={YEAR}; includeSubDomains"}

log = logging.getLogger(__name__)


class Site:
    """What a page stands on whose URL names no row."""

    __acl__ = SITE

    def __init__(self, request):
        """Take the request, as Pyramid's root factories do."""


def includeme(config):
    """Ask for a permission on every page, sign the cookies, expect CSRF tokens, add the security headers."""
    settings = config.get_settings()
    config.set_root_factory(Site)
    config.set_default_permission("view")
    # What Pyramid's SignedCookieSessionFactory makes, but for the next line.
    serializer = SignedSerializer(settings["myproject.secret"], "pyramid.session.", "sha512", JSONSerializer())
    # It would ask OpenSSL for it by name, for each cookie anew: that takes as long as a query.
    serializer.digestmod = hashlib.sha512
    config.set_session_factory(
        BaseCookieSessionFactory(
            serializer,
            cookie_name=cookie_name(settings, "session"),
            httponly=True,
            samesite="Lax",
            secure=not settings["myproject.development"],
            # How long somebody stays signed in is the matter of the sign-in that it names: signin/policy.py.
            timeout=None,
            reissue_time=None,
        )
    )
    config.set_default_csrf_options(require_csrf=True)
    # Below the debug toolbar, which is only there in development: its own pages need inline scripts and styles.
    toolbar = "pyramid_debugtoolbar.toolbar_tween_factory"
    config.add_tween(f"{__name__}.headers_tween_factory", under=[toolbar, INGRESS], over=EXCVIEW)


def cookie_name(settings, name):
    """Return the name of a cookie: where there is TLS, one that browsers take from this very host alone.

    https://developer.mozilla.org/docs/Web/HTTP/Headers/Set-Cookie#cookie_prefixes
    """
    return name if settings["myproject.development"] else f"__Host-{name}"


def keep_in_browser(request, response, name, value):
    """Let `response` leave `value` in the cookie `name` of this browser for a year, out of reach of scripts."""
    settings = request.registry.settings
    secure = not settings["myproject.development"]
    name = cookie_name(settings, name)
    response.set_cookie(name, value, max_age=YEAR, samesite="Lax", httponly=True, secure=secure)


def kept_in_browser(request, name):
    """Return what `keep_in_browser` has left in this browser, or what somebody has put there instead, or `None`."""
    return request.cookies.get(cookie_name(request.registry.settings, name))


def row_in_url(request, model, **options):
    """Return the `model` that the URL names, or 404; whoever is not signed in does not even learn which there are."""
    if request.identity is None:
        raise HTTPForbidden()
    return get_or_404(request, model, **options)


def headers_tween_factory(handler, registry):
    """Add the security headers to every response."""

    def headers_tween(request):
        return with_headers(request, handler(request))

    return headers_tween


def with_headers(request, response):
    """Return `response` with the security headers; what does not say how long it keeps is for this browser alone."""
    headers = HEADERS if request.registry.settings["myproject.development"] else HEADERS_OVER_TLS
    if not any(name.title() == "Cache-Control" for name, _ in response.headerlist):
        headers = headers | FOR_THIS_BROWSER
    # As `response.headers.update` does, which goes through all the headers for each of these.
    others = [header for header in response.headerlist if header[0].title() not in headers]
    response.headerlist = [*others, *headers.items()]
    return response


def record(request, event, **facts):
    """Log what matters to security as one line of JSON: the event, who, from where. Never a secret among `facts`."""
    by = request.known_identity.id if request.known_identity else None
    line = {"event": event, "by": by, "address": request.remote_addr, "request": request.id, **facts}
    log.info("%s", json.dumps(line, ensure_ascii=True))
