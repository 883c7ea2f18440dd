"""Erasing a person for good, which is their right: https://gdpr-info.eu/art-17-gdpr/"""

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.view import view_config

from ..web.events import log_event
from ..web.flash import flash
from ..web.forms import ChoiceField, ConfirmForm
from ..web.i18n import _


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
    user.erase(keep_posts=form.posts.data == "keep")
    request.after_commit(log_event, request, "erased", user=number)
    # Without their name: the message travels in a cookie.
    flash(request, _("The person was erased."))
    return HTTPSeeOther(request.route_path("users.list"))
