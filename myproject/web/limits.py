"""What a request may be: for a host name of this site, from a page of this site, with a form that is unambiguous.

By default a view takes a urlencoded form of up to 512 kB and 100 fields, each key once. A view opens more for itself
alone, where it is declared:

    @view_config(route_name="users.import", request_method="POST", file_fields={"upload"}, max_body_bytes=16 * 2**20)

- `max_body_bytes`: a larger body. It is read in chunks.
- `max_fields`: more fields, in the query and in the body.
- `repeated_keys`: names of fields that may come more than once, for `request.POST.getall()`.
- `file_fields`: names of fields with files; the form is then multipart. The value is a `cgi.FieldStorage` with
  `filename` and `file`, or `b""` where the person chose no file.
"""

import dataclasses
import logging
import re
from collections.abc import Callable, Collection
from typing import Any

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPBadRequest, HTTPRequestEntityTooLarge, HTTPUnsupportedMediaType
from pyramid.registry import Registry
from pyramid.response import Response

from .body import MULTIPART, URLENCODED, count_fields, is_multipart_form, is_utf8
from .events import name_page, report_refusal
from .i18n import _
from .origin import is_from_this_site
from .request import Handler, Request

# The longest post has 20,000 characters of at most 12 bytes each as a form sends them: `%F0%9F%98%80`.
MAX_BODY_BYTES = 512 * 1024
MAX_FIELDS = 100
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?", re.IGNORECASE)

# In the registry: paths that may be asked for by any host name.
ANY_HOST = "paths_for_any_host"

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one view accepts; the options of a view have the same names."""

    max_body_bytes: int = MAX_BODY_BYTES
    max_fields: int = MAX_FIELDS
    repeated_keys: Collection[str] = frozenset()
    file_fields: Collection[str] = frozenset()


class WrongHost(HTTPBadRequest):
    """The request names a host that is none of this site."""


OPTIONS = tuple(field.name for field in dataclasses.fields(Limits))


def includeme(config: Configurator) -> None:
    """Refuse other hosts, forms of other sites, and bodies that are too large, unreadable or ambiguous."""
    deriver: Any = limited_view
    # Pyramid reads here which options of a view are for this deriver.
    deriver.options = OPTIONS
    config.add_view_deriver(deriver, over="csrf_view", under="secured_view")
    config.registry[ANY_HOST] = set()
    config.add_directive("add_path_for_any_host", add_path_for_any_host)


def add_path_for_any_host(config: Configurator, path: str) -> None:
    """Answer requests for `path` whatever their `Host` header: its page makes no links of it."""
    config.registry[ANY_HOST].add(path)


def refuse_other_hosts(handler: Handler, registry: Registry) -> Handler:
    """Answer 400 to a `Host` that is none of `myproject.hosts`: links are made of it."""
    hosts = registry.settings["myproject.hosts"]

    def hosts_tween(request: Request) -> Response:
        host = HOST.fullmatch(request.host)
        if request.path_info in registry[ANY_HOST]:
            return handler(request)
        if host is None or host[1].lower() not in hosts:
            # What is not a host name may be a secret in the wrong place.
            log.warning("refused the host %r: it is none of myproject.hosts", host and host[0])
            raise WrongHost(_("This is not the address of this site. Use the address that you were given."))
        return handler(request)

    return hosts_tween


def limited_view(view: Callable[..., Response], info: Any) -> Callable[..., Response]:
    """Check the request against the view's limits before the view runs: a view deriver."""
    if info.exception_only:
        return view
    limits = Limits(**{name: info.options[name] for name in OPTIONS if name in info.options})

    def wrapped(context: Any, request: Request) -> Response:
        if (request.content_length or 0) > limits.max_body_bytes:
            raise HTTPRequestEntityTooLarge()
        refuse_form_of_another_site(request)
        refuse_unreadable_form(request, limits)
        refuse_ambiguous_fields(request, limits)
        return view(context, request)

    return wrapped


def refuse_form_of_another_site(request: Request) -> None:
    """Answer 400 if the browser says that the form was not sent from a page of this site."""
    if request.method == "POST" and not is_from_this_site(request):
        report_refusal(request, "form refused", why="of another site", page=name_page(request))
        raise HTTPBadRequest(_("This form was sent from another site. Open the page on this site and try again."))


def refuse_unreadable_form(request: Request, limits: Limits) -> None:
    """Answer 415 to a body of a type that the view does not take, 400 to one with too many fields or malformed."""
    if request.charset.upper() != "UTF-8":
        raise HTTPUnsupportedMediaType()
    if request.method != "POST" or not request.content_length:
        return
    if request.content_type == URLENCODED:
        is_readable = count_fields(request) <= limits.max_fields and is_utf8(request)
    elif request.content_type == MULTIPART and limits.file_fields:
        is_readable = is_multipart_form(request, limits.file_fields)
    else:
        raise HTTPUnsupportedMediaType()
    if not is_readable:
        raise HTTPBadRequest()


def refuse_ambiguous_fields(request: Request, limits: Limits) -> None:
    """Answer 400 if a key comes twice in the query or in the body, or if there are too many fields.

    Which of two values counts is a guess, and two programs on the way of a request may guess differently.
    """
    for fields in (request.GET, request.POST) if request.method == "POST" else (request.GET,):
        keys = [key for key in fields if key not in limits.repeated_keys]
        if len(fields) > limits.max_fields:
            raise HTTPBadRequest()
        if len(keys) != len(set(keys)):
            raise HTTPBadRequest(_("The same field was sent twice. Go back, reload the page and try again."))


def is_readable_form(request: Request) -> bool:
    """Return whether the body is a urlencoded form within the default limits, which may be parsed for any view."""
    is_form = request.content_type == URLENCODED and request.charset.upper() == "UTF-8"
    return is_form and (request.content_length or 0) <= MAX_BODY_BYTES and count_fields(request) <= MAX_FIELDS


def is_form_of_this_site(request: Request) -> bool:
    """Return whether the request is a form that can be read, from a page of this site as far as its browser says."""
    is_form = request.method == "POST" and is_from_this_site(request)
    return is_form and is_readable_form(request) and is_utf8(request)
