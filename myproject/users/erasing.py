"""Erasing a person for good, which is their right: https://gdpr-info.eu/art-17-gdpr/"""

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.view import view_config
from sqlalchemy import select

from ..web.events import log_event
from ..web.flash import flash
from ..web.forms import ChoiceField, ConfirmForm
from ..web.i18n import _
from .models import User

FORMER = "Former member"


class EraseForm(ConfirmForm):
    """What is to become of the person's posts."""

    posts = ChoiceField(
        _("Posts"),
        choices={"keep": _("Keep them, written by “Former member”"), "delete": _("Delete them too")},
        default="keep",
    )


@view_config(route_name="users.erase", request_method="GET", renderer="users/erase.jinja2", permission="administer")
def confirm(user, request):
    """Say what goes for good."""
    return {"user": user, "form": EraseForm(request)}


@view_config(route_name="users.erase", request_method="POST", renderer="users/erase.jinja2", permission="administer")
def erase(user, request):
    """Erase a user."""
    form, number = EraseForm(request), user.id
    if not form.validate():
        return form.invalid(request, user=user)
    if form.posts.data == "keep" and user.posts:
        user.leave_posts_to(former_member(request.dbsession, other_than=user))
    request.dbsession.delete(user)
    request.after_commit(log_event, request, "erased", user=number)
    # Without their name: the message travels in a cookie.
    flash(request, _("The person was erased."))
    return HTTPSeeOther(request.route_path("users.list"))


def former_member(dbsession, other_than):
    """Return the user under whom the posts of erased people stay."""
    query = select(User).where(User.name == FORMER, User.email.is_(None), User.password_hash.is_(None), ~User.active)
    former = dbsession.scalar(query.where(User.id != other_than.id).limit(1))
    if former is None:
        former = User(name=FORMER, active=False)
        dbsession.add(former)
    return former
