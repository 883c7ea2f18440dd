"""The security policy: who a request comes from, and what that person may do."""

from typing import Any

from pyramid.authorization import ACLHelper, Authenticated, Everyone
from pyramid.request import RequestLocalCache

from ..web.request import Request
from .identity import Identity, identify


class SecurityPolicy:
    """Finds the person behind the cookie once for each request, and asks the ACL of the page's context."""

    def __init__(self) -> None:
        self.identities = RequestLocalCache(identify)
        self.acl = ACLHelper()

    def identity(self, request: Request) -> Identity | None:
        """Return the Identity of the person who is signed in, if any."""
        return self.identities.get_or_create(request)

    def known_identity(self, request: Request) -> Identity | None:
        """Return the Identity if it has been queried already: for pages that must not query the database."""
        return self.identities.get(request, None)

    def authenticated_userid(self, request: Request) -> int | None:
        """Return the id of the User who is signed in, if any."""
        identity = self.identity(request)
        return identity.id if identity else None

    def permits(self, request: Request, context: Any, permission: str) -> Any:
        """Return whether the ACL of `context`, a record or the site, allows `permission` to the person."""
        principals, identity = [Everyone], self.identity(request)
        if identity is not None:
            principals += [Authenticated, f"role:{identity.role}", f"user:{identity.id}"]
        return self.acl.permits(context, principals, permission)
