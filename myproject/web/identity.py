"""The person behind a request, for pages that only people who are signed in can open."""

from typing import TYPE_CHECKING

from pyramid.httpexceptions import HTTPForbidden

from .request import Request

if TYPE_CHECKING:
    from ..signin.identity import Identity


def identity_of(request: Request) -> "Identity":
    """Return the identity of the person who is signed in; a page that requires a permission always has one."""
    if request.identity is None:
        raise HTTPForbidden()
    return request.identity
