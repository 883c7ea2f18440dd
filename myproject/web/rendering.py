"""Pages: Jinja templates in the language of the request, and the static files that they link to."""

import hashlib
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from pyramid.config import Configurator
from pyramid.events import NewResponse
from pyramid.security import NO_PERMISSION_REQUIRED
from pyramid.static import QueryStringConstantCacheBuster

from . import i18n
from .headers import YEAR_SECONDS
from .request import Request
from .rules import DIRECTION_CONTROLS

STATIC_FOLDER = Path(__file__).parents[1] / "static"
# The name that Pyramid gives to the route of the static files, and the parameter of their addresses.
STATIC_ROUTE, FINGERPRINT = "__static/", "x"


def includeme(config: Configurator) -> None:
    """Render `*.jinja2` of `templates` in the request's language, and serve `static`.

    pyramid_jinja2 renders, and translates `_("…")` and `ngettext(…)` in templates by Jinja's i18n extension. With
    newstyle gettext, the values of a text's `%(name)s` are escaped like every other value.
    """
    config.add_settings(
        {
            "jinja2.directories": "myproject:templates",
            "jinja2.i18n.domain": "myproject",
            "jinja2.newstyle": "true",
            "jinja2.undefined": "strict",
            "jinja2.trim_blocks": "true",
            "jinja2.lstrip_blocks": "true",
            "jinja2.filters": {
                "path": "pyramid_jinja2.filters:route_path_filter",
                "static": static_file_path,
                "translate": localized(i18n.translate),
                "number": localized(i18n.format_number),
                "day": localized(i18n.format_day),
                "date": localized(i18n.format_date),
                "moment": localized(i18n.format_moment),
                "isolate": isolate,
                "without_direction_controls": without_direction_controls,
            },
        }
    )
    config.include("pyramid_jinja2")
    for_all = {"permission": NO_PERMISSION_REQUIRED, "request_method": ("GET", "HEAD")}
    files = fingerprint(STATIC_FOLDER)
    config.add_static_view("static", "myproject:static", cache_max_age=YEAR_SECONDS, **for_all)
    config.add_cache_buster("myproject:static", QueryStringConstantCacheBuster(files, FINGERPRINT))
    config.add_subscriber(partial(cache_only_own_files, files=files), NewResponse)


def cache_only_own_files(event: NewResponse, files: str) -> None:
    """Let browsers ask again for a static file whose address has another fingerprint than `files`.

    While several servers are upgraded, the page of a new one may get its style from an old one. A browser would keep
    that for a year under the address of the new style.
    """
    request, response = event.request, event.response
    route = getattr(request, "matched_route", None)
    is_cached = route and route.name == STATIC_ROUTE and "Expires" in response.headers
    if is_cached and request.query_string != f"{FINGERPRINT}={files}":
        del response.headers["Expires"]
        response.headers["Cache-Control"] = "no-cache"


def localized(function: Callable[[Request, Any], str]) -> Callable[[Context, Any], str]:
    """Return `function(request, value)` as a filter of templates, which passes the request."""

    @pass_context
    def apply_filter(context: Context, value: Any) -> str:
        return function(context["request"], value)

    return apply_filter


@pass_context
def static_file_path(context: Context, name: str) -> str:
    """Return the path of the file `name` below `static`, with the fingerprint of all of them."""
    return context["request"].static_path(f"myproject:static/{name}")


def fingerprint(folder: Path) -> str:
    """Return 12 characters that change when a file in `folder` changes, so that browsers may cache the files."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def without_direction_controls(text: str) -> str:
    """Return `text` without the characters that turn text around, for where it cannot be isolated by HTML.

    New texts have none (rules.py), but other programs may have written some.
    """
    return re.sub(f"[{DIRECTION_CONTROLS}]", "", text)


def isolate(text: object) -> Markup:
    """Return `text` as HTML that a sentence may contain: right-to-left text does not reorder the words around it."""
    return Markup("<bdi>{}</bdi>").format(text)
