"""The headers that every response carries."""

from pyramid.registry import Registry
from pyramid.response import Response

from .request import Handler, Request

YEAR_SECONDS = 365 * 24 * 60 * 60

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
TLS_HEADERS = {"Strict-Transport-Security": f"max-age={YEAR_SECONDS}; includeSubDomains"}
PRIVATE_PAGE_HEADERS = {"Cache-Control": "private, no-cache", "Vary": "Accept-Language, Cookie"}


def headers_tween_factory(handler: Handler, registry: Registry) -> Handler:
    """Add the security headers to every response."""

    def headers_tween(request: Request) -> Response:
        return add_security_headers(request, handler(request))

    return headers_tween


def add_security_headers(request: Request, response: Response) -> Response:
    """Return `response` with the security headers, and not to be cached by proxies unless it says for how long."""
    if "Cache-Control" not in response.headers:
        response.headers.update(PRIVATE_PAGE_HEADERS)
    response.headers.update(HEADERS)
    if not request.registry.settings["myproject.development"]:
        response.headers.update(TLS_HEADERS)
    return response
