"""Writes that wait until the answer was sent, so that no reader waits for them: `request.after_answer`."""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response
from sqlalchemy.orm import Session, sessionmaker
from transaction import TransactionManager

from .failure import IDatabaseUnavailable
from .session import get_tm_session

log = logging.getLogger(__name__)

Write = Callable[[Session], Any]


def includeme(config: Configurator) -> None:
    """Add `request.after_answer`."""
    config.add_request_method(after_answer)


def after_answer(request: Request, write: Write) -> None:
    """Call `write(dbsession)` in a transaction of its own after the answer was sent, whatever the answer is.

    For what may be lost, such as when somebody was last seen: it is tried once, waits for no lock, and is dropped if
    the database is busy or unavailable. It has to be called before the view's answer has passed all tweens.
    """
    factory = request.registry["dbsession_factory"]

    def wrap_body(_request: Request, response: Response) -> None:
        # WebOb forgets the length with the old body.
        length = response.content_length
        response.app_iter = BodyThenWrite(response.app_iter, lambda: _try_to_write(factory, write))
        response.content_length = length

    request.add_response_callback(wrap_body)


class BodyThenWrite:
    """The body of a response. Every WSGI server calls its `close` after it has sent the body, and that writes."""

    def __init__(self, body: Iterable[bytes], write: Callable[[], None]) -> None:
        """Take the body, and the function to call after it."""
        self.body = body
        self.write = write

    def __iter__(self) -> Iterator[bytes]:
        """Yield the parts of the body."""
        return iter(self.body)

    def close(self) -> None:
        """Close the body, then write."""
        try:
            if hasattr(self.body, "close"):
                self.body.close()
        finally:
            self.write()


def _try_to_write(factory: sessionmaker[Session], write: Write) -> None:
    tm = TransactionManager(explicit=True)
    try:
        with tm:
            write(get_tm_session(factory, tm, wait_for_locks=False))
    except Exception as error:
        level = logging.DEBUG if IDatabaseUnavailable.providedBy(error) else logging.ERROR
        log.log(level, "a write after the answer was dropped", exc_info=True)
