"""The message that the page behind a redirect shows once, if the request that left it commits.

The message belongs to that page: another tab, an icon or a script that asks for something else meanwhile leaves it.
"""

import time
from typing import NamedTuple

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPSeeOther
from pyramid.i18n import TranslationString
from pyramid.interfaces import ISession
from pyramid.registry import Registry
from pyramid.response import Response

from .paths import without_query
from .request import Handler, Request

# In the session: the path of the page, the text, when it was left, in seconds since 1970, and by which request.
SESSION_KEY = "message_2"
# Characters. The session travels in a signed and encoded cookie, of which browsers keep 4 kB. For the same reason there
# is one message, and not Pyramid's queue of them: a program that never looks at a page would let it grow.
MAX_LENGTH = 300
# A browser follows the redirect at once. A message whose page was never opened would be a riddle days later.
MAX_AGE_SECONDS = 300


class Message(NamedTuple):
    """A message, and the id of the request that has left it."""

    text: str
    request_id: str


def includeme(config: Configurator) -> None:
    """Add `request.pop_flash()`, by which the layout takes the message."""
    config.add_request_method(pop_flash)


def flash(request: Request, message: TranslationString) -> None:
    """Show `message` on the page that this request redirects to, if it commits."""
    request.message = request.localizer.translate(message)


def flash_tween_factory(handler: Handler, registry: Registry) -> Handler:
    """Keep the message of a request for the page that its answer redirects to."""

    def flash_tween(request: Request) -> Response:
        response = handler(request)
        if request.message is not None:
            message = Message(request.message, request.id)
            request.after_commit(_store, request.session, response.location or request.path_here, message)
        return response

    return flash_tween


def forward(request: Request, location: str) -> HTTPSeeOther:
    """Return the redirect to `location` of a page that shows nothing itself: a message for it goes along."""
    message = request.session.get(SESSION_KEY)
    if message and message[0] == without_query(request.path_here):
        _store(request.session, location, Message(message[1], message[3]))
    return HTTPSeeOther(location)


def pop_flash(request: Request) -> Message | None:
    """Return the message for this page, or `None`, and remove it if a person sees the page: not for HEAD."""
    page, text, left_at, request_id = request.session.get(SESSION_KEY) or ("", "", 0.0, "")
    if page != without_query(request.path_here) or _is_fetched_by_script(request):
        return None
    if request.method != "HEAD":
        del request.session[SESSION_KEY]
    return Message(text, request_id) if time.time() - left_at < MAX_AGE_SECONDS else None


def _is_fetched_by_script(request: Request) -> bool:
    # https://developer.mozilla.org/docs/Web/HTTP/Headers/Sec-Fetch-Dest; old browsers do not send it.
    return request.headers.get("Sec-Fetch-Dest", "document") != "document" or "Sec-Purpose" in request.headers


def _store(session: ISession, location: str, message: Message) -> None:
    text, request_id = message
    shown = text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 1] + "…"
    session[SESSION_KEY] = [without_query(location), shown, time.time(), request_id]
