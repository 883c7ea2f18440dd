"""What `check INI` looks at before strangers come: each check is a function of a Site that yields what it finds.

    settings.py  the secret, the host names, what only developers need, what is logged
    server.py    the port, the proxy, the threads, how it stops
    database.py  the report of `/readyz`, the rights of the role, the clock, the connections
    files.py     who can read what

Nothing is written. A check that fails is a finding, too, so that the others are still made.
"""

from collections.abc import Callable, Iterator

from ..readiness import WRONG, Finding
from ..settings import find_wrong_settings
from . import database, files, server, settings
from .site import Site, read_site

CHECKS: tuple[Callable[[Site], Iterator[Finding]], ...] = (
    *settings.CHECKS,
    *server.CHECKS,
    *database.CHECKS,
    *files.CHECKS,
)


def check(ini: str, written: dict[str, str]) -> Iterator[Finding]:
    """Yield what is found out about the site of the file `ini`; `written` are its settings, as they are in the file."""
    refused = find_wrong_settings(written)
    for sentence in refused:
        yield Finding("settings", WRONG, sentence)
    if refused:
        yield Finding("settings", WRONG, "the server does not start, and nothing else can be checked before it does")
        return
    site = read_site(ini, written)
    for each in CHECKS:
        try:
            yield from each(site)
        except Exception as error:
            # Without its message, which may quote a password.
            yield Finding(each.__name__, WRONG, f"this could not be checked: {type(error).__qualname__}")
