"""Who may do what: closed unless opened."""

from pyramid.authorization import Allow, Authenticated
from pyramid.httpexceptions import HTTPForbidden

from .db import get_or_404

# What each role may do anywhere; what people may do to what is theirs stands in the models, `__acl__`.
#   view        see users, posts, the overview
#   write       add a post of one's own
#   add, edit, delete   any user or post
#   share       a saved view with all
#   account     the password and the sign-ins of a user
#   administer  roles, erasing
SITE = [
    (Allow, Authenticated, ["view", "write"]),
    (Allow, "role:editor", ["add", "edit", "delete", "share"]),
    (Allow, "role:admin", ["add", "edit", "delete", "share", "account", "administer"]),
]


class Site:
    """What a page stands on whose URL names no row."""

    __acl__ = SITE

    def __init__(self, request):
        """Take the request, as Pyramid's root factories do."""


def includeme(config):
    """Ask for a permission on every page, and for a CSRF token with every form."""
    config.set_root_factory(Site)
    config.set_default_permission("view")
    config.set_default_csrf_options(require_csrf=True)


def row_in_url(request, model, **options):
    """Return the `model` that the URL names, or 404; whoever is not signed in does not even learn which there are."""
    if request.identity is None:
        raise HTTPForbidden()
    return get_or_404(request, model, **options)
