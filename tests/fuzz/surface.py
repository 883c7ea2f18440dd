"""Discovers what to fuzz: the routes of the application, and the links, forms and parameters of their pages.

A page, a form, a field or a parameter that is new is found without being named here.
"""

import itertools
import re
from collections import Counter
from dataclasses import dataclass
from urllib.parse import parse_qsl, urljoin, urlsplit

from webtest import TestRequest
from webtest.forms import Select, Submit

HERE = "http://localhost"
# The page that runs the view of a test.
NOT_OURS = {"probe"}
# No row has this id.
NO_ID = 2**31 - 2
# URLs visited for each route: further ones show nothing new.
ENOUGH = 4
# Parameters that no page uses, but a framework, a proxy or a later page might.
STRANGERS = [
    *["_method", "_LOCALE_", "next", "came_from", "q", "sort", "order", "page", "limit", "id", "debug", "a[b]", ""],
]


@dataclass(frozen=True)
class Field:
    """A field of a form: its value in the page, or `None` if a browser would send nothing."""

    name: str
    kind: str
    value: str | None
    options: tuple = ()


@dataclass(frozen=True)
class Form:
    """A form of a page, or a page itself: a GET form without fields."""

    path: str
    method: str = "GET"
    fields: tuple = ()
    cookies: tuple = ()


@dataclass
class Surface:
    """Everything to fuzz; `parameters` are examples of values by name."""

    routes: dict
    pages: list
    forms: list
    parameters: dict

    def route_of(self, path):
        """Return the name of the route that a path belongs to, or `None`."""
        return next((name for name, pattern in self.routes.items() if as_regex(pattern).fullmatch(path)), None)

    def by_route(self, forms):
        """Return one list of `forms` for each route, so that a route with many rows is not fuzzed more than others."""
        groups = {}
        for form in forms:
            groups.setdefault(self.route_of(form.path.partition("?")[0]), []).append(form)
        return [*groups.values()]


def discover(app, rows_by_table):
    """Return the Surface of the application behind `app`, for its browser and for one without cookies."""
    found = app.app.registry.introspector.get_category("routes")
    routes = {item["introspectable"]["name"]: item["introspectable"]["pattern"] for item in found}
    routes = {name: "/" + pattern.lstrip("/") for name, pattern in routes.items() if name not in NOT_OURS}
    addresses = [path for pattern in routes.values() for path in filled_in(pattern, some_ids(rows_by_table))]
    surface = Surface(routes, [], [], {name: [] for name in STRANGERS})
    for known in (app.cookies, {}):
        crawl(app, surface, addresses, with_session(app, addresses, known))
    add_forms_shown_again(app, surface)
    return surface


def some_ids(rows_by_table):
    """Return the first two ids and the last id of each table, and one that no row has."""
    tables = (sorted(row[0] for row in rows if isinstance(row[0], int)) for rows in rows_by_table.values())
    return [*sorted({number for ids in tables for number in (*ids[:2], *ids[-1:])}), NO_ID]


def filled_in(pattern, ids):
    """Return the paths of a route's `pattern` for each of `ids`: `/users/{id}/edit` gives `/users/1/edit`."""
    parts = re.split(r"\{[^}]*\}|\*\w+", pattern)
    return [parts[0]] if len(parts) == 1 else [str(number).join(parts) for number in ids]


def as_regex(pattern):
    """Return a regular expression of the paths that belong to a route's `pattern`."""
    kinds = {"{": "[^/]+", "*": ".*"}
    parts = re.split(r"(\{[^}]*\}|\*\w+)", pattern)
    return re.compile("".join(kinds[part[0]] if part[:1] in kinds else re.escape(part) for part in parts if part))


def with_session(app, addresses, cookies):
    """Return `cookies` with those that the first page with a form sets: all CSRF tokens belong to them."""
    known = dict(cookies)
    for address in addresses:
        app.reset()
        page = browse(app, address, known.items())
        if b"csrf_token" in page.body:
            known |= app.cookies
            break
    return tuple(known.items())


def browse(app, path, cookies):
    """Return the response of `path` to a browser with `cookies`."""
    cookie = "; ".join(f"{name}={value}" for name, value in cookies)
    return app.request(TestRequest.blank(path, environ={"HTTP_COOKIE": cookie}), expect_errors=True)


