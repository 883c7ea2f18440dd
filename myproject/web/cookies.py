"""The cookies: the signed one of the session, and what a browser remembers for a year."""

import hashlib

from pyramid.session import BaseCookieSessionFactory, JSONSerializer
from webob.cookies import SignedSerializer

from .headers import YEAR


def includeme(config):
    """Keep `request.session` in a signed cookie."""
    settings = config.get_settings()
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
