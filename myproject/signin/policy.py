"""The security policy: who a request is from, and what they may do."""

from pyramid.authorization import ACLHelper, Authenticated, Everyone
from pyramid.request import RequestLocalCache

from .identity import identify


class SecurityPolicy:
    """Finds the person behind the cookie once a request; asks the ACL of the page's row, or of the site."""

    def __init__(self):
        self.identities = RequestLocalCache(identify)
        self.acl = ACLHelper()

    def identity(self, request):
        """Return the Identity of who is signed in, or `None`."""
        return self.identities.get_or_create(request)

    def known_identity(self, request):
        """Return the Identity if it was asked for before: for pages that must not ask the database."""
        return self.identities.get(request, None)

    def authenticated_userid(self, request):
        """Return the id of the User who is signed in, or `None`."""
        return self.identity(request) and self.identity(request).id

    def permits(self, request, context, permission):
        """Return whether the person may do `permission` to `context`, a row or the site."""
        principals, identity = [Everyone], self.identity(request)
        if identity is not None:
            principals += [Authenticated, f"role:{identity.role}", f"user:{identity.id}"]
        return self.acl.permits(context, principals, permission)
