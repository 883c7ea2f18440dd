"""Pages: templates, what they can call, and the static files beside them."""

import hashlib
from functools import lru_cache, partial
from pathlib import Path
from types import BuiltinMethodType, MethodType
from urllib.parse import quote

from jinja2 import pass_context
from jinja2.ext import Extension
from jinja2.lexer import Token
from jinja2.runtime import Context
from markupsafe import Markup, escape
from pyramid.request import Request
from pyramid.security import NO_PERMISSION_REQUIRED
from pyramid.static import QueryStringConstantCacheBuster
from pyramid_jinja2 import IJinja2Environment

from . import i18n

STATIC = Path(__file__).parents[1] / "static"
YEAR = 365 * 24 * 60 * 60
# What stands between the texts of a column that are `in_one`: no browser shows it.
BETWEEN = "\0"
# Such functions of ours take no context.
PLAIN = (MethodType, BuiltinMethodType, partial)


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
                "for_each": for_each,
            },
            "jinja2.globals": {"_": message, "ngettext": messages},
        }
    )
    config.include("pyramid_jinja2")
    config.add_renderer(".jinja2", renderer)
    for_all = {"permission": NO_PERMISSION_REQUIRED, "request_method": ("GET", "HEAD")}
    config.add_static_view("static", "myproject:static", cache_max_age=YEAR, **for_all)
    config.add_cache_buster("myproject:static", QueryStringConstantCacheBuster(fingerprint(STATIC)))
    config.add_request_method(path_here, property=True)
    config.add_request_method(lambda request: i18n.LANGUAGES, "languages", property=True)


def renderer(info):
    """Return what renders the template `info.name`.

    That of pyramid_jinja2 would first look for it beside its view, on the disk, again for each page.
    """

    def render(value, system):
        environment = environment_for(system["request"])
        usual = environment.linked_to.globals
        pieces = environment.get_template(info.name).generate({**usual, **system, **value})
        # One arrow makes two or four bytes of each character of a text, and ten times the work to encode it.
        return b"".join(map(str.encode, pieces))

    return render


def environment_for(request):
    """Return the environment of Jinja whose templates are compiled for the language and the root of a request.

    The texts, the paths of routes without variables and those of static files are the same on all its pages: Jinja
    works them out when it compiles.
    """
    environments = request.registry.setdefault("environments", {})
    key = request.localizer, request.environ.get("SCRIPT_NAME", "")
    if key not in environments:
        environments[key] = _environment(request.registry, *key)
    return environments[key]


def _environment(registry, localizer, script_name):
    root = Request.blank("/", {"SCRIPT_NAME": script_name})
    root.registry = registry
    usual = registry.getUtility(IJinja2Environment, name=".jinja2")
    environment = usual.overlay(extensions=[MessagesWhenCompiled], bytecode_cache=None)
    # `renderer` gives them to each page: Jinja would look each of them up anew, and not copy them at once.
    environment.globals = {}
    environment.context_class = PlainCalls
    if not usual.auto_reload:
        # Jinja would look into its own cache, by weak references.
        environment.get_template = lru_cache(environment.get_template)
    environment.filters = {
        **usual.filters,
        "message": lambda text: _pattern(localizer, text) % {},
        "path": root.route_path,
        "static": lambda name: root.static_path(f"myproject:static/{name}"),
    }
    return environment


class PlainCalls(Context):
    """Calls what a template calls, and looks for a mark that it takes the context only where there may be one.

    Jinja looks twice each time; where there is none, as on any method, that takes as long as to escape ten names.
    """

    def call(self, function, /, *args, _block_vars=None, _loop_vars=None, **kwargs):
        """Return `function(*args, **kwargs)`."""
        if isinstance(function, PLAIN):
            return function(*args, **kwargs)
        return super().call(function, *args, _block_vars=_block_vars, _loop_vars=_loop_vars, **kwargs)


class MessagesWhenCompiled(Extension):
    """Makes a filter of `_("text")`: Jinja works out what is constant when it compiles, and not again for each page."""

    def filter_stream(self, stream):
        """Yield the tokens of `stream`, with `("text" | message)` for `_("text")`."""
        tokens = list(stream)
        for at, token in enumerate(tokens):
            if not _is_message(tokens[at : at + 4]):
                yield token
            if _is_message(tokens[at - 2 : at + 2]):
                yield Token(token.lineno, "pipe", "|")
                yield Token(token.lineno, "name", "message")


def _is_message(tokens):
    kinds = [token.type for token in tokens]
    return kinds == ["name", "lparen", "string", "rparen"] and tokens[0].value == "_"


def fingerprint(folder):
    """Return a short text that changes when a file in `folder` does, so that browsers may keep the files for long."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def path_here(request):
    """Return the path and query of this page as the address has them, also where they are not valid UTF-8."""
    path = quote(request.environ["PATH_INFO"].encode("latin-1"))
    query = request.environ.get("QUERY_STRING", "")
    return f"{path}?{query}" if query else path


@pass_context
def message(context, text, /, **values):
    """Return `text`, a message, in the request's language, as HTML; its `%(name)s` stand for the `values`, escaped."""
    return _pattern(context["request"].localizer, text) % values


@pass_context
def messages(context, singular, plural, number, /, **values):
    """Return what `message` does, of two forms of it the one for `number`, or one of as many as the language has."""
    pattern = context["request"].localizer.pluralize(singular, plural, number, domain="myproject")
    # Of our own templates and catalogues.
    return Markup(pattern) % values  # nosec B704


def isolate(text):
    """Return `text` as HTML that may stand within a sentence: a right-to-left name leaves the words around it alone."""
    return Markup("<bdi>{}</bdi>").format(text)


def in_one(texts):
    """Return the `texts` of a column as one, for what is done to all of them at once: one by one takes far longer."""
    whole = BETWEEN.join(texts)
    return whole if whole.count(BETWEEN) < len(texts) else BETWEEN.join([text.replace(BETWEEN, "") for text in texts])


def breakable(emails):
    """Return email addresses, texts or a column of HTML, as one of HTML in which each breaks after the @ if it must."""
    html = emails if type(emails) is Markup else escape(in_one(emails))
    # Of an escaped text.
    return Markup(str.replace(html, "@", "@<wbr>"))  # nosec B704


def for_each(pattern, columns):
    """Return `pattern`, HTML with a `{}` for each cell of a row, once for each row of `columns`.

    A column is a list of numbers, texts, which are escaped, and HTML; or the HTML of all of it, `in_one`. Jinja takes
    six times as long: it escapes what all rows have in common for each, and yields piece by piece.
    """
    row = str(pattern).replace("%", "%%").replace("{}", "%s")
    # Of escaped parts.
    return Markup("".join([row % cells for cells in zip(*map(_escaped, columns), strict=True)]))  # nosec B704


def _escaped(column):
    if type(column) is Markup:
        return str.split(column, BETWEEN)
    kinds = set(map(type, column))
    if kinds <= {int, Markup}:
        return column
    return str.split(escape(in_one(column)), BETWEEN) if kinds == {str} else map(escape, column)


def _in_language_of_request(function):
    @pass_context
    def render(context, value):
        return function(context["request"], value)

    return render


def _pattern(localizer, text):
    translated = localizer.translate(text, domain="myproject")
    # Of our own templates and catalogues.
    return Markup(translated)  # nosec B704
