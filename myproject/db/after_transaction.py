"""Work that waits for the end of the request's transaction: after its commit, or however it ends."""

import contextvars
import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from threading import BoundedSemaphore
from typing import Any

import transaction
from pyramid.config import Configurator
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response
from pyramid.tweens import EXCVIEW
from pyramid_retry import IRetryableError, is_error_retryable
from sqlalchemy.orm import Session, sessionmaker

from .failure import IDatabaseUnavailable, describe_failure
from .retry import DEFAULT_ATTEMPTS, pause
from .session import get_tm_session

log = logging.getLogger(__name__)

WRITES_KEY = "myproject.in_own_transaction"
LONGEST_ANSWER_DELAY_SECONDS = 0.5
LONGEST_QUEUE = 1000

Write = Callable[[Session], Any]


def includeme(config: Configurator) -> None:
    """Add `request.after_commit` and `request.in_own_transaction`."""
    config.registry["own_transactions"] = OwnTransactions()
    config.add_request_method(after_commit)
    config.add_request_method(in_own_transaction)
    # Around the exception views, which may ask for a write in its own transaction too.
    config.add_tween(f"{__name__}.own_transactions_tween_factory", over=EXCVIEW)


def after_commit(request: Request, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Call `function(*args, **kwargs)` after the request's transaction has committed; never if it aborts.

    For what cannot be undone, such as mail: a request that is tried again calls it once. It runs before the answer is
    sent, so it delays the answer, and it may still change `request.session`. The request's Session is closed by then:
    write through `request.in_own_transaction`. An error in it is logged; it cannot undo the commit.
    """
    request.tm.get().addAfterCommitHook(_call_if_committed, [function, *args], kwargs)


def _call_if_committed(committed: bool, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
    if committed:
        function(*args, **kwargs)


def in_own_transaction(request: Request, write: Write) -> None:
    """Call `write(dbsession)` in a short transaction of its own after the request's, whether that commits or aborts.

    For what must be kept of a request that is refused, such as a failed sign-in. It runs once, after the last attempt
    of the request and before the answer is sent. It cannot run earlier: on SQLite the request itself may hold the write
    lock. If the request's transaction has ended already, as in a response callback, it runs at once. An error in it is
    logged and does not change the answer.

    It runs in another thread, because somebody may hold a lock for long. All writes of a request together delay its
    answer by at most `LONGEST_ANSWER_DELAY_SECONDS`. A process that exits finishes such writes first; one that is
    killed loses them. A script, which has no answer, runs it at once.
    """
    if WRITES_KEY in request.environ:
        request.environ[WRITES_KEY].append(write)
    else:
        _run(request.registry, [write])


def own_transactions_tween_factory(
    handler: Callable[[Request], Response], registry: Registry
) -> Callable[[Request], Response]:
    """Run the writes that the last attempt of a request gave to `in_own_transaction`, after its transaction."""

    def own_transactions_tween(request: Request) -> Response:
        request.environ[WRITES_KEY] = []
        error = None
        try:
            response = handler(request)
            error = request.exception  # Set if an exception view has made the response.
            return response
        except Exception as raised:
            error = raised
            raise
        finally:
            writes = request.environ.pop(WRITES_KEY)
            if error is None or not is_error_retryable(request, error):
                _run(registry, writes)

    return own_transactions_tween


def _run(registry: Registry, writes: Sequence[Write]) -> None:
    registry["own_transactions"].run(registry["dbsession_factory"], writes)


class OwnTransactions:
    """Runs writes in one thread, one after the other, so that an answer need not wait until a lock is free."""

    def __init__(self, longest_queue: int = LONGEST_QUEUE) -> None:
        """Start without writes, and without the thread: a process that forks would lose it."""
        self.thread = ThreadPoolExecutor(1, "own_transactions")
        self.longest_queue = longest_queue
        self.free = BoundedSemaphore(longest_queue)

    def run(self, factory: sessionmaker[Session], writes: Iterable[Write]) -> None:
        """Call each of `writes` in its transaction; return when all have ended, or after the longest delay."""
        futures = []
        for write in writes:
            if not self.free.acquire(blocking=False):
                log.error("a write in its own transaction was dropped: %s others are waiting", self.longest_queue)
                continue
            # In the context of the request, by which others know whose write it is.
            context = contextvars.copy_context()
            future = self.thread.submit(context.run, _write_in_own_transaction, factory, write)
            future.add_done_callback(lambda _: self.free.release())
            futures.append(future)
        wait(futures, LONGEST_ANSWER_DELAY_SECONDS)


def _write_in_own_transaction(factory: sessionmaker[Session], write: Write) -> None:
    for attempt in range(DEFAULT_ATTEMPTS):
        tm = transaction.TransactionManager(explicit=True)
        try:
            with tm:
                write(get_tm_session(factory, tm))
            return
        except Exception as error:
            if attempt == DEFAULT_ATTEMPTS - 1 or not IRetryableError.providedBy(error):
                _log_failure(error)
                return
        pause(attempt)


def _log_failure(error: Exception) -> None:
    if IDatabaseUnavailable.providedBy(error):
        log.error("a write in its own transaction failed: the database is unavailable: %s", describe_failure(error))
    else:
        log.error("a write in its own transaction failed", exc_info=error)
