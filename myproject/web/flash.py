"""The message that the next page shows once, if the request that left it commits."""

from pyramid.config import Configurator
from pyramid.i18n import TranslationString
from pyramid.interfaces import ISession

from .request import Request

SESSION_KEY = "flash"
# Characters. The session travels in a signed and encoded cookie, of which browsers keep 4 kB. For the same reason there
# is one message, and not Pyramid's queue of them: a program that never looks at a page would let it grow.
MAX_LENGTH = 300


def includeme(config: Configurator) -> None:
    """Add `request.pop_flash()`, by which the layout takes the message."""
    config.add_request_method(pop_flash)


def flash(request: Request, message: TranslationString) -> None:
    """Show `message` on the next page if this request commits."""
    request.after_commit(_store, request.session, request.localizer.translate(message))


def pop_flash(request: Request) -> str | None:
    """Return the message for this page, or `None`, and remove it, unless nobody sees the page: HEAD."""
    message = request.session.get(SESSION_KEY)
    if message is not None and request.method != "HEAD":
        del request.session[SESSION_KEY]
    return message


def _store(session: ISession, text: str) -> None:
    session[SESSION_KEY] = text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 1] + "…"
