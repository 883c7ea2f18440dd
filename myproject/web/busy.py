"""Long work that keeps others from saving, for the error page of those who wait.

A feature with such work registers a function that describes it, `config.add_long_work(describe)`. It is called when the
database has refused a lock, so it uses no database.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from pyramid.config import Configurator
from pyramid.i18n import TranslationString
from pyramid.registry import Registry

from .i18n import _

WORK_KEY = "myproject.web.busy.long_work"


@dataclass(frozen=True)
class LongWork:
    """What is being done, for a page; `seconds_left` is an estimate, or `None` while there is none."""

    title: TranslationString
    sentence: TranslationString
    seconds_left: float | None


Describe = Callable[[], LongWork | None]


def includeme(config: Configurator) -> None:
    """Add `config.add_long_work(describe)`, and let nobody wait in vain for the end of such work (db/retry.py)."""
    registry = config.registry
    registry[WORK_KEY] = []
    config.add_directive("add_long_work", add_long_work)

    def seconds_until_lock() -> float:
        work = find_long_work(registry)
        return (work and work.seconds_left) or 0

    registry["seconds_until_lock"] = seconds_until_lock


def add_long_work(config: Configurator, describe: Describe) -> None:
    """Let `describe()` say whether long work is being done."""
    config.registry[WORK_KEY].append(describe)


def find_long_work(registry: Registry) -> LongWork | None:
    """Return the long work that is being done now, if any."""
    return next(filter(None, (describe() for describe in registry[WORK_KEY])), None)


def time_left(seconds: float | None) -> TranslationString | None:
    """Return in words how long something still takes."""
    if seconds is None:
        return None
    if seconds <= 1:
        return _("about a second")
    if seconds <= 90:
        rounded = math.ceil(seconds) if seconds < 20 else math.ceil(seconds / 10) * 10
        return _("about ${count} seconds", mapping={"count": rounded})
    return _("about ${count} minutes", mapping={"count": math.ceil(seconds / 60)})
