"""Whether a form was sent from a page of this site, as the browser says in its headers.

The CSRF token is compared as well:
https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
"""

import re
from urllib.parse import urlsplit

from .request import Request

# https://developer.mozilla.org/docs/Web/HTTP/Headers/Sec-Fetch-Site; old browsers do not send it.
ALLOWED_FETCH_SITES = {None, "same-origin", "none"}
DEFAULT_PORT = re.compile(":(80|443)$")


def is_from_this_site(request: Request) -> bool:
    """Return whether no header of the browser says that the form is one of another site."""
    if request.headers.get("Sec-Fetch-Site") not in ALLOWED_FETCH_SITES:
        return False
    origin = request.headers.get("Origin") or request.headers.get("Referer")
    return origin is None or _has_same_host(request, origin)


def _has_same_host(request: Request, url: str) -> bool:
    try:
        netloc = urlsplit(url).netloc
    except ValueError:
        return False
    return DEFAULT_PORT.sub("", netloc) == DEFAULT_PORT.sub("", request.host)
