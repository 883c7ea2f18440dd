"""House rule: every page answers every role and every method as docs/permissions.md says."""

import re
import time
from functools import cached_property
from pathlib import Path

import pytest
from pyramid.response import Response
from pyramid.security import NO_PERMISSION_REQUIRED
from sqlalchemy import select
from sqlalchemy.orm import Session
from webtest import TestApp

from myproject.models import Change, Entry, PasswordLink, Post, User
from myproject.probes import PROBES
from myproject.signin.models import digest
from tests.people import add_person, browser_of, everything_stored, select_for, token_of
from tests.signed_in import PASSWORD
from tests.users.imports.importing import checked_import

TABLE = Path(__file__).parents[1] / "docs" / "permissions.md"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
ROLES = ("stranger", "member", "own", "editor", "editor at administrator", "administrator")
STRANGER, MEMBER, OWN, EDITOR, EDITOR_AT_ADMINISTRATOR, ADMINISTRATOR = ROLES
STORED_AS = {MEMBER: "member", EDITOR: "editor", EDITOR_AT_ADMINISTRATOR: "editor", ADMINISTRATOR: "admin"}
# Pages that no other page links to: people are redirected there, or are given the URL.
NOT_LINKED = {
    "/users/views/{id}",
    "/users/bulk/{id}",
    "/users/bulk/{id}/apply",
    "/signin",
    "/signout",
    "/setup",
    "/set-password/{token}",
    "/static/*subpath",
}
# Forms that write no row, or only a thread after them: tests/users/imports/test_pages.py.
IN_SPOOL = {"/users/import", "/users/import/{key}", "/users/import/{key}/check", "/users/import/{key}/cancel"}
LINK = "link of the tests"
# Values for the fields of all forms; each form takes those that it has.
FILLED_IN = {
    "name": "Jane Doe",
    "email": "",
    "age": "30",
    "role": "admin",
    "active": "y",
    "title": "Good morning",
    "body": "Moon",
    "posts": "delete",
    "end": "others",
    "language": "ko",
    "page": "/",
    "password": "seven quiet llamas sing",
    "your_password": PASSWORD,
    "demo": "y",
    "query": "sort=-name",
    "for_all": "y",
    "size": "50",
    "time_zone": "Asia/Seoul",
    "action": "deactivate",
}

pytestmark = pytest.mark.usefixtures("nobody")


def includeme(config):
    """Add a page without a permission, one for everybody, and one with a permission that nobody has."""
    for name, options in {
        "forgotten": {},
        "open": {"permission": NO_PERMISSION_REQUIRED},
        "closed": {"permission": "nobody has this"},
    }.items():
        config.add_route(name, f"/{name}")
        config.add_view(lambda request: Response("Hello"), route_name=name, **options)


class Stage:
    """A browser in which a person with a role is signed in, and the rows for their requests, which may change them."""

    def __init__(self, wsgi, engine, make_post, make_view, role):
        self.owner = add_person(engine, "Ada Lovelace", "admin" if role == EDITOR_AT_ADMINISTRATOR else "member")
        self.post, self.view = make_post(author=self.owner), make_view(self.owner, for_all=role != OWN)
        self.entry = last_entry_of(engine, self.post)
        self.engine, self.app = engine, TestApp(wsgi, extra_environ={"HTTP_ACCEPT_LANGUAGE": "en"})
        browser_of(wsgi, engine, self.owner)
        if role != STRANGER:
            self.person = self.owner if role == OWN else add_person(engine, role.title(), STORED_AS[role])
            self.app = browser_of(wsgi, engine, self.person)
            make_view(self.person, "Of their own")
        self.selection = select_for(engine, self.owner if role == STRANGER else self.person, self.owner)
        with engine.begin() as connection:
            connection.execute(PasswordLink.__table__.delete())
            link = {"user_id": self.owner.id, "maker_id": self.owner.id, "token": digest(LINK)}
            connection.execute(PasswordLink.__table__.insert(), link)

    def path(self, page):
        """Return the path for `page`, the pattern of a route, with the ids of the rows."""
        of = {"/posts": self.post, "/users/views": self.view, "/users/bulk": self.selection, "/history": self.entry}
        row = next((row for start, row in of.items() if page.startswith(start)), self.owner)
        key = self.key if "{key}" in page else None
        return page.format(id=row.id, token=LINK, key=key).replace("*subpath", "site.css")

    @cached_property
    def key(self):
        """The key of an import of the person, which was checked."""
        return (
            checked_import(self.app.app, self.person.id, self.person.role).key if hasattr(self, "person") else "0" * 32
        )

    def request(self, page, method, /, **fields):
        """Request `page`; with POST, send a form with these fields and its CSRF token. Return the answer."""
        fields = {"POST": {"csrf_token": token_of(self.app), **fields}} if method == "POST" else {}
        return self.app.request(self.path(page), method=method, expect_errors=True, **fields)


