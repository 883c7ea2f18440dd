"""What `pshell INI` starts with: `dbsession`, `tm` and the models."""

from transaction import TransactionManager

from .. import models
from ..db import get_tm_session
from ..db.session import join


def setup(env):
    """Begin a transaction and put the names at hand; what was not committed at the end is aborted."""
    # The request's own manager commits only what has been answered.
    tm = env["request"].tm = TransactionManager(explicit=True)
    tm.begin()
    dbsession = get_tm_session(env["registry"]["dbsession_factory"], tm)
    again = _JoinAgain(dbsession, tm)
    tm.registerSynch(again)
    env.update({name: getattr(models, name) for name in models.__all__}, dbsession=dbsession, tm=tm, models=models)
    try:
        yield
    finally:
        # Also after exit(), which reaches this line as an exception.
        if tm._txn is not None:
            tm.abort()


class _JoinAgain:
    """Joins the one session of the shell to each transaction that `tm.begin()` begins."""

    def __init__(self, dbsession, tm):
        self.dbsession, self.tm = dbsession, tm

    def newTransaction(self, transaction):
        join(self.dbsession, self.tm)

    def beforeCompletion(self, transaction):
        """Nothing: the session is joined already."""

    afterCompletion = beforeCompletion
