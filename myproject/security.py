"""What every request has to pass, and what every answer carries: closed unless opened."""

from urllib.parse import unquote_to_bytes

from pyramid.httpexceptions import HTTPBadRequest, HTTPRequestEntityTooLarge, HTTPUnsupportedMediaType
from pyramid.session import JSONSerializer, SignedCookieSessionFactory
from pyramid.tweens import EXCVIEW, INGRESS

from .i18n import _

# The longest post is 20,000 characters, 12 bytes each at worst as a form sends them: `%F0%9F%98%80`.
LARGEST_BODY = 512 * 1024

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
}


def includeme(config):
    """Add the signed cookie session, CSRF tokens, limits on what a form may send, and the security headers."""
    config.set_session_factory(
        SignedCookieSessionFactory(
            config.get_settings()["myproject.secret"],
            serializer=JSONSerializer(),
            cookie_name="session",
            httponly=True,
            samesite="Lax",
            # It holds the CSRF token of open forms: somebody who comes back from lunch can still save.
            timeout=None,
            reissue_time=None,
        )
    )
    config.set_default_csrf_options(require_csrf=True)
    config.add_view_deriver(refuse_large_body, over="csrf_view", under="secured_view")
    config.add_view_deriver(refuse_unreadable_form, over="csrf_view", under="refuse_large_body")
    config.add_view_deriver(refuse_repeated_keys, over="csrf_view", under="refuse_unreadable_form")
    # Below the debug toolbar, which is only there in development: its own pages need inline scripts and styles.
    toolbar = "pyramid_debugtoolbar.toolbar_tween_factory"
    config.add_tween(f"{__name__}.headers_tween_factory", under=[toolbar, INGRESS], over=EXCVIEW)


def refuse_large_body(view, info):
    """Answer 413 before a body of more than `LARGEST_BODY` bytes is parsed."""
    if info.exception_only:
        return view

    def wrapped(context, request):
        if is_large(request):
            raise HTTPRequestEntityTooLarge()
        return view(context, request)

    return wrapped


def refuse_unreadable_form(view, info):
    """Answer 415 to what is no urlencoded form, and 400 to one that is not UTF-8 throughout.

    WebOb would put U+FFFD in place of a bad byte, and so store what nobody has typed.
    """
    if info.exception_only:
        return view

    def wrapped(context, request):
        if request.charset.upper() != "UTF-8":
            raise HTTPUnsupportedMediaType()
        if request.method == "POST" and request.body:
            if not is_readable_form(request):
                raise HTTPUnsupportedMediaType()
            unquote_to_bytes(request.body).decode("utf-8")
        return view(context, request)

    return wrapped


def refuse_repeated_keys(view, info):
    """Answer 400 where a key comes twice in the query, or twice in the body.

    Which of two values counts is a guess, and two programs on the way of a request may guess differently.
    """
    if info.exception_only:
        return view

    def wrapped(context, request):
        if any(len(fields) != len(set(fields)) for fields in (request.GET, request.POST)):
            raise HTTPBadRequest(_("The same field was sent twice. Go back, reload the page and try again."))
        return view(context, request)

    return wrapped


def is_large(request):
    """Return whether the body is larger than any form of ours."""
    return (request.content_length or 0) > LARGEST_BODY


def is_readable_form(request):
    """Return whether the body is a urlencoded form, of a size and in a charset that may be parsed."""
    is_form = request.content_type == "application/x-www-form-urlencoded"
    return is_form and request.charset.upper() == "UTF-8" and not is_large(request)


def headers_tween_factory(handler, registry):
    """Add the security headers to every response."""
    return lambda request: with_headers(handler(request))


def with_headers(response):
    """Return `response` with the security headers; what does not say how long it keeps is for this browser alone."""
    response.headers.update(HEADERS)
    if "Cache-Control" not in response.headers:
        response.headers.update({"Cache-Control": "private, no-cache", "Vary": "Accept-Language, Cookie"})
    return response
