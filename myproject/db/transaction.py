"""One request is one transaction: begun before the view, ended by what the view answered."""

from pyramid.tweens import EXCVIEW
from pyramid_tm import explicit_manager


def includeme(config):
    """Add `request.tm`, and the tween that begins its transaction and commits or aborts it."""
    config.add_settings({"tm.manager_hook": explicit_manager, "tm.commit_veto": commit_veto})
    config.include("pyramid_tm")
    # pyramid_tm puts itself around the exception views. Here it stands inside them: whatever is raised aborts, and
    # an error page is made after the transaction has ended, without the database, the doomed rows or the lock.
    config.add_tween("pyramid_tm.tm_tween_factory", under=EXCVIEW)


def commit_veto(request, response):
    """Return whether to abort although the view has answered: after an error, raised and caught or returned.

    A response that says `X-Tm: commit` is committed whatever its status, one that says anything else there is not.
    """
    if request.exception is not None:
        return True
    if "X-Tm" in response.headers:
        return response.headers["X-Tm"].lower() != "commit"
    return not 200 <= response.status_int < 400
