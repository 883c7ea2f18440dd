"""What `pshell INI` starts with: `dbsession`, `tm` and the models."""

import contextlib
from collections.abc import Iterator
from typing import Any

from transaction.interfaces import NoTransaction

from .. import models


def setup(env: dict[str, Any]) -> Iterator[None]:
    """Begin a transaction and add the names to `env`; at the end, abort what was not committed."""
    request = env["request"]
    tm = request.tm
    tm.begin()
    env.update({name: getattr(models, name) for name in models.__all__})
    env.update(dbsession=request.dbsession, tm=tm, models=models)
    try:
        yield
    finally:
        # exit() reaches this line too, as an exception.
        with contextlib.suppress(NoTransaction):
            tm.abort()
