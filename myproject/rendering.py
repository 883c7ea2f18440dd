"""Pages: templates, what they can call, and the static files beside them."""

import hashlib
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import pass_context
from markupsafe import Markup, escape
from pyramid.security import NO_PERMISSION_REQUIRED
from pyramid.static import QueryStringConstantCacheBuster
from pyramid_jinja2 import IJinja2Environment

from . import i18n

STATIC = Path(__file__).parent / "static"
YEAR = 365 * 24 * 60 * 60


def includeme(config):
    """Render `*.jinja2` from `templates`, in the request's language, and serve `static`."""
    config.add_settings(
        {
            "jinja2.directories": "myproject:templates",
            "jinja2.i18n.domain": "myproject",
            "jinja2.newstyle": "true",
            "jinja2.undefined": "strict",
            "jinja2.trim_blocks": "true",
            "jinja2.lstrip_blocks": "true",
            "jinja2.filters": {
                "translate": _in_language_of_request(i18n.translate),
                "number": _in_language_of_request(i18n.format_number),
                "date": _in_language_of_request(i18n.format_date),
                "moment": _in_language_of_request(i18n.format_moment),
                "isolate": isolate,
                "breakable": breakable,
                "for_each": for_each,
            },
            "jinja2.globals": {"_": message},
        }
    )
    config.include("pyramid_jinja2")
    config.add_renderer(".jinja2", renderer)
    for_all = {"permission": NO_PERMISSION_REQUIRED, "request_method": ("GET", "HEAD")}
    config.add_static_view("static", "myproject:static", cache_max_age=YEAR, **for_all)
    config.add_cache_buster("myproject:static", QueryStringConstantCacheBuster(fingerprint(STATIC)))
    config.add_request_method(static_file)
    config.add_request_method(path_of)
    config.add_request_method(path_here, property=True)
    config.add_request_method(lambda request: i18n.LANGUAGES, "languages", property=True)


def renderer(info):
    """Return what renders the template `info.name`.

    That of pyramid_jinja2 would first look for it beside its view, on the disk, again for each page.
    """

    def render(value, system):
        environment = info.registry.getUtility(IJinja2Environment, name=".jinja2")
        return environment.get_template(info.name).render({**system, **value}).encode()

    return render


def fingerprint(folder):
    """Return a short text that changes when a file in `folder` does, so that browsers may keep the files for long."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def static_file(request, name):
    """Return the path of the file `name` in `static`; kept, since Pyramid takes 20 µs for each of a page."""
    return _kept(request, ("static", name), lambda: request.static_path(f"myproject:static/{name}"))


def path_of(request, route):
    """Return the path of a `route` without variables; kept like that of a static file, for the ten links of a page."""
    return _kept(request, ("route", route), lambda: request.route_path(route))


def _kept(request, what, make):
    paths = request.registry.setdefault("paths", {})
    key = request.script_name, what
    if key not in paths:
        paths[key] = make()
    return paths[key]


def path_here(request):
    """Return the path and query of this page as the address has them, also where they are not valid UTF-8."""
    path = quote(request.environ["PATH_INFO"].encode("latin-1"))
    query = request.environ.get("QUERY_STRING", "")
    return f"{path}?{query}" if query else path


@pass_context
def message(context, text, /, **values):
    """Return `text`, a message, in the request's language, as HTML; its `%(name)s` stand for the `values`, escaped."""
    localizer = context["request"].localizer
    return _pattern(localizer, text) % values if values else _without_values(localizer, text)


def isolate(text):
    """Return `text` as HTML that may stand within a sentence: a right-to-left name leaves the words around it alone."""
    return Markup("<bdi>{}</bdi>").format(text)


def breakable(email):
    """Return an email address as HTML that breaks, where it must, after the @."""
    # Of an escaped text. Its own `replace` takes five times as long, and a list has many.
    return Markup(str.replace(escape(email), "@", "@<wbr>"))  # nosec B704


def for_each(pattern, rows):
    """Return `pattern`, HTML with a `{}` for each cell of a row, once for each of `rows`, whose cells are escaped.

    Jinja takes four times as long: it escapes what all rows have in common for each, and yields piece by piece.
    """
    first, *after = str(pattern).split("{}")
    html = []
    for row in rows:
        html.append(first)
        for cell, rest in zip(row, after, strict=True):
            # To escape one takes five times as long as to see that it needs it not.
            html.append(cell if type(cell) is Markup else str(cell) if type(cell) is int else escape(cell))
            html.append(rest)
    # Of escaped parts.
    return Markup("".join(html))  # nosec B704


def _in_language_of_request(function):
    @pass_context
    def render(context, value):
        return function(context["request"], value)

    return render


# Jinja's own `_` takes 4 µs each time, and a list has a hundred. A localizer is one language of one application.
@lru_cache(4096)
def _without_values(localizer, text):
    return _pattern(localizer, text) % {}


def _pattern(localizer, text):
    translated = localizer.translate(text, domain="myproject")
    # Of our own templates and catalogues.
    return Markup(translated)  # nosec B704
