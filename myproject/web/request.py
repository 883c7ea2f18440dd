"""The class of the requests: one for the application."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pyramid.request
from pyramid.decorator import reify
from pyramid.interfaces import IRequestExtensions, IRequestFactory
from sqlalchemy.orm import Session
from transaction import TransactionManager

if TYPE_CHECKING:
    from ..signin.identity import Identity

# After every `add_request_method`, whichever include it stands in.
LAST = 1_000_000


class Request(pyramid.request.Request):
    """Pyramid's, with what the includes add to it: declared here, for editors and mypy, and added there."""

    # db
    dbsession: Session
    tm: TransactionManager
    after_commit: Callable[..., None]
    in_own_transaction: Callable[[Callable[[Session], Any]], None]
    after_answer: Callable[[Callable[[Session], Any]], None]
    # web
    id: str
    form_token: str
    path_here: str
    languages: dict[str, str]
    pop_flash: Callable[[], str | None]
    # signin
    identity: "Identity | None"
    known_identity: "Identity | None"
    confirm: Callable[[str], bool]

    @reify
    def cookies(self):
        """{name: value} of the cookies that the browser has sent, to be read only.

        WebOb matches each character by a regular expression, which takes as long as a query, and raises where one is
        not UTF-8. The grammar needs less: https://www.rfc-editor.org/rfc/rfc6265#section-4.1.1
        """
        pairs = [pair.partition("=") for pair in self.environ.get("HTTP_COOKIE", "").split(";")]
        return {name.strip(): value.strip(' \t"') for name, _, value in pairs}


def includeme(config):
    """Give what `add_request_method` adds to the class of the requests.

    Pyramid gives it to each request by a class made for that one alone, which costs a page 100 µs and more: Python
    knows nothing yet about the attributes of a new class. A subrequest has to be of this class too: `type(request)`.
    """
    config.action(None, make_class, args=(config.registry,), order=LAST)


def make_class(registry):
    """Make the class, and leave nothing to add to a request."""
    extensions = registry.getUtility(IRequestExtensions)
    ours = type("Request", (Request,), {**extensions.methods, **extensions.descriptors})
    extensions.methods.clear()
    extensions.descriptors.clear()
    registry.registerUtility(ours, IRequestFactory)
