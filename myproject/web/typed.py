"""Keeps what a person typed into a form that was refused because their sign-in had ended.

If nobody is signed in any more, the sign-in page carries the fields of the form in a hidden input, and sends them back
to the form's page once the same person has signed in (signin/views.py). If the person has signed in again already, in
another tab, the form comes with the CSRF token of the session before.

In both cases the page of the form is shown as on a GET, but filled in, with a valid CSRF token. It keeps its form
token: if it was applied before, and only the answer was lost, it is not applied again. The view of the POST does not
run, so nothing is applied before the person sends the form again. A stranger's site cannot fill in a form in this way:
it would need the mark of the person (csrf.py).
"""

from collections.abc import Callable
from typing import Any

from pyramid.config import Configurator
from pyramid.exceptions import BadCSRFToken
from pyramid.httpexceptions import HTTPSeeOther
from pyramid.response import Response
from pyramid.view import render_view_to_response
from webob.multidict import MultiDict
from zope.interface import alsoProvides

from .carried import RESTORED_FIELD, Typed, is_kept, read_carried
from .csrf import person_of
from .flash import flash
from .i18n import _
from .limits import is_form_of_this_site
from .request import Request
from .routes import methods_of_route, path_of_form


def includeme(config: Configurator) -> None:
    """Show forms again that come with the token of an older session."""
    config.add_view_deriver(restoring_view, under="limited_view", over="csrf_view")


def restoring_view(view: Callable[..., Response], info: Any) -> Callable[..., Response]:
    """Show a form as it was typed if its CSRF token is that of an older session of the same person: a view deriver."""
    if info.exception_only:
        return view

    def wrapped(context: Any, request: Request) -> Response:
        if request.method == "POST" and RESTORED_FIELD in request.POST:
            return show_again(context, request, read_typed(request))
        try:
            return view(context, request)
        except BadCSRFToken:
            return show_again(context, request, read_typed(request))

    return wrapped


def show_again(context: Any, request: Request, typed: Typed | None) -> Response:
    """Return the page of the form, filled in with what was typed; the page it was on if it has none of its own.

    Raises `BadCSRFToken` unless the form was shown to the person who is signed in, or nobody is.
    """
    identity = request.identity
    if typed is None or (identity is not None and identity.id != typed.person):
        raise BadCSRFToken("Not a form of this person.")
    if "GET" not in methods_of_route(request):
        if identity is not None:
            flash(request, _("Nothing was changed, because you have signed in again meanwhile. Please try again."))
        return HTTPSeeOther(path_of_form(request))
    request.submitted, request.is_restored = MultiDict(typed.fields), True
    request.response.status_int = 422
    # The view is looked up by what the request provides, and its predicates ask for the method.
    alsoProvides(request, request.request_iface)
    request.method = "GET"
    try:
        return render_view_to_response(context, request)
    finally:
        request.method = "POST"


def read_typed(request: Request) -> Typed | None:
    """Return what was typed into the form that was sent, or `None` unless it is a form that this site has shown.

    The form may have come back from the sign-in page. No check of a view need have run before.
    """
    if not is_form_of_this_site(request):
        return None
    if RESTORED_FIELD in request.POST:
        return read_carried(request, request.POST[RESTORED_FIELD])
    person, fields = person_of(request, request.POST), dict(request.POST)
    if person is None or len(fields) != len(request.POST):
        return None
    return Typed(person, {name: text for name, text in fields.items() if is_kept(name)})
