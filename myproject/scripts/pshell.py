"""What `pshell INI` starts with: `dbsession`, `tm` and the models."""

import contextlib
from collections.abc import Iterator
from typing import Any

from sqlalchemy.orm import Session
from transaction import TransactionManager
from transaction.interfaces import NoTransaction

from .. import models
from ..db import get_tm_session
from ..db.session import join_transaction


def setup(env: dict[str, Any]) -> Iterator[None]:
    """Begin a transaction and add the names to `env`; at the end, abort what was not committed."""
    # Not the request's own manager, which commits only after an answer.
    tm = env["request"].tm = TransactionManager(explicit=True)
    tm.begin()
    dbsession = get_tm_session(env["registry"]["dbsession_factory"], tm)
    # The manager has only a weak reference to it.
    join_again = JoinAgain(dbsession, tm)
    tm.registerSynch(join_again)
    env.update({name: getattr(models, name) for name in models.__all__}, dbsession=dbsession, tm=tm, models=models)
    try:
        yield
    finally:
        # exit() reaches this line too, as an exception.
        with contextlib.suppress(NoTransaction):
            tm.abort()


class JoinAgain:
    """Joins the shell's only Session to each transaction that `tm.begin()` begins."""

    def __init__(self, dbsession: Session, tm: TransactionManager) -> None:
        """Take the Session and the manager of its transactions."""
        self.dbsession, self.tm = dbsession, tm

    def newTransaction(self, transaction: Any) -> None:
        """Join the Session to the new transaction."""
        join_transaction(self.dbsession, self.tm)

    def beforeCompletion(self, transaction: Any) -> None:
        """Do nothing: the Session has joined already."""

    afterCompletion = beforeCompletion
