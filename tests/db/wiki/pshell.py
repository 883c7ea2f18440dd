"""The names in the wiki's shell."""

from . import models


def setup(env):
    """Begin a transaction, and add the names to `env`."""
    request = env["request"]
    request.tm.begin()
    env.update(tm=request.tm, dbsession=request.dbsession, models=models)
