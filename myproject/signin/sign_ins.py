"""The page that lists by what a user gets in, and ends it: browsers where they are signed in, and a password link."""

from collections.abc import Sequence
from typing import Any

from pyramid.httpexceptions import HTTPBadRequest, HTTPSeeOther
from pyramid.view import view_config
from sqlalchemy import delete, select

from ..db import to_id
from ..users.models import User
from ..web.events import report_act
from ..web.flash import flash
from ..web.forms import ConfirmForm
from ..web.i18n import _
from ..web.identity import identity_of
from ..web.request import Request
from .models import NOT_EXPIRED, PasswordLink, SignIn, expiry_parameters

PAGE = {"route_name": "users.sign_ins", "permission": "account", "renderer": "signin/sign_ins.jinja2"}


@view_config(**PAGE, request_method="GET")
def list_sign_ins(user: User, request: Request) -> dict[str, Any]:
    """List the browsers in which a user is signed in, the one seen last first."""
    return {"form": ConfirmForm(request), "user": user, "sign_ins": sign_ins_of(user, request)}


@view_config(**PAGE, request_method="POST")
def end_sign_ins(user: User, request: Request) -> dict[str, Any] | HTTPSeeOther:
    """End one of a user's sign-ins, or all except the one of this browser, or the user's password link."""
    form, which = ConfirmForm(request), request.POST.get("end", "")
    sign_in_id = to_id(which)
    if which not in ("others", "link") and sign_in_id is None:
        raise HTTPBadRequest()
    if not form.validate():
        return form.invalid(request, user=user, sign_ins=sign_ins_of(user, request))
    if which == "link":
        return end_password_link(user, request)
    is_chosen = SignIn.id == sign_in_id if sign_in_id else SignIn.id != identity_of(request).sign_in
    request.dbsession.execute(delete(SignIn).where(SignIn.user_id == user.id, is_chosen))
    report_act(request, "sign-ins ended", user=user.id, which=which)
    flash(request, _("Signed out."))
    return HTTPSeeOther(request.route_path("users.sign_ins", id=user.id))


def end_password_link(user: User, request: Request) -> HTTPSeeOther:
    """End the link with which the user could set a password."""
    request.dbsession.execute(delete(PasswordLink).where(PasswordLink.user_id == user.id))
    report_act(request, "password link ended", user=user.id)
    flash(request, _("The password link no longer works."))
    return HTTPSeeOther(request.route_path("users.sign_ins", id=user.id))


def sign_ins_of(user: User, request: Request) -> Sequence[SignIn]:
    """Return the sign-ins of `user` that have not expired, the one seen last first."""
    query = select(SignIn).where(SignIn.user_id == user.id, NOT_EXPIRED).order_by(SignIn.seen_at.desc(), SignIn.id)
    return request.dbsession.scalars(query, expiry_parameters(request.registry.settings)).all()
