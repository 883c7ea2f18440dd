"""Paths of this site, also where it is mounted below a prefix such as `/staff` (`SCRIPT_NAME`)."""

import re
from urllib.parse import quote

from pyramid.config import Configurator

from .request import Request

# As many characters as the headers of a request may have: no longer address can be visited.
MAX_PATH_LENGTH = 8192
# One path in printable ASCII. To a browser, `//evil.example` and `/\evil.example` are other hosts.
LOCAL_PATH = re.compile(r"/(?![/\\])[!-~]*")
# Browsers read `\` as `/` and resolve `..`, also written `%2e%2e`: such a path may leave the prefix.
DOT_SEGMENT = re.compile(r"[/\\](\.|%2e){1,2}([/\\]|$)", re.IGNORECASE)


def includeme(config: Configurator) -> None:
    """Add `request.path_here`."""
    config.add_request_method(path_here, property=True)


def path_here(request: Request) -> str:
    """Return the path and query of this page, prefix included, also if they are not valid UTF-8."""
    path = root_of(request) + quote(request.environ["PATH_INFO"].encode("latin-1"))
    query = request.environ.get("QUERY_STRING", "")
    return f"{path}?{query}" if query else path


def is_own_path(request: Request, path: str) -> bool:
    """Return whether `path`, as an address has it, is a page of this site: on this host and below its prefix."""
    if len(path) > MAX_PATH_LENGTH or not LOCAL_PATH.fullmatch(path):
        return False
    bare, root = re.split("[?#]", path, maxsplit=1)[0], root_of(request)
    is_below = bare == root or bare.startswith(f"{root}/")
    return is_below and not (root and DOT_SEGMENT.search(bare))


def without_query(path: str) -> str:
    """Return the path before its query."""
    return path.partition("?")[0]


def root_of(request: Request) -> str:
    """Return the prefix that this site is mounted below, empty if it has the host for itself."""
    return quote(request.environ.get("SCRIPT_NAME", "").encode("latin-1"))
