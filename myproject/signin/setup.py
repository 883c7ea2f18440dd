"""The page that makes the first administrator of a new site."""

import logging
from typing import Any

from pyramid.httpexceptions import HTTPNotFound, HTTPSeeOther
from pyramid.security import NO_PERMISSION_REQUIRED
from pyramid.view import view_config

from ..db import read_rows
from ..db.base import utcnow
from ..demo import add_demo_people
from ..security import Site
from ..web.events import report_act, report_refusal
from ..web.flash import flash
from ..web.i18n import _
from ..web.keyed import keyed_digest
from ..web.request import Request
from .forms import SetupForm
from .hashing import hash_password, submitted_form
from .identity import start_sign_in
from .models import ANY_USER_WHO_CAN_SIGN_IN, can_anybody_sign_in, make_administrator

PAGE = {"route_name": "setup", "permission": NO_PERMISSION_REQUIRED, "renderer": "signin/setup.jinja2"}
TOKEN_LENGTH = 32
# The key in the registry under which a server notes that its log has the token.
SETUP_LOGGED = "myproject.signin.setup_logged"

log = logging.getLogger(__name__)


def site_to_set_up(request: Request) -> Site:
    """Return the context of the page.

    For a submitted form, check in a read-only transaction of its own that the site is still to be set up, and hash the
    password: before the request's transaction (hashing.py), and only for a form that is otherwise valid.
    """
    if request.method == "POST":
        if read_rows(request.registry["dbsession_factory"], ANY_USER_WHO_CAN_SIGN_IN):
            raise HTTPNotFound()
        form = SetupForm(request, expected_token=setup_token(request)) if submitted_form(request) else None
        if form and form.validate():
            hash_password(request, form.password.data)
    return Site(request)


@view_config(**PAGE, request_method="GET")
def new(request: Request) -> dict[str, Any]:
    """Ask for the first administrator, and log the token that they have to enter."""
    refuse_after_setup(request)
    token = setup_token(request)
    log_once(request, token)
    return {"form": SetupForm(request, expected_token=token)}


@view_config(**PAGE, request_method="POST", receipt=True)
def create(request: Request) -> dict[str, Any] | HTTPSeeOther:
    """Add the first administrator and sign them in. If two people do this at once, the second gets a 404."""
    refuse_after_setup(request)
    form = SetupForm(request, expected_token=setup_token(request))
    if not form.validate():
        report_refusal(request, "setup refused", fields=sorted(form.errors))
        return form.invalid(request)
    password_hash = hash_password(request, form.password.data)
    user = make_administrator(request.dbsession, form.data["email"], form.data["name"], password_hash)
    report_act(request, "administrator made", user=user.id)
    start_sign_in(request, user)
    if form.demo.data:
        add_demo_people(request.dbsession, utcnow())
    flash(request, _("Welcome, ${name}. You are the first administrator.", mapping={"name": user.name}))
    return HTTPSeeOther(request.route_path("home"))


def refuse_after_setup(request: Request) -> None:
    """Raise `HTTPNotFound` if anybody can sign in: then it is administrators who add users."""
    if can_anybody_sign_in(request.dbsession):
        raise HTTPNotFound()


def log_once(request: Request, token: str | None) -> None:
    """Log the token at the first visit since the server started: strangers who open the page again fill no log."""
    visit = object()
    # Of visits at the same time, one stores itself.
    if token and request.registry.setdefault(SETUP_LOGGED, visit) is visit:
        log.warning("nobody can sign in yet: open %s and enter this token: %s", request.route_path("setup"), token)


def setup_token(request: Request) -> str | None:
    """Return the token that only readers of the server's log know, the same in all processes; `None` in development."""
    if request.registry.settings["myproject.development"]:
        return None
    return keyed_digest(request, "setup", "")[:TOKEN_LENGTH]
