"""Languages: which one a request speaks, its texts, its numbers and dates, and the switch between them."""

import re
from functools import lru_cache

import babel.dates
import babel.numbers
from pyramid.httpexceptions import HTTPBadRequest, HTTPSeeOther
from pyramid.i18n import TranslationStringFactory
from pyramid.security import NO_PERMISSION_REQUIRED
from pyramid.view import view_config
from webob.acceptparse import create_accept_language_header

from .cookies import keep_in_browser, kept_in_browser

LANGUAGES = {"en": "English", "ko": "한국어"}
COOKIE = "language"
# A path of this site as an address has it. `//evil.example` and `/\evil.example` are other hosts to a browser.
PATH_HERE = re.compile(r"/(?![/\\])[!-~]*")

_ = TranslationStringFactory("myproject")


def includeme(config):
    """Take the language from the cookie of the switch, or else from the browser."""
    config.add_translation_dirs("myproject:locale")
    config.set_locale_negotiator(negotiate_language)
    config.add_route("language", "/language")
    config.scan(__name__)


def negotiate_language(request):
    """Return the code of the language that the person chose, or that the browser prefers, or `en`."""
    chosen = kept_in_browser(request, COOKIE)
    return chosen if chosen in LANGUAGES else _preferred(request.headers.get("Accept-Language"))


@view_config(route_name="language", request_method="POST", permission=NO_PERMISSION_REQUIRED, receipt=False)
def switch_language(request):
    """Keep the language chosen for a year and go back to the page that it was chosen on."""
    language, page = request.POST.get("language"), request.POST.get("page", "")
    if language not in LANGUAGES or not PATH_HERE.fullmatch(page):
        raise HTTPBadRequest(_("This language is not known here."))
    response = HTTPSeeOther(page)
    keep_in_browser(request, response, COOKIE, language)
    return response


def translate(request, text):
    """Return `text`, a translation string, in the request's language."""
    # A page asks for the same few names again and again; a localizer is one language of one application.
    return request.localizer.translate(text) if getattr(text, "mapping", None) else _kept(request.localizer, text)


def format_number(request, number):
    """Return `number` with the language's separators: 1,234."""
    return _number(number, request.locale_name)


def format_date(request, moment):
    """Return the day of `moment`, in UTC: Nov 21, 2026."""
    return _in_words("yMMMd", moment.date(), request.locale_name)


def format_moment(request, moment):
    """Return the day and time of `moment`, in UTC: Nov 21, 2026 06:53 UTC."""
    return f"{format_date(request, moment)} {moment:%H:%M} UTC"


def format_month(request, day):
    """Return the month of `day`: Nov 2026."""
    return _in_words("yMMM", day, request.locale_name)


@lru_cache(4096, typed=True)
def _kept(localizer, text):
    return localizer.translate(text)


@lru_cache(1024)
def _preferred(header):
    return create_accept_language_header(header).lookup(list(LANGUAGES), default="en")


# A list shows the same few ages and days again and again, and Babel takes 20 µs for each.
@lru_cache(4096)
def _number(number, language):
    return babel.numbers.format_decimal(number, locale=language)


@lru_cache(4096)
def _in_words(skeleton, day, language):
    return babel.dates.format_skeleton(skeleton, day, locale=language)
