"""The page on which people change their own password."""

from typing import Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.view import view_config

from ..users.models import User
from ..web.flash import flash
from ..web.i18n import _
from ..web.identity import identity_of
from ..web.request import Request
from .forms import OwnPasswordForm
from .identity import set_password

PAGE = {"route_name": "users.password", "permission": "own", "renderer": "signin/password.jinja2"}


@view_config(**PAGE, request_method="GET")
def new_password(user: User, request: Request) -> dict[str, Any]:
    """Ask for the present password and for a new one."""
    return {"form": OwnPasswordForm(request), "user": user}


@view_config(**PAGE, request_method="POST")
def change_password(user: User, request: Request) -> dict[str, Any] | HTTPSeeOther:
    """Change the user's own password and end the user's other sign-ins."""
    form = OwnPasswordForm(request, words=[user.name, user.email])
    if not form.validate():
        return form.invalid(request, user=user)
    set_password(request, user, form.password.data, keep_sign_in=identity_of(request).sign_in)
    flash(request, _("Your password was changed. You were signed out of all other browsers."))
    return HTTPSeeOther(request.route_path("users.show", id=user.id))
