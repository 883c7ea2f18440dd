"""Gives each request one Session and one transaction; `config.include("myproject.db")` is all it takes.

A request meets the files in this order:

    transaction.py  begins the request's transaction, and commits or aborts it by the answer
    session.py      makes `request.dbsession`, joined to that transaction
    engine.py       what each database needs in order to keep its word
    retry.py        runs a request again when the database says that it only came at a bad moment

and, for the models, base.py: `Base`, and the type of a moment in time.
"""

from .base import Base, UTCDateTime
from .engine import get_engine
from .lookup import get_or_404
from .session import get_session_factory, get_tm_session

__all__ = [
    "Base",
    "UTCDateTime",
    "get_engine",
    "get_or_404",
    "get_session_factory",
    "get_tm_session",
]


def includeme(config):
    """Add `request.tm` and `request.dbsession`, on the database that the setting `sqlalchemy.url` names."""
    config.include(".retry")
    config.include(".transaction")
    config.include(".session")
