"""Who may do what: every page is closed unless a permission opens it."""

from typing import Any, TypeVar

from pyramid.authorization import Allow, Authenticated
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPForbidden

from .db import Base, get_or_404
from .web.request import Request

Record = TypeVar("Record", bound=Base)

# What each role may do to every record. What people may do to their own records is in the models: `__acl__`.
#   view        read users, posts, the overview
#   write       add a post under one's own name
#   add, edit, delete   any user or post
#   share       a saved view with everybody
#   history, undo   every change of every record; members have them for those of their own (history/access.py)
#   export      users and posts as files
#   account     the password and the sign-ins of a user
#   administer  roles, erasing, security events
SITE_ACL = [
    (Allow, Authenticated, ["view", "write"]),
    (Allow, "role:editor", ["add", "edit", "delete", "share", "history", "undo", "export"]),
    (Allow, "role:admin", ["add", "edit", "delete", "share", "history", "undo", "export", "account", "administer"]),
]


class Site:
    """The context of every page whose URL names no record."""

    __acl__ = SITE_ACL

    def __init__(self, request: Request) -> None:
        """Take the request, as Pyramid calls root factories with it."""


def includeme(config: Configurator) -> None:
    """Require the permission "view" on every page that names no other, and a CSRF token with every form."""
    config.set_root_factory(Site)
    config.set_default_permission("view")
    # web/origin.py checks where a form comes from.
    config.set_default_csrf_options(require_csrf=True, check_origin=False)


def row_in_url(request: Request, model: type[Record], **options: Any) -> Record:
    """Return the `model` record that the URL names; `options` are those of `Session.get`.

    Raises `HTTPNotFound` if there is none, and `HTTPForbidden` if nobody is signed in: strangers get the same answer
    for every id, so that they do not learn which records exist.
    """
    if request.identity is None:
        raise HTTPForbidden()
    return get_or_404(request, model, **options)
