"""What waits for the end of the request's transaction: work after its commit, and records that survive its abort."""

import logging

import transaction
from pyramid.tweens import EXCVIEW
from pyramid_retry import IRetryableError, is_error_retryable

from .retry import ATTEMPTS, pause
from .session import get_tm_session

log = logging.getLogger(__name__)

APART = "myproject.apart"


def includeme(config):
    """Add `request.after_commit` and `request.apart`."""
    config.add_request_method(after_commit)
    config.add_request_method(apart)
    # Around the exception views, which may put something apart too.
    config.add_tween(f"{__name__}.apart_tween_factory", over=EXCVIEW)


def after_commit(request, function, *args, **kwargs):
    """Call `function(*args, **kwargs)` once the request's transaction has committed; not at all where it aborts.

    For what cannot be undone, such as mail: a request that is tried again calls it once. The answer is not sent yet,
    so it delays the person, and it may still change `request.session`. The request's Session has been closed: a write
    goes through `request.apart`. An error in it is logged; it cannot undo the commit.
    """
    request.tm.get().addAfterCommitHook(lambda committed: function(*args, **kwargs) if committed else None)


def apart(request, write):
    """Call `write(dbsession)` in a short transaction of its own after the request's, whether that commits or aborts.

    For what must be kept of a request that is refused: a failed sign-in, a denial. It runs once however often the
    request is tried, before the answer is sent, and waits until then since on SQLite the request itself may hold the
    one lock for writing; where the request has come to its end already, as in a response callback, it runs at once.
    An error in it is logged and does not change the answer.
    """
    if APART in request.environ:
        request.environ[APART].append(write)
    else:
        _write_apart(request.registry["dbsession_factory"], write)


def apart_tween_factory(handler, registry):
    """Run what the last attempt of a request put `apart`, after its transaction."""

    def apart_tween(request):
        request.environ[APART] = []
        error = None
        try:
            response = handler(request)
            error = request.exception  # of which an exception view has made the response
            return response
        except Exception as raised:
            error = raised
            raise
        finally:
            writes = request.environ.pop(APART)
            if error is None or not is_error_retryable(request, error):
                for write in writes:
                    _write_apart(registry["dbsession_factory"], write)

    return apart_tween


def _write_apart(factory, write):
    for attempt in range(ATTEMPTS):
        tm = transaction.TransactionManager(explicit=True)
        try:
            with tm:
                write(get_tm_session(factory, tm))
            return
        except Exception as error:
            if attempt == ATTEMPTS - 1 or not IRetryableError.providedBy(error):
                log.exception("what was to be written apart from the request was not")
                return
        pause(attempt)
