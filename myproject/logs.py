"""How the ini files format the log: with the id of the request; in production without what people have submitted."""

import contextlib
import datetime
import json
import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from sqlalchemy.exc import DBAPIError

from .db import IDatabaseUnavailable
from .db.failure import message_of

# The id of the request that this thread works for, or has worked for last; empty outside of requests.
current_request: ContextVar[str] = ContextVar("current_request", default="")

# Characters that end a line or direct a terminal, and those that turn the text around them around; not line feed and
# tab.
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
INDENT = "    "

log = logging.getLogger(__name__)

# What messages of others quote of a request, by the name of their logger, and what is written instead.
QUOTED_BY = {
    # The path, which may contain the token of a link; headers; the message of an exception.
    "waitress": [
        (re.compile(r"(?<=while serving ).*", re.DOTALL), "a request"),
        (re.compile(r"(Malformed proxy header|Unknown Forwarded token).*", re.DOTALL), r"\1"),
        (
            re.compile(r"(uncaptured python exception|exception in trigger thunk).*?(<class '[\w.]+'>).*", re.DOTALL),
            r"\1 \2",
        ),
    ],
    # The text of a warning, which may quote a value, after its file, line and class.
    "py.warnings": [(re.compile(r"^(.*?:\d+: \w+):.*", re.DOTALL), r"\1")],
}


class LineFormatter(logging.Formatter):
    """Formats records as text for people; `%(request)s` is "request ID: " within a request, else nothing.

    Each record begins at the beginning of a line, and its further lines are indented, so that no text in a record can
    look like another record.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of `record`."""
        request_id = current_request.get()
        record.request = f"request {request_id}: " if request_id else ""
        text = CONTROLS.sub(lambda match: ascii(match[0])[1:-1], super().format(record))
        return text.replace("\n", f"\n{INDENT}")


class Formatter(LineFormatter):
    """Formats tracebacks without the messages of exceptions, and messages of others without what they quote.

    A message may quote a value: “invalid literal for int(): …”, or PostgreSQL's “Failing row contains …”. Only those of
    an unavailable database are kept, which say nothing about the request.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take what the ini file says, and send Python's warnings to the log, too: they may quote a value."""
        super().__init__(*args, **kwargs)
        logging.captureWarnings(True)

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of `record`, not the traceback that another formatter has left in it."""
        record.exc_text = None
        return super().format(_readable(record))

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line of `record`."""
        record.message = without_quotes(record)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        """Return where the exception of `ei` was raised, and its causes, the first cause first."""
        chain = reversed([*_chain_of(ei[1])])
        return "\n\n".join("".join([*traceback.format_tb(error.__traceback__), _describe(error)]) for error in chain)


class JsonFormatter(Formatter):
    """Formats a record as one line of JSON in ASCII, with the keys of `extra={"fields": …}` beside its own."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of `record`; only `time`, `level`, `logger`, `message` and `request` are always there."""
        record = _readable(record)
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        fields = getattr(record, "fields", {})
        line = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            # The message of an event is JSON itself, for the plain format; its fields are all of it.
            "message": fields.get("event") or without_quotes(record),
            "request": current_request.get() or None,
            **fields,
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


@contextlib.contextmanager
def logging_lost_errors() -> Iterator[None]:
    """During the block, log what Python would print: errors that end a thread, and those that it cannot raise."""
    hooks = threading.excepthook, sys.unraisablehook
    threading.excepthook, sys.unraisablehook = _log_end_of_thread, _log_unraisable
    try:
        yield
    finally:
        threading.excepthook, sys.unraisablehook = hooks


def without_quotes(record: logging.LogRecord) -> str:
    """Return the message of `record`; that of a library or of Python, without what it quotes of a request."""
    message = record.getMessage()
    for pattern, replacement in QUOTED_BY.get(record.name, ()):
        message = pattern.sub(replacement, message)
    return message


def _log_end_of_thread(ended: threading.ExceptHookArgs) -> None:
    # `sys.exit()` ends a thread as it is meant to.
    if ended.exc_value is not None and not isinstance(ended.exc_value, SystemExit):
        name = "a thread" if ended.thread is None else ended.thread.name
        log.error("%s has failed", name, exc_info=ended.exc_value)


def _log_unraisable(failure: Any) -> None:
    """Log the error of a destructor or of a generator that is closed, which Python cannot raise."""
    name = getattr(failure.object, "__qualname__", type(failure.object).__qualname__)
    log.error("an error in %s was ignored", name, exc_info=failure.exc_value)


def _readable(record: logging.LogRecord) -> logging.LogRecord:
    """Return `record`, or one that names its place if its arguments do not fit.

    The package `logging` would print the message, the arguments and a traceback itself.
    """
    try:
        record.getMessage()
    except Exception:
        text = f"a message of {record.pathname}:{record.lineno} that cannot be formatted"
        return logging.LogRecord(record.name, record.levelno, record.pathname, record.lineno, text, None, None)
    return record


def _chain_of(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    # An error may be its own cause: `raise error from error`.
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        # Also where it is suppressed: pyramid_tm raises every error of a view again, `from None`.
        error = error.__cause__ or error.__context__


def _describe(error: BaseException) -> str:
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    if IDatabaseUnavailable.providedBy(error):
        # Not its further lines: a COPY that breaks off has the row in its context.
        name += f": {message_of(error)}"
    # The text of the statement; its parameters are elsewhere.
    return f"{name} in {error.statement}" if isinstance(error, DBAPIError) else name
