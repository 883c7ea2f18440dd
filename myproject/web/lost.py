"""Keeps what a person has changed in the form of a record that is gone, or closed to them, when they send it.

No check of a view has run then, and the error page uses no database. So this tween looks up, still in the request's
transaction, how the form shows what was sent: the labels of its fields and of their choices.
"""

from collections.abc import Callable, Mapping, Sequence

import wtforms
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPForbidden, HTTPNotFound
from pyramid.interfaces import IRootFactory
from pyramid.registry import Registry
from pyramid.response import Response
from webob.multidict import MultiDict

from .carried import RESTORED_FIELD, read_carried
from .forms import RecordForm
from .limits import is_form_of_this_site
from .merging import normalised, shown_texts, text_of
from .request import Handler, Request

# The functions that make the form of a route for a request without its record, by the name of the route.
FORMS_KEY = "myproject.web.lost.forms"


def includeme(config: Configurator) -> None:
    """Add `config.add_record_form(route, make)`: a form on that page whose entries are kept."""
    config.registry[FORMS_KEY] = {}
    config.add_directive("add_record_form", add_record_form)


def add_record_form(config: Configurator, route: str, make: Callable[[Request], RecordForm]) -> None:
    """Let `make(request)` say how the form of the route `route` shows what was sent."""
    config.registry[FORMS_KEY][route] = make


def lost_changes_tween_factory(handler: Handler, registry: Registry) -> Handler:
    """Note in `request.lost_changes` what would be lost when a form is answered by 404 or 403."""

    def lost_changes_tween(request: Request) -> Response:
        try:
            return handler(request)
        except (HTTPNotFound, HTTPForbidden):
            request.lost_changes = find_changes(request)
            raise

    return lost_changes_tween


def find_changes(request: Request) -> list[tuple[wtforms.Field, str]]:
    """Return the fields that the person has changed, each with the text that was sent for it."""
    make = request.registry[FORMS_KEY].get(request.matched_route.name) if request.matched_route else None
    if make is None or not request.known_identity or not is_form_of_this_site(request):
        return []
    sent = submitted_fields(request)
    # The form asks for permissions on its context: the record is gone, or closed.
    request.context = request.registry.getUtility(IRootFactory)(request)
    request.submitted = MultiDict(sent)
    fields = [field for field in make(request) if not isinstance(field, wtforms.HiddenField | wtforms.PasswordField)]
    before = texts_before(sent, fields)
    texts = {field.name: normalised(sent.get(field.name, "")) for field in fields}
    return [(field, texts[field.name]) for field in fields if before.get(field.name) not in (None, texts[field.name])]


def texts_before(sent: Mapping[str, str], fields: Sequence[wtforms.Field]) -> dict[str, str]:
    """Return what stood in the form before the person changed it, by the names of its fields."""
    shown = shown_texts(sent)
    if shown or "version" not in sent:
        return shown
    # A form for a new record; or one that has added it, sent again to change it.
    return {field.name: text_of(field.default) for field in fields}


def submitted_fields(request: Request) -> Mapping[str, str]:
    """Return the fields that were sent, also if they have passed through the sign-in page (typed.py)."""
    typed, identity = read_carried(request, request.POST.get(RESTORED_FIELD)), request.known_identity
    return typed.fields if typed and identity and typed.person == identity.id else request.POST
