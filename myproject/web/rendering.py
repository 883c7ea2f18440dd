"""Pages: Jinja templates in the language of the request, and the static files that they link to."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape
from pyramid.config import Configurator
from pyramid.security import NO_PERMISSION_REQUIRED
from pyramid.static import QueryStringConstantCacheBuster

from . import i18n
from .headers import YEAR_SECONDS
from .request import Request

STATIC_FOLDER = Path(__file__).parents[1] / "static"
# What stands between the texts of a column that are `in_one`: no browser shows it.
BETWEEN = "\0"


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
                "date": localized(i18n.format_date),
                "moment": localized(i18n.format_moment),
                "isolate": isolate,
                "for_each": for_each,
            },
        }
    )
    config.include("pyramid_jinja2")
    for_all = {"permission": NO_PERMISSION_REQUIRED, "request_method": ("GET", "HEAD")}
    config.add_static_view("static", "myproject:static", cache_max_age=YEAR_SECONDS, **for_all)
    config.add_cache_buster("myproject:static", QueryStringConstantCacheBuster(fingerprint(STATIC_FOLDER)))


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


def isolate(text: object) -> Markup:
    """Return `text` as HTML that a sentence may contain: right-to-left text does not reorder the words around it."""
    return Markup("<bdi>{}</bdi>").format(text)


def in_one(texts: Iterable[str]) -> str:
    """Return the `texts` of a column as one, for what is done to all of them at once: one by one takes far longer."""
    texts = list(texts)
    whole = BETWEEN.join(texts)
    return whole if whole.count(BETWEEN) < len(texts) else BETWEEN.join([text.replace(BETWEEN, "") for text in texts])


def breakable(emails: Any) -> Markup:
    """Return email addresses, texts or a column of HTML, as one of HTML in which each breaks after the @ if it must."""
    html = emails if type(emails) is Markup else escape(in_one(emails))
    # Of an escaped text.
    return Markup(str.replace(html, "@", "@<wbr>"))  # nosec B704


def for_each(pattern: Markup, columns: Iterable[Any]) -> Markup:
    """Return `pattern`, HTML with a `{}` for each cell of a row, once for each row of `columns`.

    A column is a list of numbers, texts, which are escaped, and HTML; or the HTML of all of it, `in_one`. Jinja takes
    six times as long: it escapes what all rows have in common for each, and yields piece by piece.
    """
    row = str(pattern).replace("%", "%%").replace("{}", "%s")
    # Of escaped parts.
    return Markup("".join([row % cells for cells in zip(*map(_escaped, columns), strict=True)]))  # nosec B704


def _escaped(column: Any) -> Any:
    if type(column) is Markup:
        return str.split(column, BETWEEN)
    kinds = set(map(type, column))
    if kinds <= {int, Markup}:
        return column
    return str.split(escape(in_one(column)), BETWEEN) if kinds == {str} else map(escape, column)
