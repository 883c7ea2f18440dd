"""The headers that every answer carries."""

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
