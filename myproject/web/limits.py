"""What a request may be: from a page of this site, to a name of this site, and a form that can be read in one way."""

import logging
import re
from urllib.parse import unquote_to_bytes, urlsplit

from pyramid.httpexceptions import HTTPBadRequest, HTTPRequestEntityTooLarge, HTTPUnsupportedMediaType

from .events import log_event
from .i18n import _

# The longest post is 20,000 characters, 12 bytes each at worst as a form sends them: `%F0%9F%98%80`.
LARGEST_BODY = 512 * 1024
MOST_FIELDS = 100
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?", re.IGNORECASE)
USUAL_PORT = re.compile(":(80|443)$")
# https://developer.mozilla.org/docs/Web/HTTP/Headers/Sec-Fetch-Site
OWN_PAGES = {None, "same-origin", "none"}

log = logging.getLogger(__name__)


def includeme(config):
    """Refuse other hosts, forms of other sites, and bodies that are too large, unreadable or ambiguous."""
    config.add_view_deriver(refuse_other_requests, over="csrf_view", under="secured_view")


def refuse_other_hosts(handler, registry):
    """Answer 400 to a `Host` that is none of `myproject.hosts`: links are made of it."""
    hosts = registry.settings["myproject.hosts"]

    def hosts_tween(request):
        host = HOST.fullmatch(request.host)
        if host is None or host[1].lower() not in hosts:
            log.warning("refused the host %r: it is none of myproject.hosts", request.host)
            raise HTTPBadRequest(_("This site has another name. Use the address that you were given."))
        return handler(request)

    return hosts_tween


def refuse_other_requests(view, info):
    """Look at what was sent before the view does."""
    if info.exception_only:
        return view

    def wrapped(context, request):
        refuse_large_body(request)
        refuse_forms_of_other_sites(request)
        refuse_unreadable_form(request)
        refuse_repeated_keys(request)
        return view(context, request)

    return wrapped


def refuse_large_body(request):
    """Answer 413 before a body of more than `LARGEST_BODY` bytes is parsed."""
    if is_large(request):
        raise HTTPRequestEntityTooLarge()


def refuse_forms_of_other_sites(request):
    """Answer 400 where the browser says that a form was not sent from here; its CSRF token is compared besides.

    See https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
    """
    if request.method == "POST" and not is_of_this_site(request):
        log_event(request, "form refused", why="of another site", path=request.path_here)
        raise HTTPBadRequest(_("This form was sent from another site. Open the page here and try again."))


def is_of_this_site(request):
    """Return whether the browser says, by the headers that it has sent, that the form is one of a page of this site."""
    origin = request.headers.get("Origin") or request.headers.get("Referer")
    if request.headers.get("Sec-Fetch-Site") not in OWN_PAGES:
        return False
    return origin is None or is_from_here(request, origin)


def is_from_here(request, address):
    """Return whether `address`, an origin or a URL, is of this site."""
    try:
        netloc = urlsplit(address).netloc
    except ValueError:
        return False
    return USUAL_PORT.sub("", netloc) == USUAL_PORT.sub("", request.host)


def refuse_unreadable_form(request):
    """Answer 415 to what is no urlencoded form, and 400 to one that is not UTF-8 throughout.

    WebOb would put U+FFFD in place of a bad byte, and so store what nobody has typed.
    """
    if request.charset.upper() != "UTF-8":
        raise HTTPUnsupportedMediaType()
    if request.method == "POST" and request.body:
        if not is_readable_form(request):
            raise HTTPUnsupportedMediaType()
        unquote_to_bytes(request.body).decode("utf-8")


def refuse_repeated_keys(request):
    """Answer 400 where a key comes twice in the query, or twice in the body, or where there are too many.

    Which of two values counts is a guess, and two programs on the way of a request may guess differently.
    """
    for fields in (request.GET, request.POST) if request.method == "POST" else (request.GET,):
        if len(fields) != len(set(fields)) or len(fields) > MOST_FIELDS:
            raise HTTPBadRequest(_("The same field was sent twice. Go back, reload the page and try again."))


def is_large(request):
    """Return whether the body is larger than any form of ours."""
    return (request.content_length or 0) > LARGEST_BODY


def is_readable_form(request):
    """Return whether the body is a urlencoded form, of a size and in a charset that may be parsed."""
    is_form = request.content_type == "application/x-www-form-urlencoded"
    return is_form and request.charset.upper() == "UTF-8" and not is_large(request)
