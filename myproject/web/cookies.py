"""Cookies: the signed one of the session, and the preferences that a browser keeps for a year."""

from typing import Any

from pyramid.config import Configurator
from pyramid.response import Response
from pyramid.session import JSONSerializer, SignedCookieSessionFactory
from webob.request import BaseRequest

from .headers import YEAR_SECONDS
from .request import Request


def includeme(config: Configurator) -> None:
    """Keep `request.session` in a signed cookie."""
    settings = config.get_settings()
    config.set_session_factory(
        SignedCookieSessionFactory(
            settings["myproject.secret"],
            serializer=JSONSerializer(),
            cookie_name=cookie_name(settings, "session"),
            httponly=True,
            samesite="Lax",
            secure=not settings["myproject.development"],
            # How long a person stays signed in depends on the row of the sign-in: signin/policy.py.
            timeout=None,
            reissue_time=None,
        )
    )


def cookie_name(settings: dict[str, Any], name: str) -> str:
    """Return the full name of a cookie, with the prefix `__Host-` outside development, where there is TLS.

    Browsers accept a cookie with this prefix only from this very host:
    https://developer.mozilla.org/docs/Web/HTTP/Headers/Set-Cookie#cookie_prefixes
    """
    return name if settings["myproject.development"] else f"__Host-{name}"


def set_preference(request: Request, response: Response, name: str, value: str) -> None:
    """Set the preference `name` of this browser to `value` for a year, in a cookie that scripts cannot read."""
    settings = request.registry.settings
    response.set_cookie(
        cookie_name(settings, name),
        value,
        max_age=YEAR_SECONDS,
        samesite="Lax",
        httponly=True,
        secure=not settings["myproject.development"],
    )


def get_preference(request: Request, name: str) -> str | None:
    """Return the preference `name` of this browser, or `None`. The browser may send any text."""
    return request.cookies.get(cookie_name(request.registry.settings, name))


def drop_undecodable_cookies(environ: dict[str, Any]) -> None:
    """Leave out of `environ` the cookies that are not UTF-8, for which WebOb would raise, and keep the others.

    Another application on this host may have set them; they must not sign anybody out.
    """
    if not _are_decodable(environ.get("HTTP_COOKIE", "")):
        pairs = environ["HTTP_COOKIE"].split(";")
        environ["HTTP_COOKIE"] = ";".join(pair for pair in pairs if _are_decodable(pair))


def _are_decodable(header: str) -> bool:
    try:
        BaseRequest({"HTTP_COOKIE": header}).cookies.keys()
    except UnicodeDecodeError:
        return False
    return True
