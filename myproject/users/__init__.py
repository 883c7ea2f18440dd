"""The people of the organisation: find, add, edit and delete their records.

`/users` lists them, a URL with an `id` brings its User to the view or ends in 404, and the views hand what a person
typed to `UserForm` and what is then to happen to `User`.
"""

from pyramid.httpexceptions import HTTPNotFound

from ..security import row_in_url
from .models import User
from .saved_views.models import SavedView


def includeme(config):
    """Add the pages below `/users`."""
    config.add_route("home", "/")
    config.add_route("users.list", "/users")
    config.add_route("users.new", "/users/new")
    config.add_route("users.display", "/users/display")
    config.add_route("users.help", "/users/help")
    config.add_route("users.views.list", "/users/views")
    config.add_route("users.views.new", "/users/views/new")
    config.add_route("users.views.edit", "/users/views/{id}/edit", factory=saved_view_in_url)
    config.add_route("users.views.delete", "/users/views/{id}/delete", factory=saved_view_in_url)
    config.add_route("users.show", "/users/{id}", factory=user_in_url)
    config.add_route("users.edit", "/users/{id}/edit", factory=user_in_url)
    config.add_route("users.delete", "/users/{id}/delete", factory=user_in_url)
    config.add_route("users.erase", "/users/{id}/erase", factory=user_in_url)
    config.scan(".views")
    config.scan(".listing.display")
    config.scan(".erasing")
    config.scan(".saved_views.views")


def user_in_url(request):
    """Return the User whose `id` the URL names, or raise `HTTPNotFound`."""
    return row_in_url(request, User)


def saved_view_in_url(request):
    """Return the SavedView whose `id` the URL names, or raise `HTTPNotFound`, as for another person's private one."""
    saved = row_in_url(request, SavedView)
    if not request.has_permission("view", saved):
        raise HTTPNotFound()
    return saved