@pytest.fixture
def stage(wsgi, outside, make_post, make_view):
    """Call `stage(role)`: return a new Stage."""
    return lambda role: Stage(wsgi, outside, make_post, make_view, role)


@pytest.fixture
def pages(wsgi):
    """The patterns of all routes of the application."""
    routes = wsgi.registry.introspector.get_category("routes")
    patterns = {route["introspectable"]["name"]: route["introspectable"]["pattern"] for route in routes}
    return ["/" + pattern.removeprefix("/") for name, pattern in patterns.items() if name != "probe"]


def last_entry_of(engine, post):
    """Return the last entry of the ledger that has changed `post`."""
    with Session(engine, expire_on_commit=False) as session:
        of_post = Change.table_name == "posts", Change.record_id == post.id
        change = session.scalars(select(Change).where(*of_post).order_by(Change.id.desc())).first()
        return session.get(Entry, change.entry_id)


def table():
    """Return the table: {(page, method): {role: answer}}."""
    lines = [line.strip("|").split("|") for line in TABLE.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    heading, _rule, *rows = [[cell.strip() for cell in line] for line in lines]
    assert heading == ["page", "method", *ROLES]
    table = {}
    for page, methods, *answers in rows:
        for method in methods.split(", "):
            key = page.replace("`", ""), method
            assert key not in table, f"twice in the table: {key}"
            table[key] = dict(zip(ROLES, answers, strict=True))
    return table


def expected_answer(page, method, role):
    """Return the answer in the table for one request."""
    lines, name = table(), re.search(r"{(id|key)}", page)
    kind = f"any with {name[0]}" if name else "any"
    return lines.get((page, method), lines[kind, "other"])[role]


def expected_answers(pages, role):
    """Return the answers in the table for all pages and methods: {(page, method): answer}."""
    answers = {(page, method): expected_answer(page, method, role) for page in pages for method in METHODS}
    return {key: answer for key, answer in answers.items() if answer != "–"}


def answered(response):
    """Return a response in the words of the table."""
    if response.status_int == 303 and response.location.partition("?")[0].endswith("/signin"):
        return "sign in"
    return "yes" if response.status_int in (200, 303, 422) else str(response.status_int)


def test_the_table_lists_every_page_and_nothing_else(pages):
    named = {page for page, _method in table() if not page.startswith("any")}
    assert named == set(pages)
    assert {method for _page, method in table()} <= {*METHODS, "other"}


@pytest.mark.parametrize("role", [OWN, EDITOR_AT_ADMINISTRATOR])
def test_only_pages_with_an_id_are_of_somebody(role):
    assert {page for (page, _method), cells in table().items() if (cells[role] != "–") != ("{id}" in page)} == set()


@pytest.mark.parametrize("role", ROLES)
def test_every_page_answers_every_method_as_the_table_says(pages, stage, role):
    here, answers, expected = stage(role), {}, expected_answers(pages, role)
    for page, method in expected:
        answers[page, method] = answered(
            here.request(page, method, **{name: FILLED_IN[name] for name in ("language", "page", "end", "size")})
        )
        # The form may have deleted the rows, or signed the person out.
        here = stage(role) if method == "POST" else here
    assert {key: answer for key, answer in answers.items() if answer != expected[key]} == {}


@pytest.mark.parametrize("role", [STRANGER, MEMBER, OWN, EDITOR, EDITOR_AT_ADMINISTRATOR])
def test_refused_requests_and_gets_write_nothing(pages, stage, role):
    here, wrote = stage(role), []
    # A refusal is a security event.
    before = everything_stored(here.engine, but_for={"security_events"})
    for (page, method), answer in expected_answers(pages, role).items():
        # Everybody may sign out.
        if method == "GET" or (answer != "yes" and (page, method) != ("/signout", "POST")):
            here.request(page, method, **FILLED_IN, author_id=here.owner.id)
            after = everything_stored(here.engine, but_for={"security_events"})
            wrote += [(page, method)] if after != before else []
            before = after
    assert wrote == []


def test_permitted_forms_write(pages, stage):
    wrote = set()
    for role in (OWN, ADMINISTRATOR):
        for page in pages:
            here = stage(role)
            before = everything_stored(here.engine)
            here.request(page, "POST", **FILLED_IN, author_id=here.owner.id)
            wrote |= {page} if everything_stored(here.engine) != before else set()
    taking = {page for page, method in table() if method == "POST"}
    assert wrote - IN_SPOOL == taking - {
        "/setup", "/language", "/users/display", "/signin", "/static/*subpath", *IN_SPOOL, *PROBES,
    }  # fmt: skip


def test_a_page_without_a_permission_needs_a_sign_in(settings, request, outside):
    settings["pyramid.includes"] = "tests.probe tests.test_permissions"
    wsgi = request.getfixturevalue("wsgi")
    stranger, app = TestApp(wsgi), browser_of(wsgi, outside, add_person(outside, role="admin"))
    assert stranger.get("/forgotten", status=303).location == "http://localhost/signin?next=%2Fforgotten"
    app.get("/forgotten", status=200)
    stranger.get("/open", status=200)
    stranger.get("/closed", status=303)
    app.get("/closed", status=403)


def test_strangers_do_not_learn_which_rows_exist(pages, stage):
    here, different = stage(STRANGER), []
    for page in (page for page in pages if "{id}" in page):
        path, [number] = here.path(page), re.findall("[0-9]+", here.path(page))
        # An id with as many digits that no row has.
        absent = path.replace(number, "9" * len(number))
        for method in METHODS:
            for fields in [{}, {"csrf_token": token_of(here.app), **FILLED_IN}] if method == "POST" else [None]:
                options = {"method": method, "expect_errors": True, **({} if fields is None else {"POST": fields})}
                there, not_there = (here.app.request(address, **options) for address in (path, absent))
                assert answered(there) == "sign in"
                if seen(there) != seen(not_there):
                    different.append((page, method))
    assert different == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_strangers_post_does_not_wait_for_the_write_lock(pages, stage, outside):
    here, done, slow = stage(STRANGER), {}, {}
    # Without /signin, since a wrong password is counted, and that is a write.
    paths = [here.path(page).replace(LINK, "unknown") for page in pages if page != "/signin"]
    with outside.connect() as writer:
        writer.exec_driver_sql("BEGIN IMMEDIATE")
        for path in paths:
            fields = {"csrf_token": token_of(here.app), "form_token": "0" * 32, **FILLED_IN}
            started = time.monotonic()
            done[path] = answered(here.app.post(path, fields, expect_errors=True))
            slow[path] = time.monotonic() - started
        writer.rollback()
    # A statement that waits for the lock gives up after 5 seconds.
    assert {path: seconds for path, seconds in slow.items() if seconds > 4} == {}
    assert [path for path, answer in done.items() if answer == "yes"] == ["/language", "/users/display"]
    assert set(done.values()) == {"yes", "sign in", "404", "405"}


def seen(response):
    """Return what a browser sees, but for the ids of the row and the request, and the value of the session cookie."""
    headers = [header for header in response.headerlist if header[0] not in ("Set-Cookie", "X-Request-Id")]
    cookies = [cookie.partition("=")[0] for cookie in response.headers.getall("Set-Cookie")]
    text = re.sub(r"(users|posts|views|bulk|history)(/|%2F)[0-9]+", r"\1\2?", f"{headers} {response.text}")
    return response.status, text, cookies


# Buttons and links


@pytest.mark.parametrize("role", ROLES)
def test_no_link_or_button_leads_to_a_refusal(pages, stage, role):
    here = stage(role)
    start = [
        here.path(page) for page in pages if page != "/static/*subpath" and expected_answer(page, "GET", role) == "yes"
    ]
    _reached, refused = crawl(here.app, start)
    assert refused == []


@pytest.mark.parametrize("role", [OWN, EDITOR, ADMINISTRATOR])
def test_every_permitted_page_is_linked_from_the_first(pages, stage, role):
    # The default view of the list cannot be saved, so the crawl starts at another one.
    here = stage(role)
    if role != OWN:
        here.path("{key}")
    reached, _refused = crawl(here.app, ["/users?sort=-name"])
    patterns = {page: re.sub(r"\{\w+\}|\*\w+", "[0-9a-f]+", page) for page in pages}
    found = {page for page, pattern in patterns.items() for path in reached if re.fullmatch(pattern, path)}
    roles = {MEMBER, OWN, role}
    open_to = {page for page in pages if "yes" in [expected_answer(page, "GET", each) for each in roles]}
    # The list links the sign-in page for those whose sign-in has ended while they search.
    assert found - {"/signin"} == open_to - NOT_LINKED


def test_the_crawl_notices_a_refused_link(stage):
    _reached, refused = crawl(stage(MEMBER).app, ["/users/new"])
    assert refused == [("GET", "/users/new", 403)]


def crawl(app, start):
    """Follow all links from `start` on; return the paths that answered 200 or 303, and the refused requests."""
    waiting, seen, reached, refused = list(start), set(), set(), []
    while waiting:
        address = waiting.pop()
        # A panel is a page of its own.
        path, panel = address.partition("?")[0], re.search("panel=[a-z]+", address)
        if address.startswith("mailto:") or (path, panel and panel[0]) in seen:
            continue
        seen.add((path, panel and panel[0]))
        page = app.get(address, expect_errors=True)
        if page.status_int not in (200, 303):
            refused.append(("GET", address, page.status_int))
            continue
        reached.add(path)
        if page.status_int == 303:
            waiting.append(page.location.removeprefix("http://localhost"))
            continue
        if page.content_type != "text/html":
            continue
        waiting += [link["href"] for link in page.html.select("a[href]:not([href^='#'])")]
        waiting += [form["action"] for form in page.html.select("form[action]:not([method=post])")]
        for form in page.html.select("form[method=post]"):
            action = form.get("action", path)
            # Without its CSRF token the form does nothing, and a missing permission is answered first.
            answer = app.post(action, status="*")
            if answer.status_int != 400 or "This page was open for too long" not in answer:
                refused.append(("POST", action, answer.status_int))
    return reached, refused


# Own pages


@pytest.mark.parametrize("role", ["member", "editor", "admin"])
def test_everybody_manages_their_own_password_and_sign_ins(wsgi, outside, role):
    person = add_person(outside, role=role)
    app = browser_of(wsgi, outside, person)
    for page in ("password", "sign-ins", "edit"):
        app.get(f"/users/{person.id}/{page}", status=200)


# Forged fields


@pytest.mark.parametrize("role", ["member", "editor"])
def test_nobody_changes_their_own_role(wsgi, outside, rows, role):
    person = add_person(outside, role=role)
    form = browser_of(wsgi, outside, person).get(f"/users/{person.id}/edit").forms["record"]
    assert "role" not in form.fields
    send(form, name="Jane Doe", role="admin")
    assert [(user.name, user.role) for user in rows(User)] == [("Jane Doe", role)]


def test_a_member_does_not_change_their_own_activity(wsgi, outside, rows):
    person = add_person(outside)
    form = browser_of(wsgi, outside, person).get(f"/users/{person.id}/edit").forms["record"]
    assert "active" not in form.fields
    send(form, name="Jane Doe", active="")
    assert [(user.name, user.active) for user in rows(User)] == [("Jane Doe", True)]


def test_an_editor_adds_only_members(wsgi, outside, rows):
    form = browser_of(wsgi, outside, add_person(outside, role="editor")).get("/users/new").forms["record"]
    assert "role" not in form.fields
    send(form, name="Jane Doe", role="admin", password_hash="x", id="77")
    new = rows(User)[-1]
    assert (new.name, new.role, new.password_hash, new.id != 77) == ("Jane Doe", "member", None, True)


@pytest.mark.parametrize("role", ["member", "editor"])
def test_an_editor_changes_nobodys_role(wsgi, outside, rows, role):
    other = add_person(outside, role=role)
    app = browser_of(wsgi, outside, add_person(outside, "Editor", "editor"))
    send(app.get(f"/users/{other.id}/edit").forms["record"], name="Jane Doe", role="editor", active="y")
    assert (rows(User)[0].name, rows(User)[0].role) == ("Jane Doe", role)


@pytest.mark.parametrize("page", ["edit", "delete"])
def test_an_editors_open_form_is_refused_once_the_user_is_an_administrator(wsgi, outside, rows, page):
    other = add_person(outside, "Ada Lovelace")
    form = (
        browser_of(wsgi, outside, add_person(outside, role="editor")).get(f"/users/{other.id}/{page}").forms["record"]
    )
    with outside.begin() as connection:
        connection.execute(User.__table__.update().where(User.id == other.id).values(role="admin"))
    form.submit(status=403)
    assert (rows(User)[0].name, rows(User)[0].email) == ("Ada Lovelace", other.email)


def test_an_administrator_changes_roles(wsgi, outside, rows):
    other = add_person(outside)
    app = browser_of(wsgi, outside, add_person(outside, "Admin", "admin"))
    send(app.get(f"/users/{other.id}/edit").forms["record"], role="editor")
    assert rows(User)[0].role == "editor"


def test_a_member_writes_only_in_their_own_name(wsgi, outside, rows):
    other, person = add_person(outside, "Ada Lovelace"), add_person(outside)
    form = browser_of(wsgi, outside, person).get(f"/posts/new?author_id={other.id}").forms["record"]
    assert "author_id" not in form.fields
    send(form, title="Hello", body="World", author_id=str(other.id), author=str(other.id))
    assert [post.author_id for post in rows(Post)] == [person.id]


def test_a_member_cannot_give_a_post_to_somebody_else(wsgi, outside, rows, make_post):
    other, person = add_person(outside, "Ada Lovelace"), add_person(outside)
    post = make_post(author=person)
    form = browser_of(wsgi, outside, person).get(f"/posts/{post.id}/edit").forms["record"]
    send(form, title="Good morning", author_id=str(other.id))
    assert [(post.title, post.author_id) for post in rows(Post)] == [("Good morning", person.id)]


def test_an_editor_writes_in_another_users_name(wsgi, outside, rows):
    other, editor = add_person(outside, "Ada Lovelace"), add_person(outside, role="editor")
    form = browser_of(wsgi, outside, editor).get("/posts/new").forms["record"]
    send(form, title="Hello", body="World", author_id=str(other.id))
    assert [post.author_id for post in rows(Post)] == [other.id]


def test_a_post_belongs_to_its_present_author(wsgi, outside, make_post):
    person, other = add_person(outside), add_person(outside)
    post, app = make_post(author=person), browser_of(wsgi, outside, person)
    app.get(f"/posts/{post.id}/edit", status=200)
    with outside.begin() as connection:
        connection.execute(Post.__table__.update().values(author_id=other.id))
    app.get(f"/posts/{post.id}/edit", status=403)


def send(form, **fields):
    """Send `form` with these values, also for fields that it does not have."""
    app, sent = form.response.test_app, {**dict(form.submit_fields()), **fields}
    return app.post(form.response.request.path_qs, sent, status=303)
