"""The CSRF token of a form, which also tells to whom the form was shown.

`csrf_token` is the token of the browser's session. On the pages of a person who is signed in, a mark follows: the
person's id and a keyed digest of it, `TOKEN.7.DIGEST`. Only the token lets a form be applied. The mark, which no other
site knows, tells after the session has ended whose form it was (typed.py).
"""

import hmac
import re
from collections.abc import Mapping

from pyramid.config import Configurator
from pyramid.csrf import LegacySessionCSRFStoragePolicy

from .keyed import is_keyed_digest, keyed_digest
from .request import Request

PURPOSE = "shown to"
MARKED_TOKEN = re.compile(r"[^.]*\.([0-9]{1,10})\.([0-9a-f]{64})")


def includeme(config: Configurator) -> None:
    """Make every CSRF token tell to whom the page was shown."""
    config.add_request_method(shown_to, reify=True)
    config.set_csrf_storage_policy(MarkedTokenPolicy())


def shown_to(request: Request) -> int | None:
    """Return the id of the person to whom this page is shown, as far as it is known without a query."""
    return request.known_identity.id if request.known_identity else None


class MarkedTokenPolicy(LegacySessionCSRFStoragePolicy):
    """Pyramid's default, the token of the session, with the mark of `request.shown_to` behind it."""

    def get_csrf_token(self, request: Request) -> str:
        """Return the token for the forms of this page."""
        token, person = super().get_csrf_token(request), request.shown_to
        return token if person is None else f"{token}.{person}.{keyed_digest(request, PURPOSE, str(person))}"

    def check_csrf_token(self, request: Request, supplied_token: str) -> bool:
        """Return whether the token before the mark is that of the session."""
        token, expected = supplied_token.partition(".")[0], super().get_csrf_token(request)
        return hmac.compare_digest(token.encode("utf-8", "surrogatepass"), expected.encode())


def person_of(request: Request, fields: Mapping[str, str]) -> int | None:
    """Return the id of the person to whom the form with these fields was shown, or `None` if its mark is not ours."""
    marked = MARKED_TOKEN.fullmatch(fields.get("csrf_token", ""))
    if marked is None or not is_keyed_digest(request, marked[2], PURPOSE, marked[1]):
        return None
    return int(marked[1])
