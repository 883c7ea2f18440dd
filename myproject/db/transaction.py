"""One request is one transaction: begun before the view, ended by what the view answered."""

from pyramid.tweens import EXCVIEW
from sqlalchemy.exc import InvalidRequestError
from transaction import TransactionManager
from transaction._transaction import Status


def includeme(config):
    """Add `request.tm`, and the tween that begins its transaction and commits or aborts it."""
    config.add_settings({"tm.manager_hook": RequestTransactionManager, "tm.commit_veto": commit_veto})
    config.include("pyramid_tm")
    # pyramid_tm puts itself around the exception views. Here it stands inside them: whatever is raised aborts, and
    # an error page is made after the transaction has ended, without the database, the doomed rows or the lock.
    config.add_tween("pyramid_tm.tm_tween_factory", under=EXCVIEW)


class RequestTransactionManager(TransactionManager):
    """The manager of one request's one transaction."""

    def __init__(self, request):
        super().__init__(explicit=True)
        self.is_answered = False

    def commit(self):
        """Commit once there is an answer. Raises `InvalidRequestError` before: the answer may yet be a no."""
        if not self.is_answered:
            raise InvalidRequestError("Leave the commit to the request: it comes after the answer, and depends on it.")
        try:
            super().commit()
        except BaseException:
            # A hook that fails before the commit itself leaves the transaction open, and its connection taken.
            if self.get().status != Status.COMMITFAILED:
                self.abort()
            raise


def commit_veto(request, response):
    """Return whether to abort although the view has answered: after an error, raised and caught or returned.

    A response that says `X-Tm: commit` is committed whatever its status, one that says anything else there is not.
    """
    request.tm.is_answered = True
    if request.exception is not None:
        return True
    if "X-Tm" in response.headers:
        return response.headers["X-Tm"].lower() != "commit"
    return not 200 <= response.status_int < 400
