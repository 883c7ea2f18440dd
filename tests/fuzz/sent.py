"""Malformed requests: each is the request of a real page or form with up to four mutations."""

import base64
import dataclasses
import json
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

from hypothesis import strategies as st
from webtest import TestRequest

from .surface import NO_ID

# HTML that no response may contain unescaped.
HTML = [
    "<script>alert(7)</script>",
    '"><img src=x onerror=alert(7)>',
    "' onmouseover='alert(7)",
    "</textarea></title><svg onload=alert(7)>",
]
# In a response only if a template has evaluated the input.
COMPUTED = str(31337 * 31337)
TEMPLATES = [
    "{{31337*31337}}",
    "${31337*31337}",
    "<%= 31337*31337 %>",
    "{% for x in y %}",
    "%(name)s %s %n",
    "{0.__class__}",
]
PLACES = [
    *["../../../../etc/passwd", "/etc/passwd", "..%2f..%2fetc%2fpasswd", "//evil.example", "/\\evil.example"],
    *[
        "\\\\evil.example",
        "https://evil.example/",
        "/\t/evil.example",
        "javascript:alert(7)",
        "data:text/html,x",
        "/users",
    ],
]
NUMBERS = [
    *["-1", "0", "151", str(2**31 - 1), str(2**31), str(2**63 - 1), str(2**63), "9" * 30, "9" * 5000, "1.5", "1e3"],
    *["1e999", "NaN", "-Infinity", "0x1e", "1_0", "٣", "３０", "²", "007", " 1 ", "+1", "1,000", "--1", str(NO_ID)],
]
TEXTS = [
    *[
        "",
        " ",
        "\u3000\u00a0",
        "\u200b\u200d\u2060",
        "\0",
        "a\0b",
        "\x1b[31m",
        "\x7f",
        "\x9b",
        "\r\n",
        "\u2028",
        "\ufeff",
    ],
    *[
        "\u202egnirts\u202c",
        "👩‍👩‍👧‍👦🇰🇷",
        "\u1112\u1161\u11ab",
        "\u1160\u3164",
        "Z" + "\u0335" * 500,
        "ﬃİß",
        "\U0010ffff",
        "\ufffe",
    ],
    *[
        "' OR 1=1 --",
        "'; DROP TABLE users; --",
        '"',
        "\\",
        "%",
        "_%",
        "1) UNION SELECT 1,2,3 --",
        "\"', :name",
        "$1",
        "?",
    ],
    *[
        "a\r\nSet-Cookie: fuzz=1",
        "a\r\n\r\n<html>",
        "a@example.com\r\nBcc: b@example.com",
        "a\nX-Evil: 1",
        "%0d%0aX-Evil:1",
    ],
    *["true", "false", "on", "off", "y", "None", "null", "undefined", "[]", "{}", "admin", "ADMIN", "root", "en", "ko"],
    *["a" * 10_000, "김" * 10_000, "\0" * 10_000, "a" * 201, "a" * 309 + "@example.com"],
    "a" * 1_000_000,
]
# Lone surrogates, invalid and incomplete sequences, an overlong `/`, UTF-16.
BYTES = [
    b"\xed\xa0\x80",
    b"\xed\xb0\x80",
    b"\xff",
    b"\x80",
    b"\xc0\xaf",
    b"\xf4\x90\x80\x80",
    b"a\xe2\x82",
    b"\xff\xfea\0",
]
NASTY = [text.encode() for text in [*HTML, *TEMPLATES, *PLACES, *NUMBERS, *TEXTS]] + BYTES
# One value of each kind, sent in every field.
KEEN = [
    *[
        b"",
        b"\0",
        b"\xff",
        b"\xed\xa0\x80",
        b"a" * 10_000,
        "\u3164\u202e".encode(),
        "３０".encode(),
        b"-1",
        b"1e3",
        b"9" * 5000,
    ],
    *[str(2**31).encode(), str(2**63).encode(), b"' OR 1=1 --", b"{{31337*31337}}", b"a\r\nSet-Cookie: fuzz=1", b"on"],
    *[
        HTML[0].encode(),
        HTML[1].encode(),
        b"//evil.example",
        b"/\\evil.example",
        b"javascript:alert(7)",
        b"../../etc/passwd",
    ],
]
# Values short enough for a URL or a header.
SHORT = [value for value in NASTY if len(value) < 100_000]
# Guesses for a token or a version; `None` leaves the field out.
GUESSES = [
    None,
    b"",
    b"0" * 40,
    b"0" * 32,
    b"f" * 32,
    b"wrong",
    b"\xff",
    "é".encode(),
    b"a" * 10_000,
    b"0",
    b"2",
    b"-1",
]

METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"]
SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}
URLENCODED = "application/x-www-form-urlencoded"
KINDS = [
    *["", "application/json", "text/plain", "text/xml", "nonsense", "\xff", "multipart/form-data", "multipart/mixed"],
    *[f"{URLENCODED}; charset={name}" for name in ("utf-8", "latin-1", "utf-16", "utf-7", "nonsense", "\xff")],
    *[f"multipart/form-data; boundary={name}" for name in ("B", "", "C", '"B"', "x" * 300)],
]
HEADERS = {
    "HOST": ["evil.example", "localhost:99999", "", "a b", "[::1", "\xff", "localhost:80, evil.example"],
    "X_FORWARDED_HOST": ["evil.example"],
    "X_FORWARDED_PROTO": ["https", "javascript"],
    "X_FORWARDED_FOR": ["127.0.0.1", "\xff", "1" * 5000],
    "X_FORWARDED_PREFIX": ["//evil.example"],
    "FORWARDED": ["host=evil.example;for=\xff"],
    "X_ORIGINAL_URL": ["/users/1/delete"],
    "X_HTTP_METHOD_OVERRIDE": ["DELETE", "POST", "PUT"],
    "X_METHOD_OVERRIDE": ["DELETE", "POST"],
    "X_CSRF_TOKEN": ["", "wrong", "\xff"],
    "ACCEPT": ["application/json", "image/png", "\xff", ";;", "*/*;q=x"],
    "ACCEPT_LANGUAGE": ["ko", "*", "xx", "\xff", "en;q=9", "ko-" + "x" * 5000, "../../etc"],
    "ACCEPT_ENCODING": ["gzip", "identity;q=0", "\xff"],
    "RANGE": ["bytes=0-0", "bytes=5-2", "bytes=-1", "bytes=999999999-", "bytes=a-b", "lines=1-2", "bytes=0-0,2-3"],
    "IF_NONE_MATCH": ["*", '"x"', "\xff"],
    "IF_MODIFIED_SINCE": ["Thu, 01 Jan 2099 00:00:00 GMT", "nonsense", "\xff"],
    "IF_MATCH": ['"x"'],
    "IF_RANGE": ["nonsense"],
    "REFERER": ["https://evil.example/", "javascript:alert(7)", "\xff", "//evil.example"],
    "ORIGIN": ["https://evil.example", "null", "\xff"],
    "AUTHORIZATION": ["Basic AAAA", "Bearer x", "\xff", "Basic"],
    "USER_AGENT": ["\xff", "<script>alert(7)</script>", "x" * 10_000],
    "X_REQUESTED_WITH": ["XMLHttpRequest"],
    "CONTENT_ENCODING": ["gzip"],
    "EXPECT": ["100-continue", "nonsense"],
}
COOKIES = [
    "session=\xff",
    "session=abc",
    "language=xx",
    'language="\\377"',
    "language=../../x",
    "\xff=1",
    "=;;=",
    "x" * 9000,
]


@dataclass(repr=False)
class Sent:
    """A request that mutations change."""

    path: bytes
    method: str
    cookies: list
    query: list = field(default_factory=list)
    fields: list = field(default_factory=list)
    kind: str | None = None
    headers: dict = field(default_factory=dict)
    cookie_tail: str = ""
    cookie_cut: int | None = None
    as_it_is: bool = False

    def cookie(self):
        """Return the `Cookie` header."""
        tail = [self.cookie_tail] if self.cookie_tail else []
        return "; ".join([*(f"{name}={value}" for name, value in self.cookies), *tail])[: self.cookie_cut]

    def body(self):
        """Return the fields, encoded for the content type."""
        if self.method in SAFE and self.kind is None:
            return b""
        if (self.kind or "").startswith("multipart"):
            part = b'--B\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
            return b"".join(part % pair for pair in self.fields) + b"--B--\r\n"
        return joined(self.fields, self.as_it_is)

    def request(self):
        """Return WebTest's request."""
        body = self.body()
        environ = {f"HTTP_{name}": value for name, value in self.headers.items()}
        environ |= {
            "REQUEST_METHOD": self.method,
            "PATH_INFO": self.path.decode("latin-1"),
            "HTTP_COOKIE": self.cookie(),
        }
        environ["QUERY_STRING"] = joined(self.query, self.as_it_is).decode("latin-1")
        request = TestRequest.blank("/", environ=environ)
        if body or self.method not in SAFE:
            request.body = body
            request.environ["CONTENT_TYPE"] = URLENCODED if self.kind is None else self.kind
        return request

    def __repr__(self):
        address = quote(self.path) + ("?" if self.query else "") + joined(self.query).decode()
        lines = [
            f"{self.method} {short(address)}",
            *(f"{name}: {short(value)}" for name, value in self.headers.items()),
        ]
        if self.cookie_tail or self.cookie_cut is not None or not self.cookies:
            lines.append(f"COOKIE: {short(self.cookie())}")
        if self.body():
            lines += [f"CONTENT_TYPE: {URLENCODED if self.kind is None else self.kind}", short(self.body())]
        return "\n".join(map(str, lines))

    def _repr_pretty_(self, printer, cycle):
        """Print the short `repr`: hypothesis would print megabytes."""
        printer.text(repr(self))


