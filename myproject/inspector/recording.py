"""Records a request of a client from its first tween to the end of its answer, over all its attempts."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from pyramid.config import Configurator
from pyramid.events import NewRequest
from pyramid.request import Request
from pyramid.response import Response

from ..db.outcome import NOT_BEGUN, Outcome
from .current import recorded_in
from .diagnosis import diagnose
from .events import ANSWER, ERROR, Event
from .record import Record
from .stock import Ending, describe_outcome, name_failure
from .transaction_events import Synchronizer
from .values import show_error

RECORD_KEY = f"{__name__}.record"
SYNCHRONIZER_KEY = f"{__name__}.synchronizer"

Handler = Callable[[Request], Response]


def includeme(config: Configurator) -> None:
    """Let records know what the transaction manager of their request does."""
    config.add_subscriber(_watch_transaction, NewRequest)


def record_of(request: Request) -> Record:
    """Return the Record of the client's request, the same for all its attempts."""
    return request.environ.setdefault(RECORD_KEY, Record(request.method, request.path_info))


def record(handler: Handler) -> Handler:
    """Return `handler`, a tween or what a panel wraps, which records each attempt of a request."""

    def recording_handler(request: Request) -> Response:
        made = record_of(request)
        made.begin_attempt(request.environ.get("retry.attempt", 0) + 1, request.environ.get("retry.attempts", 1))
        request.environ[SYNCHRONIZER_KEY] = synchronizer = Synchronizer(made)
        # Until the callbacks of the request have ended, which may use the Session, too.
        stack = contextlib.ExitStack()
        stack.enter_context(recorded_in(made))
        ending = Ending()
        try:
            response = handler(request)
            ending = Ending(response.status_int, response.headers.get("X-Tm", ""), request.exception)
            request.add_response_callback(partial(_record_body, finish=partial(_finish, request, made, ending)))
            return response
        except Exception as error:
            ending.error = error
            raise
        finally:
            ending.result, ending.has_begun = synchronizer.result, synchronizer.has_begun
            ending.is_doomed = synchronizer.is_doomed
            _end_attempt(request, made, ending)
            stack.callback(_finish, request, made, ending)
            request.add_finished_callback(lambda _request: stack.close())

    return recording_handler


def _watch_transaction(event: NewRequest) -> None:
    # Not earlier: a transaction manager may depend on what a tween notes of its request before.
    synchronizer = event.request.environ.get(SYNCHRONIZER_KEY)
    if synchronizer is not None and hasattr(event.request, "tm"):
        event.request.tm.registerSynch(synchronizer)


def _end_attempt(request: Request, made: Record, ending: Ending) -> None:
    attempt = made.attempt
    if ending.error is not None:
        attempt.error = name_failure(ending.error)
        made.add(Event(ERROR, show_error(ending.error)))
    if ending.status is not None:
        made.add(Event(ANSWER, str(ending.status)))
    attempt.status, attempt.ended_ms = ending.status, made.elapsed_ms
    made.request_id = str(getattr(request, "id", ""))
    outcome = _outcome_of(request, ending)
    made.kind, made.sentence = describe_outcome(made, ending) if outcome is None else (outcome.kind, outcome.sentence)


def _finish(request: Request, made: Record, ending: Ending) -> None:
    made.diagnoses = diagnose(made, ending) if _outcome_of(request, ending) is None else ()
    if not made.is_sending:
        # The debug toolbar keeps the records of many requests: they should keep no connection and no Session alive.
        made.pending.clear()


def _outcome_of(request: Request, ending: Ending) -> Outcome | None:
    outcome = getattr(request, "outcome", None)
    # Without its tween, it notes nothing of a transaction that has begun.
    if isinstance(outcome, Outcome) and (outcome.kind != NOT_BEGUN or not ending.has_begun):
        return outcome
    return None


def _record_body(request: Request, response: Response, finish: Callable[[], None]) -> None:
    if isinstance(response.app_iter, list | tuple):
        return
    # WebOb forgets the length with the old body.
    length = response.content_length
    response.app_iter = RecordedBody(response.app_iter, record_of(request), finish)
    response.content_length = length


class RecordedBody:
    """The body of a response, which may read rows while it is sent, and write after that."""

    def __init__(self, body: Iterable[bytes], made: Record, finish: Callable[[], None]) -> None:
        """Take the body, the record of its request, and what to call when it was sent."""
        self.body, self.record, self.finish = body, made, finish
        made.is_sending = True

    def __iter__(self) -> Iterator[bytes]:
        """Yield the parts of the body."""
        parts: Any = iter(self.body)
        while True:
            with recorded_in(self.record):
                part = next(parts, None)
            if part is None:
                return
            yield part

    def close(self) -> None:
        """Close the body, and end the record."""
        try:
            if hasattr(self.body, "close"):
                with recorded_in(self.record):
                    self.body.close()
        finally:
            self.record.is_sending = False
            self.finish()