def send(app, form, fields, cookies):
    """Return the page that answers `form` when a browser with `cookies` sends `fields`, behind its redirects."""
    cookie = "; ".join(f"{name}={value}" for name, value in cookies)
    request = TestRequest.blank(form.path, POST=fields, environ={"HTTP_COOKIE": cookie})
    page = app.request(request, expect_errors=True)
    return page.follow() if page.status_int == 303 else page


def crawl(app, surface, addresses, cookies):
    """Add to `surface` what a browser with `cookies` finds at `addresses` and behind their links."""
    waiting, seen, looked_at = list(addresses), set(), Counter()
    while waiting:
        address = waiting.pop(0)
        path, query = urlsplit(address).path, parse_qsl(urlsplit(address).query, keep_blank_values=True)
        for name, value in query:
            surface.parameters.setdefault(name, []).append(value)
        kind = surface.route_of(path), tuple(name for name, _value in query)
        if address in seen or (address not in addresses and looked_at[kind] >= ENOUGH):
            continue
        seen.add(address)
        looked_at[kind] += 1
        add(surface.pages, Form(address, cookies=cookies))
        page = browse(app, address, cookies)
        if page.status_int == 200 and page.content_type == "text/html":
            waiting += links_of(page, address)
            add_forms(surface, page, address, cookies)
    app.reset()


def add_forms_shown_again(app, surface):
    """Add the forms that let people choose between two changes, and those that come back from the sign-in page."""
    for form in [group[0] for group in surface.by_route(surface.forms)]:
        fields = {field.name: field.value for field in form.fields if field.value is not None}
        names = [name.removeprefix("shown_") for name in fields if name.startswith("shown_")]
        if names:
            conflict = {f"shown_{name}": "before" for name in names} | dict.fromkeys(names, "after")
            add_forms(surface, send(app, form, fields | conflict, form.cookies), form.path, form.cookies)
            page = send(app, form, fields, cookies=())
            add_forms(surface, page, form.path, ())
            carried = {"csrf_token": fields["csrf_token"], "restored": page.forms["record"]["typed"].value}
            surface.forms.append(
                Form(
                    form.path,
                    "POST",
                    tuple(Field(name, "hidden", value) for name, value in carried.items()),
                    form.cookies,
                )
            )
    app.reset()


def links_of(page, address):
    """Return the addresses on this site that a page links or loads, without their fragments."""
    targets = [tag.get("href") or tag.get("src") for tag in page.html.select("[href], [src]")]
    joined = [urlsplit(urljoin(HERE + address, target)) for target in targets]
    return [link._replace(scheme="", netloc="", fragment="").geturl() for link in joined if link.netloc == "localhost"]


def add_forms(surface, page, address, cookies):
    """Add the forms of a page, one for each of its buttons."""
    for form in {id(form): form for form in page.forms.values()}.values():
        path = urlsplit(urljoin(HERE + address, form.action or "")).path
        method = (form.method or "GET").upper()
        fields = [read(field) for field in itertools.chain(*form.fields.values()) if not isinstance(field, Submit)]
        buttons = [read(field) for field in itertools.chain(*form.fields.values()) if isinstance(field, Submit)]
        for button in [button for button in buttons if button.name] or [None]:
            sent = tuple(fields if button is None else [*fields, button])
            add(surface.forms, Form(path, method, sent, cookies))
        for field in fields:
            surface.parameters.setdefault(field.name, []).append(field.value or "")


def add(forms, form):
    """Add `form` unless an equal one was found in another browser or on another page."""
    if shape(form) not in map(shape, forms):
        forms.append(form)


def shape(form):
    """Return a key that equal forms share: the values of hidden fields do not count."""
    named = [(field.name, field.kind, field.value if field.kind == "submit" else None) for field in form.fields]
    return form.path, form.method, tuple(named)


def read(field):
    """Return the Field of WebTest's `field`; an empty one gets a plausible value."""
    if isinstance(field, Submit):
        return Field(field.name, "submit", field.value_if_submitted() or "")
    kind, hint = field.attrs.get("type", field.tag), field.attrs.get("inputmode", "")
    options = tuple(option[0] for option in field.options) if isinstance(field, Select) else ()
    usual = {"email": "fuzz@example.com", "numeric": "30", "number": "30", "password": "correct horse battery"}
    value = field.value
    if value == "" and kind != "hidden":
        value = options[-1] if options else usual.get(hint, usual.get(kind, "Good morning"))
    return Field(field.name or "", kind, value, options)
