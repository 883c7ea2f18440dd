"""Cookies that are not UTF-8 are ignored; those beside them are read."""

import pytest

from myproject.web.cookies import drop_undecodable_cookies

KEPT = {
    "": "",
    "a=b": "a=b",
    "a=b; c=\xec\x82\xac": "a=b; c=\xec\x82\xac",
    "a=\xff; b=c": "a=\xff; b=c",
    'a="\\377"; b=c': " b=c",
    'b="\\354\\202\\254"; a="\\377"': 'b="\\354\\202\\254"',
    'a="\\377"': "",
}


@pytest.mark.parametrize("header", KEPT)
def test_only_cookies_that_are_not_utf8_are_dropped(header):
    environ = {"HTTP_COOKIE": header}
    drop_undecodable_cookies(environ)
    assert environ == {"HTTP_COOKIE": KEPT[header]}


def test_a_request_without_cookies_stays_without():
    environ: dict[str, str] = {}
    drop_undecodable_cookies(environ)
    assert environ == {}


@pytest.mark.parametrize("foreign", ['stranger="\\377"', "stranger=\xff", "=;;=", "a" * 5000])
def test_a_cookie_of_another_application_signs_nobody_out(app, foreign):
    session = f"session={app.cookies['session']}"
    for header in (f"{foreign}; {session}", f"{session}; {foreign}"):
        page = app.get("/users", extra_environ={"HTTP_COOKIE": header}, headers={"Cookie": header})
        assert page.html.select_one(".who")
