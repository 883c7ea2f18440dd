"""Cookies: the signed one of the session, and the preferences that a browser keeps for a year."""

import re
from collections import Counter
from typing import Any

from pyramid.config import Configurator
from pyramid.response import Response
from pyramid.session import JSONSerializer, SignedCookieSessionFactory

from .headers import YEAR_SECONDS
from .request import Request

# A cookie as RFC 6265 (4.1.1) writes it, without the characters of a value at which WebOb would begin another cookie.
COOKIE_PAIR = re.compile(r"""[\w!#$%&'*+.^`|~-]+=("?)[\w~!@#$%^&*()+=`.?|:/{}<>'-]*\1""", re.ASCII)


def includeme(config: Configurator) -> None:
    """Keep `request.session` in a signed cookie."""
    settings = config.get_settings()
    # The one that db/standby.py sets.
    config.registry["read_after_cookie"] = {
        "name": cookie_name(settings, "read_after"),
        "secure": not settings["myproject.development"],
    }
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


def keep_exact_cookies(environ: dict[str, Any]) -> None:
    r"""Leave in `environ` the cookies that can be read in one way only, and of those the names that occur once.

    WebOb looks for `name=value` anywhere in the header, and takes the last of two equal names. So another host of the
    same domain could replace the cookie `__Host-session`, by a cookie for all hosts named `\xa0__Host-session`. Of two
    equal names nobody can say which is ours; browsers have at most one cookie with the prefix. Other applications'
    cookies need not be readable: they must only not sign anybody out.
    """
    pairs = [pair.strip(" \t") for pair in environ.get("HTTP_COOKIE", "").split(";")]
    names = Counter(pair.partition("=")[0] for pair in pairs)
    kept = [pair for pair in pairs if COOKIE_PAIR.fullmatch(pair) and names[pair.partition("=")[0]] == 1]
    environ["HTTP_COOKIE"] = "; ".join(kept)
