"""The site mounted below `/staff`: every link, form, script and redirect stays there."""

from urllib.parse import urljoin, urlsplit

import pytest
from sqlalchemy import update
from webtest import TestApp

from myproject.models import User
from tests import signed_in
from tests.people import token_of

HERE, PREFIX = "http://localhost", "/staff"
# How many pages that differ only in their query are visited.
PAGES_PER_PATH = 6


def mounted(wsgi):
    """Return `wsgi` below the prefix; nothing else may be asked for."""

    def application(environ, start_response):
        path = environ["PATH_INFO"]
        assert path == PREFIX or path.startswith(f"{PREFIX}/"), f"{path} is outside"
        inside = {"SCRIPT_NAME": PREFIX, "PATH_INFO": path.removeprefix(PREFIX)}
        return wsgi({**environ, **inside}, start_response)

    return application


@pytest.fixture
def staff(wsgi):
    """The administrator's browser."""
    app = TestApp(mounted(wsgi), extra_environ=signed_in.ENVIRON)
    app.set_cookie("session", signed_in.cookie())
    return app


@pytest.fixture
def visitor(wsgi):
    """The browser of somebody who is not signed in."""
    return TestApp(mounted(wsgi), extra_environ={"HTTP_ACCEPT_LANGUAGE": "en"})


def addresses_of(page):
    """Return the addresses on this host that a page leads to, without fragments; fail if one is outside."""
    tags = page.html.select("[href], [src], [action], form")
    given = [tag.get("href") or tag.get("src") or tag.get("action") or page.request.path_qs for tag in tags]
    given += [tag["value"] for tag in page.html.select("input[name=page], input[name=next][value]") if tag["value"]]
    joined = [urlsplit(urljoin(page.request.url, address))._replace(fragment="") for address in given]
    assert [url.geturl() for url in joined if url.scheme == "http" and not is_inside(url.geturl())] == []
    return [url.geturl().removeprefix(HERE) for url in joined if url.scheme == "http"]


def is_inside(url):
    """Return whether `url` is below the prefix on this host."""
    return urlsplit(url).path in (PREFIX, f"{PREFIX}/") or url.startswith(f"{HERE}{PREFIX}/")


def walk(app, start):
    """Visit all that can be reached from `start`; return the paths visited."""
    waiting, seen, count = [start], set(), {}
    while waiting:
        address = waiting.pop()
        path = address.partition("?")[0]
        if address in seen or count.get(path, 0) >= PAGES_PER_PATH:
            continue
        seen.add(address)
        count[path] = count.get(path, 0) + 1
        page = app.get(address, status="*")
        assert page.status_int in (200, 303, 405) or path == f"{PREFIX}/users/0", f"{address}: {page.status}"
        if page.location:
            assert is_inside(page.location), f"{address} leads to {page.location}"
            waiting.append(page.location.removeprefix(HERE))
        elif page.content_type == "text/html":
            waiting += addresses_of(page)
    return count.keys()


def test_no_page_leads_outside(staff, make_post, make_view, outside):
    post = make_post()
    make_view(User(id=post.author_id), for_all=True)
    visited = walk(staff, PREFIX)
    expected = ["/", "/users", "/users/new", "/users/1", "/users/1/edit", "/users/1/delete", "/users/1/password-link"]
    expected += ["/users/views", "/users/views/1/edit", "/users/help", "/posts/1/edit", "/overview", "/language"]
    assert {PREFIX + path for path in [*expected, "/static/site.css", "/static/list.js"]} <= visited


def test_no_page_leads_a_visitor_outside(visitor):
    assert f"{PREFIX}/signin" in walk(visitor, PREFIX)


@pytest.mark.parametrize("path", ["/nothing", "/users/99", "/users?cursor=x", "/users?a=%ff"])
def test_no_error_page_leads_outside(staff, path):
    addresses_of(staff.get(PREFIX + path, expect_errors=True))


def test_the_current_section_is_marked(staff):
    for path, section in {
        "/users": "Users",
        "/users/help": "Users",
        "/posts": "Posts",
        "/overview": "Overview",
    }.items():
        [link] = staff.get(PREFIX + path).html.select("nav [aria-current=page]")
        assert link.text == section


