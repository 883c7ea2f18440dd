"""Which line of the application has led to what happens now."""

import traceback
from pathlib import PurePath

# Packages that work for the application, `db` among them: what called them is of interest.
LIBRARIES = {
    "concurrent",
    "contextlib",
    "jinja2",
    "pyramid",
    "pyramid_debugtoolbar",
    "pyramid_jinja2",
    "pyramid_retry",
    "sqlalchemy",
    "threading",
    "transaction",
    "webob",
    "zope",
}
PACKAGE = __name__.rpartition(".")[0]
OWN_LIBRARIES = (f"{PACKAGE}.", f"{PACKAGE.rpartition('.')[0]}.db.".lstrip("."))
# What called these is a tween, a server or a test, and not the code that works for the request.
OUTSIDE = {"pyramid.router", "pyramid_tm", "pyramid_debugtoolbar.toolbar", f"{PACKAGE}.recording"}


def find_place() -> str:
    """Return the innermost line of the application: "myproject/users/views.py:42"; empty if it is none of its lines."""
    for frame, line in traceback.walk_stack(None):
        module = str(frame.f_globals.get("__name__", ""))
        if module in OUTSIDE:
            return ""
        template = frame.f_globals.get("__jinja_template__")
        if template is not None:
            return f"{_shorten(frame.f_code.co_filename, '')}:{template.get_corresponding_lineno(line)}"
        if not _is_library(module):
            return f"{_shorten(frame.f_code.co_filename, module)}:{line}"
    return ""


def _is_library(module: str) -> bool:
    return module.partition(".")[0] in LIBRARIES or f"{module}.".startswith(OWN_LIBRARIES)


def _shorten(path: str, module: str) -> str:
    # The path from the package on; for other files, the file and its folder.
    parts, package = PurePath(path).parts, module.partition(".")[0]
    if "." in module and package in parts:
        first = len(parts) - 1 - parts[::-1].index(package)
        return "/".join(parts[first:])
    return "/".join(parts[-2:])
