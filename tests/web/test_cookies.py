"""Cookies are read exactly as they were set: no other name, and no second cookie of the same name, counts for ours."""

import pytest
from pyramid.request import Request

from myproject.web.cookies import COOKIE_PAIR, cookie_name, keep_exact_cookies

OURS = [
    cookie_name({"myproject.development": development}, name)
    for development in (True, False)
    for name in ("session", "language", "display")
]
# WSGI passes bytes as the characters U+0000 to U+00FF.
EVERY_BYTE = [chr(code) for code in range(256)]
# What the server itself splits or strips, as RFC 6265 says.
SEPARATORS = set("; \t=")
KEPT = {
    "": "",
    "a=b": "a=b",
    "a=b;c=d": "a=b; c=d",
    'a="b"; \tc=': 'a="b"; c=',
    "a=; b==c": "a=; b==c",
    "a=b; c=\xec\x82\xac": "a=b",
    'a="\\377"; b=c': "b=c",
    'a="b; c=d"; e=f': "e=f",
    "a=b; a=c; d=e": "d=e",
    "a=b; a=c, d; e": "",
    "a = b; c=d": "c=d",
    "a=b, c=d": "",
}


def read(header):
    """Return the cookies that the application reads from the header of a request."""
    request = Request.blank("/", headers={"Cookie": header})
    keep_exact_cookies(request.environ)
    return dict(request.cookies)


@pytest.mark.parametrize("header", KEPT)
def test_only_exact_and_single_cookies_are_kept(header):
    environ = {"HTTP_COOKIE": header}
    keep_exact_cookies(environ)
    assert environ == {"HTTP_COOKIE": KEPT[header]}


def test_a_request_without_cookies_stays_without():
    assert read("") == {}


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize(
    "form", ["{byte}{name}=evil", "{name}{byte}=evil", "a={byte}{name}=evil", "{byte} {name}=evil"]
)
def test_no_byte_beside_a_name_replaces_our_cookie(name, form):
    for byte in set(EVERY_BYTE) - SEPARATORS:
        planted, own = form.format(byte=byte, name=name), f"{name}=own"
        assert read(planted).get(name) is None, repr(planted)
        assert [read(header)[name] for header in (f"{planted}; {own}", f"{own}; {planted}")] == ["own", "own"]


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("between", ["; ", ";", ";\t", "; a=b; ", "; ; "])
def test_of_two_cookies_of_one_name_none_is_read(name, between):
    assert name not in read(f"{name}=own{between}{name}=evil")
    assert name not in read(f'{name}=own{between}{name}="evil"')


def test_webob_reads_a_kept_cookie_as_it_is_written():
    for byte in EVERY_BYTE:
        pair = f"a=b{byte}c=d"
        if COOKIE_PAIR.fullmatch(pair):
            assert read(pair) == {"a": pair[2:]}


@pytest.mark.parametrize("foreign", ['stranger="\\377"', "stranger=\xff", "=;;=", "a" * 5000, "a=b; a=c", 'a="b'])
def test_a_cookie_of_another_application_signs_nobody_out(app, foreign):
    session = f"session={app.cookies['session']}"
    for header in (f"{foreign}; {session}", f"{session}; {foreign}"):
        page = app.get("/users", extra_environ={"HTTP_COOKIE": header}, headers={"Cookie": header})
        assert page.html.select_one(".who")


def test_a_planted_session_does_not_replace_ones_own(app, stranger):
    stranger.get("/signin")
    own, planted = f"session={app.cookies['session']}", f"\xa0session={stranger.cookies['session']}"
    page = app.get("/users", headers={"Cookie": f"{own}; {planted}"})
    assert page.html.select_one(".who")


def test_two_sessions_sign_nobody_in(app):
    own = f"session={app.cookies['session']}"
    answer = app.get("/users", headers={"Cookie": f"{own}; {own}"}, status=303)
    assert "/signin" in answer.location
