"""The people of the organisation: find, add, edit and delete their records.

`/users` lists them, a URL with an `id` brings its User to the view or ends in 404, and the views hand what a person
typed to `UserForm` and what is then to happen to `User`.
"""

from ..security import row_in_url
from .models import User


def includeme(config):
    """Add the pages below `/users`."""
    config.add_route("home", "/")
    config.add_route("users.list", "/users")
    config.add_route("users.new", "/users/new")
    config.add_route("users.show", "/users/{id}", factory=user_in_url)
    config.add_route("users.edit", "/users/{id}/edit", factory=user_in_url)
    config.add_route("users.delete", "/users/{id}/delete", factory=user_in_url)
    config.add_route("users.erase", "/users/{id}/erase", factory=user_in_url)
    config.scan(".views")
    config.scan(".erasing")


def user_in_url(request):
    """Return the User whose `id` the URL names, or raise `HTTPNotFound`."""
    return row_in_url(request, User)
