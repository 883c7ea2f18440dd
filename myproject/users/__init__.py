"""The people of the organisation: find, add, edit and delete their records.

The list at `/users` is in `listing`. A URL with an `id` loads its User before the view runs, or answers 404. The views
validate the submitted values by `UserForm`, which is made from the list in fields.py, and call the verbs of `User`.
"""

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPNotFound

from ..security import row_in_url
from ..web.request import Request
from .former_member import is_former_member, name_of
from .forms import UserForm
from .models import User
from .saved_views.forms import SavedViewForm
from .saved_views.models import SavedView


def includeme(config: Configurator) -> None:
    """Add the pages below `/users`, and what their templates ask about a user."""
    config.add_request_method(name_of)
    config.add_request_method(is_former_member)
    config.add_route("home", "/")
    config.add_route("users.list", "/users")
    config.add_route("users.new", "/users/new")
    config.add_route("users.export", "/users/export.csv")
    config.add_route("users.display", "/users/display")
    config.add_route("users.help", "/users/help")
    config.add_route("users.views.list", "/users/views")
    config.add_route("users.views.new", "/users/views/new")
    config.add_route("users.views.show", "/users/views/{id}", factory=saved_view_in_url)
    config.add_route("users.views.edit", "/users/views/{id}/edit", factory=saved_view_in_url)
    config.add_route("users.views.delete", "/users/views/{id}/delete", factory=saved_view_in_url)
    config.include(".bulk")
    config.include(".imports.views")
    config.add_route("users.show", "/users/{id}", factory=user_in_url)
    config.add_route("users.edit", "/users/{id}/edit", factory=user_in_url)
    config.add_route("users.delete", "/users/{id}/delete", factory=user_in_url)
    config.add_route("users.erase", "/users/{id}/erase", factory=user_in_url)
    config.add_route("users.time_zone", "/users/{id}/time-zone", factory=user_in_url)
    config.add_record_form("users.new", UserForm)
    config.add_record_form("users.edit", UserForm)
    config.add_record_form("users.views.new", SavedViewForm)
    config.add_record_form("users.views.edit", SavedViewForm)
    config.scan(".views")
    config.scan(".listing.display")
    config.scan(".exports")
    config.scan(".erasing")
    config.scan(".time_zones")
    config.scan(".saved_views.views")


def user_in_url(request: Request) -> User:
    """Return the User with the id in the URL, or raise `HTTPNotFound`."""
    return row_in_url(request, User)


def saved_view_in_url(request: Request) -> SavedView:
    """Return the SavedView with the id in the URL, or raise `HTTPNotFound`, also for a private one of somebody else."""
    saved_view = row_in_url(request, SavedView)
    if not request.has_permission("view", saved_view):
        raise HTTPNotFound()
    return saved_view