def test_every_form_leads_back_inside(staff, make_post, make_view):
    post = make_post()
    make_view(User(id=post.author_id), for_all=True)
    paths = ["/users/new", "/users/1/edit", "/posts/new", "/posts/1/edit", "/posts/1/delete", "/users/views/1/edit"]
    for path in [*paths, "/users/views/1/delete", "/users/1/delete"]:
        form = staff.get(PREFIX + path).forms["record"]
        for name, value in {
            "name": "John Doe",
            "title": "Hello",
            "body": "World",
            "author_id": str(post.author_id),
        }.items():
            if name in form.fields:
                form[name] = value
        for answer in (form.submit(status=303), form.submit(status=303)):
            assert is_inside(answer.location), path
        answer.follow(status=200)


def test_the_language_switch_and_the_columns_lead_back_to_their_page(staff):
    page = staff.get(f"{PREFIX}/users?panel=display&sort=name")
    switch = next(form for form in page.forms.values() if form.action == f"{PREFIX}/language")
    assert switch.submit("language", status=303).location == f"{HERE}{PREFIX}/users?panel=display&sort=name"
    columns = next(form for form in page.forms.values() if form.action == f"{PREFIX}/users/display")
    assert columns.submit(status=303).location == f"{HERE}{PREFIX}/users?sort=name"


@pytest.mark.parametrize("page", ["/", "/users", "/staffing", "/staff/../users", "/staff/%2e%2e/users"])
def test_nobody_is_led_to_another_site_of_this_host(staff, page):
    assert staff.get(f"{PREFIX}/signin", {"next": page}, status=303).location == f"{HERE}{PREFIX}/"
    token = token_of(TestAppBelow(staff))
    staff.post(f"{PREFIX}/language", {"csrf_token": token, "language": "ko", "page": page}, status=400)


class TestAppBelow:
    """A browser whose paths begin below the prefix, for helpers that know nothing of it."""

    __test__ = False

    def __init__(self, app):
        self.app = app

    def get(self, path, **options):
        """Return the answer to a GET."""
        return self.app.get(PREFIX + path, **options)


def test_signing_in_leads_back_to_the_page_that_was_asked_for(visitor):
    page = visitor.get(f"{PREFIX}/overview?a=b", status=303)
    assert page.location == f"{HERE}{PREFIX}/signin?next=%2Fstaff%2Foverview%3Fa%3Db"
    form = page.follow().forms["record"]
    form["email"], form["password"] = signed_in.EMAIL, signed_in.PASSWORD
    answer = form.submit(status=303)
    assert answer.location == f"{HERE}{PREFIX}/overview?a=b"
    signing_out = answer.follow().forms[1].submit(status=303)
    assert signing_out.location == f"{HERE}{PREFIX}/signin"


def test_signing_in_without_a_page_leads_to_the_first(visitor):
    form = visitor.get(f"{PREFIX}/signin").forms["record"]
    form["email"], form["password"] = signed_in.EMAIL, signed_in.PASSWORD
    assert form.submit(status=303).location == f"{HERE}{PREFIX}/"


def test_a_new_site_leads_to_its_setup(visitor, outside):
    with outside.begin() as connection, signed_in.without_administrator_check(connection):
        connection.execute(update(User).values(password_hash=None))
    page = visitor.get(f"{PREFIX}/", status=303)
    while page.location:
        page = page.follow()
    assert page.request.path == f"{PREFIX}/setup"
    form = page.forms["record"]
    form["name"], form["email"], form["password"] = "Ada", "ada@example.com", "correct horse battery staple"
    assert form.submit(status=303).location == f"{HERE}{PREFIX}/"


def test_a_link_to_set_a_password_leads_inside(staff, make_user):
    user = make_user(email="ada@example.com")
    page = staff.get(f"{PREFIX}/users/{user.id}/password-link").forms["record"].submit(status=200)
    assert page.html.select_one(".secret code").text.startswith(f"{HERE}{PREFIX}/set-password/")
