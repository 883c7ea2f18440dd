"""How `production.ini` formats its log: without what people have submitted."""

import logging
import re
import traceback
from collections.abc import Iterator
from typing import Any

from sqlalchemy.exc import DBAPIError

from .db import IDatabaseUnavailable

# waitress names the path, which may contain the token of a link.
PATH_IN_MESSAGE = re.compile(r"(?<=while serving ).*", re.DOTALL)


class Formatter(logging.Formatter):
    """Formats tracebacks without the messages of exceptions, and waitress' messages without the path.

    A message may quote a value: “invalid literal for int(): …”, or PostgreSQL's “Failing row contains …”. Only those of
    an unavailable database are kept, which say nothing about the request.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of `record`, not the traceback that another formatter has left in it."""
        record.exc_text = None
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line of `record`."""
        if record.name == "waitress":
            record.message = PATH_IN_MESSAGE.sub("a request", record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        """Return where the exception of `ei` was raised, and its causes, the first cause first."""
        chain = reversed([*_chain_of(ei[1])])
        return "\n\n".join("".join([*traceback.format_tb(error.__traceback__), _describe(error)]) for error in chain)


def _chain_of(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        # Also where it is suppressed: pyramid_tm raises every error of a view again, `from None`.
        error = error.__cause__ or error.__context__


def _describe(error: BaseException) -> str:
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    if IDatabaseUnavailable.providedBy(error):
        return f"{name}: {error}"
    # The text of the statement; its parameters are elsewhere.
    return f"{name} in {error.statement}" if isinstance(error, DBAPIError) else name