def joined(fields, as_it_is=False):
    """Return pairs of bytes as a form sends them: `a=1&b=%00`."""
    escape = bytes if as_it_is else lambda value: quote_plus(value).encode()
    return b"&".join(escape(name) + b"=" + escape(value) for name, value in fields)


def short(text, most=300):
    """Return `text`, shortened to its beginning and its length."""
    return text if len(text) <= most else f"{text[:most]!r}… ({len(text)} in all)"


def requests(surface):
    """Return pairs (share, strategy of requests), one for the forms and one for the pages of each route."""
    groups = [(2, group) for group in surface.by_route(surface.forms)]
    groups += [(1, group) for group in surface.by_route(surface.pages)]
    return [(share, st.sampled_from(group).flatmap(lambda form: requests_at(form, surface))) for share, group in groups]


@st.composite
def requests_at(draw, form, surface):
    """Draw a request of a form or page with up to four mutations."""
    sent = as_sent(form)
    place = sent.fields or sent.query
    for asked in form.fields:
        if asked.options:
            index = [name for name, _value in place].index(asked.name.encode())
            place[index] = place[index][0], draw(st.sampled_from(asked.options)).encode()
    fields = form.fields
    # Mutations of fields are the most likely: they reach most of the code.
    ways = (VALUES * 2 if fields else []) + VALUES + ADDRESS + ENVELOPE
    for wrong in draw(st.lists(st.sampled_from(ways), max_size=4)):
        wrong(draw, sent, surface)
    return sent


def as_sent(form):
    """Return the request that a browser would send for `form`."""
    address, _, query = form.path.partition("?")
    pairs = [(name.encode(), value.encode()) for name, value in parse_qsl(query, keep_blank_values=True)]
    fields = [(field.name.encode(), field.value.encode()) for field in form.fields if field.value is not None]
    sent = Sent(address.encode(), form.method, list(form.cookies), pairs, fields)
    if form.method == "GET":
        sent.query, sent.fields = pairs + fields, []
    return sent


def plain(surface):
    """Return requests with one mutation each: every method, and each of `KEEN` in every field and parameter."""
    forms, pages = ([group[0] for group in surface.by_route(found)] for found in (surface.forms, surface.pages))
    # One page for each route and set of parameters.
    asked = {}
    for page in surface.pages:
        path, _, query = page.path.partition("?")
        if query:
            asked[surface.route_of(path), names_in(page.path)] = page
    wrong = []
    for form in forms + pages:
        wrong += [dataclasses.replace(as_sent(form), method=method) for method in METHODS]
    for form in forms:
        wrong += [dataclasses.replace(as_sent(form), query=[(b"q", value)]) for value in KEEN]
    for form in [*forms, *asked.values()]:
        sent = as_sent(form)
        for place in ("query", "fields"):
            pairs = getattr(sent, place)
            for index, (name, _value) in enumerate(pairs):
                changed = ([*pairs[:index], (name, value), *pairs[index + 1 :]] for value in KEEN)
                wrong += [dataclasses.replace(sent, **{place: fields}) for fields in changed]
    for page in pages:
        # All unused parameters at once. A page that refuses one of them is sent its own parameters above.
        names = surface.parameters.keys() - {name for _route, others in asked for name in others}
        wrong += [
            dataclasses.replace(as_sent(page), query=[(name.encode(), value) for name in sorted(names)])
            for value in KEEN
        ]
    return wrong


def names_in(path):
    """Return the names of the parameters of a URL."""
    return frozenset(name for name, _value in parse_qsl(urlsplit(path).query))


def in_place(draw, sent):
    """Return the list of the fields, of body or query, and the index of one of them, or `None` if it is empty.

    Tokens are left to `forge`: a wrong token would hide all other mutations.
    """
    place = sent.fields or sent.query
    indexes = [index for index, (name, _value) in enumerate(place) if b"token" not in name]
    return place, draw(st.sampled_from(indexes)) if indexes else None


