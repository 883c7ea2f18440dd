"""The page of where somebody is signed in."""

from pyramid.httpexceptions import HTTPBadRequest, HTTPSeeOther
from pyramid.view import view_config
from sqlalchemy import delete, select

from ..db import to_id
from ..web.events import log_event
from ..web.flash import flash
from ..web.forms import ConfirmForm
from ..web.i18n import _
from .models import STILL_GOOD, SignIn, good_since

PAGE = {"route_name": "users.sign_ins", "permission": "account", "renderer": "signin/sign_ins.jinja2"}


@view_config(**PAGE, request_method="GET")
def sign_ins(user, request):
    """List the browsers in which a user is signed in, the latest first."""
    return {"form": ConfirmForm(request), "user": user, "sign_ins": sign_ins_of(user, request)}


@view_config(**PAGE, request_method="POST")
def end(user, request):
    """End one of a user's sign-ins, or all but the one that asks."""
    form, which = ConfirmForm(request), request.POST.get("end", "")
    number = to_id(which)
    if which != "others" and number is None:
        raise HTTPBadRequest()
    if not form.validate():
        return form.invalid(request, user=user, sign_ins=sign_ins_of(user, request))
    chosen = SignIn.id == number if number else SignIn.id != request.identity.sign_in
    request.dbsession.execute(delete(SignIn).where(SignIn.user_id == user.id, chosen))
    request.after_commit(log_event, request, "sign-ins ended", user=user.id, which=which)
    flash(request, _("Signed out there."))
    return HTTPSeeOther(request.route_path("users.sign_ins", id=user.id))


def sign_ins_of(user, request):
    """Return the sign-ins of `user` that have not run out."""
    query = select(SignIn).where(SignIn.user_id == user.id, STILL_GOOD).order_by(SignIn.seen_at.desc(), SignIn.id)
    return request.dbsession.scalars(query, good_since(request.registry.settings)).all()
