"""The order of the tweens: a request meets them from top to bottom, its answer from bottom to top."""

from pyramid.config import Configurator
from pyramid.tweens import EXCVIEW, INGRESS, MAIN

ORDER = [
    # Measures all the others.
    "myproject.web.access.access_tween_factory",
    "myproject.web.errors.refuse_undecodable_path",
    # Adds itself, in development. Its own pages would not work with the headers of the next tween.
    "pyramid_debugtoolbar.toolbar_tween_factory",
    "myproject.web.headers.headers_tween_factory",
    # `myproject.db` adds its own tweens, in this order, in any application.
    "myproject.db.after_transaction.own_transactions_tween_factory",
    # The exception views, which make error pages. The transaction is inside, so it has ended by then.
    EXCVIEW,
    "myproject.web.limits.refuse_other_hosts",
    "myproject.db.outcome.outcome_tween_factory",
    "myproject.db.retry.attempt_tween_factory",
    "pyramid_tm.tm_tween_factory",
    "myproject.web.flash.flash_tween_factory",
    "myproject.web.lost.lost_changes_tween_factory",
    "myproject.web.receipts.deleted_already_tween_factory",
]


def includeme(config: Configurator) -> None:
    """Add the tweens of `myproject.web`, each at its place in `ORDER`."""
    for position, name in enumerate(ORDER):
        if name.startswith("myproject.web."):
            config.add_tween(name, under=[*ORDER[:position], INGRESS], over=[*ORDER[position + 1 :], MAIN])
