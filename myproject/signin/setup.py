"""The first administrator of a new site."""

import hmac
import logging

from pyramid.httpexceptions import HTTPNotFound, HTTPSeeOther
from pyramid.security import NO_PERMISSION_REQUIRED
from pyramid.view import view_config

from ..db.base import utcnow
from ..demo import add_demo_people
from ..web.events import log_event
from ..web.flash import flash
from ..web.i18n import _
from .forms import SetupForm
from .identity import begin
from .models import anybody_can_sign_in, let_in

PAGE = {"route_name": "setup", "permission": NO_PERMISSION_REQUIRED, "renderer": "signin/setup.jinja2"}

log = logging.getLogger(__name__)


@view_config(**PAGE, request_method="GET")
def ask_for_administrator(request):
    """Ask for the first administrator, and print the token that they have to enter."""
    refuse_when_set_up(request)
    token = setup_token(request)
    if token:
        log.warning("nobody can sign in yet: open %s and enter this token: %s", request.route_path("setup"), token)
    return {"form": SetupForm(request, expected_token=token)}


@view_config(**PAGE, request_method="POST")
def set_up(request):
    """Add the first administrator and sign them in; of two at once, one comes too late."""
    refuse_when_set_up(request)
    form = SetupForm(request, expected_token=setup_token(request))
    if not form.validate():
        log_event(request, "setup refused", fields=sorted(form.errors))
        return form.invalid(request)
    password_hash = request.registry["hasher"].hash(form.password.data)
    user = let_in(request.dbsession, form.email.data, form.name.data, password_hash)
    begin(request, user)
    if form.demo.data:
        add_demo_people(request.dbsession, utcnow())
    flash(request, _("Welcome, ${name}. You are the first administrator.", mapping={"name": user.name}))
    return HTTPSeeOther(request.route_path("home"))


def refuse_when_set_up(request):
    """Raise `HTTPNotFound` once there is somebody who can sign in: from then on they add the others."""
    if anybody_can_sign_in(request.dbsession):
        raise HTTPNotFound()


def setup_token(request):
    """Return what only those know who read the server's log, the same for all processes; `None` in development."""
    settings = request.registry.settings
    if settings["myproject.development"]:
        return None
    return hmac.digest(settings["myproject.secret"].encode(), b"setup", "sha256").hex()[:32]
