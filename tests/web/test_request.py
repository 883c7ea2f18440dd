"""What a request is here, beside what Pyramid makes of it."""

import pytest

from myproject.web.request import Request

COOKIES = {
    "a=b": {"a": "b"},
    'a=b; c="d e";f=g': {"a": "b", "c": "d e", "f": "g"},
    "a=b=c; d=": {"a": "b=c", "d": ""},
    "a; ;=b": {"a": "", "": "b"},
    "a=\xff\\377": {"a": "\xff\\377"},
}


@pytest.mark.parametrize("header", COOKIES)
def test_cookies_are_read_as_browsers_write_them(header):
    assert Request.blank("/", {"HTTP_COOKIE": header}).cookies == COOKIES[header]


def test_a_request_without_cookies_has_none():
    assert Request.blank("/").cookies.get("session") is None
