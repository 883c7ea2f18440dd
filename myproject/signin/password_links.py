"""Links by which people set a password themselves: made by an administrator, good for a day and one use."""

import datetime

from pyramid.httpexceptions import HTTPNotFound, HTTPSeeOther
from pyramid.security import NO_PERMISSION_REQUIRED
from pyramid.view import view_config
from sqlalchemy import select

from ..db.base import utcnow
from ..users.fields import ROLE_NAMES
from ..users.models import User
from ..web.events import log_event
from ..web.flash import flash
from ..web.forms import ConfirmForm
from ..web.i18n import _
from .forms import NewPasswordForm
from .identity import set_password
from .models import PasswordLink, digest, new_token

KEPT = datetime.timedelta(days=1)
MAKING = {
    "route_name": "users.password_link",
    "permission": "administer",
    "renderer": "signin/password_link.jinja2",
}
USING = {
    "route_name": "set_password",
    "permission": NO_PERMISSION_REQUIRED,
    "renderer": "signin/set_password.jinja2",
}


@view_config(**MAKING, request_method="GET")
def ask_for_link(user, request):
    """Explain what the link is for."""
    return {"form": ConfirmForm(request), "user": user, "role": ROLE_NAMES[user.role], "link": None}


@view_config(**MAKING, request_method="POST")
def make_link(user, request):
    """Show a new link, this once; the one made before no longer works."""
    form = ConfirmForm(request)
    if user.email is None or not form.validate():
        return form.invalid(request, user=user, role=ROLE_NAMES[user.role], link=None)
    token = new_token()
    request.dbsession.merge(PasswordLink(user_id=user.id, token=digest(token), created_at=utcnow()))
    request.after_commit(log_event, request, "password link made", user=user.id)
    link = request.route_url("set_password", token=token)
    return {"form": form, "user": user, "role": ROLE_NAMES[user.role], "link": link}


def link_in_url(request):
    """Return the PasswordLink of the URL's token, or raise `HTTPNotFound` where there is none of the last day."""
    found = PasswordLink.token == digest(request.matchdict["token"])
    link = request.dbsession.scalar(select(PasswordLink).where(found, PasswordLink.created_at > utcnow() - KEPT))
    if link is None:
        raise HTTPNotFound(_("This link was used already, or is older than a day. Ask for a new one."))
    return link


@view_config(**USING, request_method="GET")
def open_link(link, request):
    """Ask whoever has got the link for their new password."""
    return {"form": NewPasswordForm(request), "user": request.dbsession.get(User, link.user_id)}


@view_config(**USING, request_method="POST")
def use_link(link, request):
    """Set the password; the link goes with the old one, see models.py."""
    user = request.dbsession.get(User, link.user_id)
    form = NewPasswordForm(request, words=[user.name, user.email])
    if not form.validate():
        return form.invalid(request, user=user)
    set_password(request, user, form.password.data)
    flash(request, _("Your password is set. Sign in with it."))
    return HTTPSeeOther(request.route_path("signin"))