def replace(draw, sent, surface):
    """Put a nasty value into a field."""
    place, index = in_place(draw, sent)
    if index is not None:
        place[index] = place[index][0], draw(st.sampled_from(NASTY))


def spoil(draw, sent, surface):
    """Put a nasty text before or after the value of a field."""
    place, index = in_place(draw, sent)
    if index is not None:
        name, value = place[index]
        more = draw(st.sampled_from(SHORT))
        place[index] = name, draw(st.sampled_from([value + more, more + value, value[:-1], value.upper()]))


def forget(draw, sent, surface):
    """Leave a field out."""
    place, index = in_place(draw, sent)
    if index is not None:
        place.pop(index)


def repeat(draw, sent, surface):
    """Send a field twice."""
    place, index = in_place(draw, sent)
    if index is not None:
        place.append((place[index][0], draw(st.sampled_from([place[index][1], *SHORT]))))


def invent(draw, sent, surface):
    """Add a field that the form does not have."""
    name = draw(st.sampled_from([*(name.encode() for name in surface.parameters), *SHORT]))
    (sent.fields if sent.method == "POST" else sent.query).append((name, draw(st.sampled_from(NASTY))))


def forge(draw, sent, surface):
    """Replace a token or a version by a guess, or leave it out."""
    named = [index for index, (name, _value) in enumerate(sent.fields) if b"token" in name or b"version" in name]
    if named:
        index, guess = draw(st.sampled_from(named)), draw(st.sampled_from(GUESSES))
        name, _value = sent.fields.pop(index)
        sent.fields += [] if guess is None else [(name, guess)]


def ask(draw, sent, surface):
    """Add a parameter to the query: with a nasty value, a value that a page uses, or a changed one."""
    name = draw(st.sampled_from(list(surface.parameters)))
    known = surface.parameters[name][:3]
    values = [*(value.encode() for value in known), *(again for value in known for again in recoded(value)), *NASTY]
    sent.query.append((name.encode(), draw(st.sampled_from(values))))


def recoded(value):
    """Return variants of `value`, a base64-encoded JSON list, with other items; none for any other value."""
    try:
        parts = json.loads(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)))
    except ValueError:
        return []
    if not isinstance(parts, list):
        return []
    odd = [None, True, -1, 2**31, 2**70, 1.5, "", "\0", "\ud800", "a" * 10_000, [], {}, ["x"] * 9]
    lists = [[*parts[:index], thing, *parts[index + 1 :]] for index in range(len(parts)) for thing in odd]
    return [
        base64.urlsafe_b64encode(json.dumps(changed).encode()).rstrip(b"=") for changed in [*lists, *odd, parts[:1]]
    ]


def lead_astray(draw, sent, surface):
    """Replace a segment of the path, or insert one."""
    segments = sent.path.split(b"/")
    index = draw(st.integers(1, len(segments)))
    segments[index : index + draw(st.integers(0, 1))] = [draw(st.sampled_from(SHORT))]
    sent.path = b"/".join(segments)


def another_method(draw, sent, surface):
    """Send the form with another method."""
    sent.method = draw(st.sampled_from(METHODS))


def override(draw, sent, surface):
    """Add a field that overrides the method."""
    sent.fields.append((b"_method", draw(st.sampled_from(METHODS)).encode()))


def another_kind(draw, sent, surface):
    """Send the fields with another content type."""
    sent.kind = draw(st.sampled_from(KINDS))


def plainly(draw, sent, surface):
    """Send the bytes of fields and query without escapes."""
    sent.as_it_is = True


def odd_header(draw, sent, surface):
    """Send an odd header."""
    name = draw(st.sampled_from(list(HEADERS)))
    sent.headers[name] = draw(st.sampled_from(HEADERS[name]))


def odd_cookie(draw, sent, surface):
    """Send a foreign cookie, instead of ours or after them."""
    sent.cookies = draw(st.sampled_from([sent.cookies, []]))
    sent.cookie_tail = draw(st.sampled_from(COOKIES))


def cut_cookie(draw, sent, surface):
    """Truncate the cookies."""
    sent.cookie_cut = draw(st.integers(0, 200))


VALUES = [replace, replace, replace, spoil, forget, repeat, invent, forge]
ADDRESS = [ask, ask, lead_astray]
ENVELOPE = [another_method, override, another_kind, plainly, odd_header, odd_header, odd_cookie, cut_cookie]
