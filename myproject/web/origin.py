"""Whether a form was sent from a page of this site, as the browser says in its headers.

The CSRF token is compared as well:
https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html

This takes the place of Pyramid's own check (`check_origin`), which compares the port with that of the `Host` header: a
proxy may have left it out.
"""

import re
from urllib.parse import urlsplit

from pyramid.config import Configurator

from .cookies import cookie_name
from .request import Request

# https://developer.mozilla.org/docs/Web/HTTP/Headers/Sec-Fetch-Site; old browsers do not send it, nor does any browser
# over plain http.
SAME_ORIGIN = "same-origin"
ALLOWED_FETCH_SITES = {None, SAME_ORIGIN, "none"}
DEFAULT_PORT = re.compile(":(80|443)$")


def includeme(config: Configurator) -> None:
    """Add `request.https_address`."""
    config.add_request_method(https_address, property=True)


def is_from_this_site(request: Request) -> bool:
    """Return whether no header of the browser says that the form is one of another site."""
    fetch_site, origin = request.headers.get("Sec-Fetch-Site"), _origin_of(request)
    if fetch_site not in ALLOWED_FETCH_SITES:
        return False
    if origin is None:
        # Over https, browsers name at least one of the two.
        return request.scheme != "https"
    try:
        # The browser has compared scheme, host and port itself, and no page can set this header.
        return _has_same_name(request, origin) if fetch_site == SAME_ORIGIN else _has_same_origin(request, origin)
    except ValueError:
        return False


def is_without_cookies(request: Request) -> bool:
    """Return whether the form came from a page over plain http, where browsers send no cookie of this site."""
    return _lacks_cookie(request) and (_origin_of(request) or "").startswith("http://")


def https_address(request: Request) -> str | None:
    """Return the address of this page with https://, if the page seems to be shown over plain http; `None` otherwise.

    A proxy may have terminated TLS without saying so, but browsers name the site of a page over https.
    """
    is_plain = request.scheme == "http" and "Sec-Fetch-Site" not in request.headers
    return with_https(request, request.path_here) if is_plain and _lacks_cookie(request) else None


def with_https(request: Request, path: str) -> str:
    """Return the address of a page of this site with https://. Another port than 80 is kept."""
    return f"https://{request.host.removesuffix(':80')}{path}"


def _lacks_cookie(request: Request) -> bool:
    settings = request.registry.settings
    return not settings["myproject.development"] and cookie_name(settings, "session") not in request.cookies


def _origin_of(request: Request) -> str | None:
    return request.headers.get("Origin") or request.headers.get("Referer")


def _has_same_name(request: Request, url: str) -> bool:
    return urlsplit(url).hostname == urlsplit(f"//{request.host}").hostname


def _has_same_origin(request: Request, url: str) -> bool:
    scheme, netloc = urlsplit(url)[:2]
    # A proxy may terminate TLS without saying so; but a page over plain http may be anybody's on the way.
    is_secure = scheme == "https" or request.scheme != "https"
    return is_secure and DEFAULT_PORT.sub("", netloc) == DEFAULT_PORT.sub("", request.host)
