"""Which paths are pages of this site, at the root of a host and below a prefix."""

import pytest
from pyramid.request import Request

from myproject.web.paths import is_own_path, path_here

OWN = {
    "": ["/", "/users", "/users?q=a&b=%2F..%2F", "/users#top", "/a/../b", "/%EC%A7%81", "/?next=//evil.example"],
    "/staff": ["/staff", "/staff/", "/staff?q=a", "/staff/users?next=/../x", "/staff/a..b/...", "/staff/.well/x"],
    "/직원": ["/%EC%A7%81%EC%9B%90", "/%EC%A7%81%EC%9B%90/users"],
}
OTHER = {
    "": ["", "users", "//evil.example", "/\\evil.example", "https://evil.example", "/\tx", "/users\n", "/사용자"],
    "/staff": [
        *["/", "/users", "/staffing", "/staff.example", "/Staff/users", "//staff/users", "/staff\\..\\users", "?q=a"],
        *["/staff/..", "/staff/../users", "/staff/a/../../b", "/staff/%2e%2E/users", "/staff/.%2e/b", "/staff/./../b"],
        *["/staff/a\\..\\..\\b", "/staff/..?q=a", "/staff/..#a"],
    ],
    "/직원": ["/users", "/직원/users"],
}


def request_below(prefix, path="/users", query=""):
    """Return a request for `path`, mounted below `prefix`."""
    root = prefix.encode().decode("latin-1")
    return Request.blank("/", environ={"SCRIPT_NAME": root, "PATH_INFO": path, "QUERY_STRING": query})


@pytest.mark.parametrize(("prefix", "path"), [(prefix, path) for prefix, paths in OWN.items() for path in paths])
def test_a_path_of_this_site_is_taken(prefix, path):
    assert is_own_path(request_below(prefix), path)


@pytest.mark.parametrize(("prefix", "path"), [(prefix, path) for prefix, paths in OTHER.items() for path in paths])
def test_a_path_outside_of_this_site_is_refused(prefix, path):
    assert not is_own_path(request_below(prefix), path)


@pytest.mark.parametrize("prefix", OWN)
@pytest.mark.parametrize("path", ["/users", "", "/\xff", "/a b"])
@pytest.mark.parametrize("query", ["", "q=%ff&a=b"])
def test_the_path_of_a_page_is_one_of_this_site(prefix, path, query):
    request = request_below(prefix, path, query)
    assert is_own_path(request, path_here(request)) == bool(prefix or path)
