"""Links with which people set their own password. Administrators create them; one is valid for a day and one use."""

from typing import Any

from pyramid.httpexceptions import HTTPNotFound, HTTPSeeOther
from pyramid.security import NO_PERMISSION_REQUIRED
from pyramid.view import exception_view_config, view_config
from sqlalchemy import Select, select
from sqlalchemy.orm import aliased, joinedload

from ..db import read_rows
from ..db.base import utcnow
from ..users.fields import ROLE_NAMES
from ..users.models import User
from ..web.events import report_act
from ..web.flash import flash
from ..web.forms import ConfirmForm
from ..web.i18n import _
from ..web.identity import identity_of
from ..web.request import Request
from .forms import NewPasswordForm
from .hashing import hash_password, submitted_form
from .identity import end_sign_in, set_password, suggest_email
from .models import LINK_LIFETIME, PasswordLink, digest, new_token

PASSWORD_SET = _("Your password was set. You can sign in now.")
PASSWORD_SET_INACTIVE = _(
    "Your password was set, but your account is inactive. You cannot sign in until an administrator makes it active."
)
NEW_LINK_PAGE = {
    "route_name": "users.password_link",
    "permission": "administer",
    "renderer": "signin/password_link.jinja2",
}
SET_PASSWORD_PAGE = {
    "route_name": "set_password",
    "permission": NO_PERMISSION_REQUIRED,
    "renderer": "signin/set_password.jinja2",
}


@view_config(**NEW_LINK_PAGE, request_method="GET")
def new_link(user: User, request: Request) -> dict[str, Any]:
    """Explain what the link is for."""
    return {"form": ConfirmForm(request), **names_of(user, request)}


@view_config(**NEW_LINK_PAGE, request_method="POST")
def create_link(user: User, request: Request) -> dict[str, Any]:
    """Make a link that replaces the user's earlier one, and show it this one time."""
    form, names = ConfirmForm(request), names_of(user, request)
    if user.email is None or not form.validate():
        return form.invalid(request, **names)
    token = new_token()
    maker_id = identity_of(request).id
    link = PasswordLink(user_id=user.id, maker_id=maker_id, token=digest(token), created_at=utcnow())
    request.dbsession.merge(link)
    report_act(request, "password link made", user=user.id)
    return {"form": form, **names, "link": request.route_url("set_password", token=token)}


def names_of(user: User, request: Request) -> dict[str, Any]:
    """Return what the template needs beside the form: also the link that is open now, which a new one replaces."""
    return {"user": user, "role": ROLE_NAMES[user.role], "open_link": open_password_link(request, user), "link": None}


def open_password_link(request: Request, user: User) -> PasswordLink | None:
    """Return the link of `user` that is valid now, with its maker, or `None`."""
    query = valid_links(PasswordLink).where(PasswordLink.user_id == user.id)
    return request.dbsession.scalar(query.options(joinedload(PasswordLink.maker)))


class UnknownLink(HTTPNotFound):
    """A link that does not exist, has expired, or was used, ended or replaced: nobody learns which."""


@exception_view_config(UnknownLink, renderer="signin/unknown_link.jinja2")
def unknown_link(error: UnknownLink, request: Request) -> dict[str, Any]:
    """Answer 404, and show the way to the sign-in page: the link may already have been used by this person."""
    request.response.status_int = 404
    return {}


def link_in_url(request: Request) -> PasswordLink:
    """Return the PasswordLink whose token is in the URL, or raise `UnknownLink` if there is none of the last day.

    The first look is a read-only transaction of its own, so that strangers who guess tokens never wait for a lock or
    take one, and so that the new password is hashed before the request's transaction (hashing.py).
    """
    rows = read_rows(request.registry["dbsession_factory"], find_link(request, User.name, User.email))
    if not rows:
        raise UnknownLink()
    if submitted_form(request):
        form = NewPasswordForm(request, words=rows[0])
        if form.validate():
            hash_password(request, form.password.data)
    link = request.dbsession.scalar(find_link(request, PasswordLink))
    if link is None:
        raise UnknownLink()
    return link


def find_link(request: Request, *columns: Any) -> Select:
    """Return the query for `columns` of the valid link whose token is in the URL, and of its user."""
    return valid_links(*columns).where(PasswordLink.token == digest(request.matchdict["token"]))


def valid_links(*columns: Any) -> Select:
    """Return the query for `columns` of the valid links and of their users.

    A link whose maker was deleted is not valid, also if the program that deleted them ignores foreign keys.
    """
    query = select(*columns).join_from(PasswordLink, PasswordLink.user).join(PasswordLink.maker.of_type(aliased(User)))
    return query.where(PasswordLink.created_at > utcnow() - LINK_LIFETIME)


@view_config(**SET_PASSWORD_PAGE, request_method="GET")
def edit_password(link: PasswordLink, request: Request) -> dict[str, Any]:
    """Ask for the new password."""
    return {"form": NewPasswordForm(request), "user": request.dbsession.get_one(User, link.user_id)}


@view_config(**SET_PASSWORD_PAGE, request_method="POST", receipt=True)
def update_password(link: PasswordLink, request: Request) -> dict[str, Any] | HTTPSeeOther:
    """Set the password of the link's user, which ends the link, and end the sign-in of this browser."""
    user = request.dbsession.get_one(User, link.user_id)
    form = NewPasswordForm(request, words=[user.name, user.email])
    if not form.validate():
        return form.invalid(request, user=user)
    if request.identity:
        end_sign_in(request)
    report_act(request, "password link used", user=user.id)
    set_password(request, user, form.password.data)
    suggest_email(request, user)
    flash(request, PASSWORD_SET if user.active else PASSWORD_SET_INACTIVE)
    return HTTPSeeOther(request.route_path("signin"))
