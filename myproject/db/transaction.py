"""One request is one transaction: begun before the view, committed or aborted by the view's answer."""

from typing import Any

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response
from pyramid.tweens import EXCVIEW
from sqlalchemy.exc import InvalidRequestError
from transaction import TransactionManager

from .failure import IDatabaseUnavailable
from .retry import STARTED_KEY


def includeme(config: Configurator) -> None:
    """Add `request.tm`, and the tween that begins its transaction and commits or aborts it."""
    config.add_settings({"tm.manager_hook": RequestTransactionManager, "tm.commit_veto": commit_veto})
    config.include("pyramid_tm")
    # pyramid_tm puts itself around the exception views. Here it is inside them: every exception aborts, and an error
    # page is made after the transaction has ended, without the database, the aborted rows or the lock.
    config.add_tween("pyramid_tm.tm_tween_factory", under=EXCVIEW)


def is_of_script(request: Request) -> bool:
    """Return whether a script has made `request`, by `pyramid.paster.bootstrap`, and no client has sent it."""
    # pyramid_retry notes its attempts before a client's request meets the first tween; a subrequest has only ours.
    return not {"retry.attempts", STARTED_KEY} & request.environ.keys()


class RequestTransactionManager(TransactionManager):
    """The manager of one request's only transaction, or of those that a script begins and commits itself."""

    def __init__(self, request: Request) -> None:
        """Take the request, as pyramid_tm's hook does."""
        super().__init__(explicit=True)
        # Nobody waits for the answer to a script's request: the script itself says when to commit.
        self.may_commit = is_of_script(request)
        self.is_completed = False
        self.is_committed = False
        self.is_doomed = False
        self.failed_rollback: Exception | None = None
        # Its own synchronizer, to learn when the transaction completes.
        self.registerSynch(self)

    def commit(self) -> None:
        """Commit once the view has answered. Raises `InvalidRequestError` before: the answer may be an error."""
        if not self.may_commit:
            raise InvalidRequestError("Leave the commit to the request: it comes after the answer, and depends on it.")
        try:
            super().commit()
            self.is_committed = True
        except BaseException:
            # A hook that fails before the commit itself leaves the transaction open, and its connection taken. After
            # a failed commit, pyramid_tm still asks the transaction whether the error can be retried.
            if not self.is_completed:
                self.abort()
            raise

    def abort(self) -> None:
        """Abort. If the connection breaks at the ROLLBACK, set `failed_rollback`, which attempt_tween raises.

        Raised here, pyramid_tm would ask the transaction, which has ended, whether the error can be retried.
        """
        try:
            super().abort()
        except Exception as error:
            if not IDatabaseUnavailable.providedBy(error):
                raise
            self.failed_rollback = error

    def newTransaction(self, transaction: Any) -> None:
        """Remember that a transaction is open."""
        self.is_completed = False

    def beforeCompletion(self, transaction: Any) -> None:
        """Remember whether the view has doomed the transaction, which is still open."""
        self.is_doomed = transaction.isDoomed()

    def afterCompletion(self, transaction: Any) -> None:
        """Remember that the transaction has committed, aborted or failed to commit."""
        self.is_completed = True


def commit_veto(request: Request, response: Response) -> bool:
    """Return whether to abort although the view has answered: after an error, whether raised, caught or returned.

    A response with `X-Tm: commit` is committed whatever its status; one with any other `X-Tm` is aborted.
    """
    request.tm.may_commit = True
    if request.exception is not None:
        return True
    if "X-Tm" in response.headers:
        return response.headers["X-Tm"].lower() != "commit"
    return not 200 <= response.status_int < 400
