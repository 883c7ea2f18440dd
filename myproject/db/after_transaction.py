"""What waits for the end of the request's transaction: work after its commit, and records that survive its abort."""

import logging

import transaction
from pyramid.tweens import EXCVIEW
from pyramid_retry import IRetryableError, is_error_retryable

from .retry import ATTEMPTS, pause
from .session import get_tm_session

log = logging.getLogger(__name__)

IN_OWN_TRANSACTION = "myproject.in_own_transaction"


def includeme(config):
    """Add `request.after_commit` and `request.in_own_transaction`."""
    config.add_request_method(after_commit)
    config.add_request_method(in_own_transaction)
    # Around the exception views, which may write in a transaction of their own too.
    config.add_tween(f"{__name__}.own_transactions_tween_factory", over=EXCVIEW)


def after_commit(request, function, *args, **kwargs):
    """Call `function(*args, **kwargs)` once the request's transaction has committed; not at all where it aborts.

    For what cannot be undone, such as mail: a request that is tried again calls it once. The answer is not sent yet,
    so it delays the person, and it may still change `request.session`. The request's Session has been closed: a write
    goes through `request.in_own_transaction`. An error in it is logged; it cannot undo the commit.
    """
    request.tm.get().addAfterCommitHook(lambda committed: function(*args, **kwargs) if committed else None)


def in_own_transaction(request, write):
    """Call `write(dbsession)` in a short transaction of its own after the request's, whether that commits or aborts.

    For what must be kept of a request that is refused: a failed sign-in, a denial. It runs once however often the
    request is tried, before the answer is sent, and waits until then since on SQLite the request itself may hold the
    one lock for writing; where the request has come to its end already, as in a response callback, it runs at once.
    An error in it is logged and does not change the answer.
    """
    if IN_OWN_TRANSACTION in request.environ:
        request.environ[IN_OWN_TRANSACTION].append(write)
    else:
        _write_in_own_transaction(request.registry["dbsession_factory"], write)


def own_transactions_tween_factory(handler, registry):
    """Run what the last attempt of a request put off by `in_own_transaction`, after its transaction."""

    def own_transactions_tween(request):
        request.environ[IN_OWN_TRANSACTION] = []
        error = None
        try:
            response = handler(request)
            error = request.exception  # of which an exception view has made the response
            return response
        except Exception as raised:
            error = raised
            raise
        finally:
            writes = request.environ.pop(IN_OWN_TRANSACTION)
            if error is None or not is_error_retryable(request, error):
                for write in writes:
                    _write_in_own_transaction(registry["dbsession_factory"], write)

    return own_transactions_tween


def _write_in_own_transaction(factory, write):
    for attempt in range(ATTEMPTS):
        tm = transaction.TransactionManager(explicit=True)
        try:
            with tm:
                write(get_tm_session(factory, tm))
            return
        except Exception as error:
            if attempt == ATTEMPTS - 1 or not IRetryableError.providedBy(error):
                log.exception("what was to be written in a transaction of its own was not")
                return
        pause(attempt)
