"""Checks of files: who can read the database, the file with the settings if it contains a secret, and the imports."""

import os
import stat
from collections.abc import Iterator

from sqlalchemy import make_url

from ..readiness import OK, WARNING, WRONG, Finding
from ..settings import SettingsError, file_of, refuse_open_spool
from .site import Site


def user(site: Site) -> Iterator[Finding]:
    """Check that the rights that were looked at are those of the server."""
    if os.getuid() == 0:
        yield Finding("user", WARNING, "this is root, who may do everything; run the check as the user of the server")


def ini_file(site: Site) -> Iterator[Finding]:
    """Check that not everybody can read a secret in the ini file."""
    secrets = [name for name in ("myproject.secret",) if site.written.get(name)]
    for name in ("sqlalchemy.url", "reading.url"):
        if make_url(site.written.get(name) or "sqlite://").password:
            secrets.append(name)
    if not secrets:
        yield Finding("ini file", OK, "it contains no secret")
    elif is_open(site.path):
        yield Finding("ini file", WRONG, f"everybody can read {' and '.join(secrets)}; run `chmod o-rwx {site.path}`")
    else:
        yield Finding("ini file", OK, "it contains a secret, and others cannot read it")


def database_file(site: Site) -> Iterator[Finding]:
    """Check that not everybody can read the database."""
    path = file_of(site.settings["sqlalchemy.url"])
    if path is not None and path.exists():
        if is_open(path):
            yield Finding("database file", WRONG, f"everybody can read it; run `chmod o-rwx {path}`")
        else:
            yield Finding("database file", OK, "others cannot read it")


def spool(site: Site) -> Iterator[Finding]:
    """Check that the server starts with this folder of imports; a running one goes on without."""
    try:
        refuse_open_spool(site.settings["spool.folder"])
    except SettingsError as error:
        yield Finding("settings", WRONG, f"{error}; the server does not start")


def is_open(path: os.PathLike[str]) -> bool:
    """Return whether everybody may read or write a file."""
    return bool(os.stat(path).st_mode & (stat.S_IROTH | stat.S_IWOTH))


CHECKS = (user, ini_file, database_file, spool)
