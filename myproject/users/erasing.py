"""Erasing a person for good, as they may demand: see https://gdpr-info.eu/art-17-gdpr/ for the right."""

from dataclasses import dataclass
from typing import Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.view import view_config
from sqlalchemy.orm import Session

from ..web.events import report_act
from ..web.flash import flash
from ..web.form_fields import ChoiceField
from ..web.forms import ConfirmForm
from ..web.i18n import _
from ..web.request import Request
from .fields import FIELDS
from .forms import DeleteUserForm
from .models import User

PAGE = {"route_name": "users.erase", "renderer": "users/erase.jinja2", "permission": "administer"}


@dataclass(frozen=True)
class UserErased:
    """An event, for those who keep values of the person elsewhere: the row is deleted, in the same transaction."""

    dbsession: Session
    user_id: int


class EraseForm(DeleteUserForm, ConfirmForm):
    """The choice between keeping and deleting the person's posts."""

    posts = ChoiceField(
        _("Posts"),
        choices={"keep": _("Keep them under the name “Former member”"), "delete": _("Delete them")},
        default="keep",
    )

    def __init__(self, request: Request, user: User) -> None:
        super().__init__(request, user)
        if not self.belongings.posts.number:
            del self.posts


@view_config(**PAGE, request_method="GET")
def confirm(user: User, request: Request) -> dict[str, Any]:
    """Ask before a user is erased, and list what is deleted."""
    return {"user": user, "fields": FIELDS, "form": EraseForm(request, user)}


@view_config(**PAGE, request_method="POST")
def erase(user: User, request: Request) -> Any:
    """Erase a user."""
    form, user_id = EraseForm(request, user), user.id
    if not form.validate():
        return form.invalid(request, user=user, fields=FIELDS)
    user.erase(keep_posts=form.data.get("posts") == "keep")
    report_act(request, "erased", user=user_id)
    request.dbsession.flush()
    request.registry.notify(UserErased(request.dbsession, user_id))
    # Without their name: the message travels in a cookie.
    flash(request, _("The user was erased permanently."))
    return HTTPSeeOther(request.route_path("users.list"))
