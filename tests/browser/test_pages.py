"""Every page in both languages, light and dark, narrow and wide: its screenshot, and the defects a browser finds.

The screenshots are in build/screenshots.
"""

import datetime
import itertools
import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy
from axe_playwright_python.base import AXE_SCRIPT, AxeResults

from myproject.db.base import utcnow
from myproject.history.events.kinds import KINDS
from myproject.models import SecurityEvent, SelectedUser, Selection, SignIn, StoredFigures, User
from myproject.overview.views import LARGEST_SMALL, NAME

from . import ADMINISTRATOR, MEMBER, ROOT

PICTURES = ROOT / "build" / "screenshots"
# CSS pixels: https://www.w3.org/TR/WCAG22/#reflow
NARROWEST = 320
LANGUAGES, SCHEMES, WIDTHS = ("en", "ko"), ("light", "dark"), (NARROWEST, 1280)
CLIPPED_TEXT = (Path(__file__).parent / "clipped_text.js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Visit:
    """How to reach a page: open `path`, fill in `fields`, click `press`. `status` is that of the last page.

    `meanwhile` is SQL that another program executes while the page is open.
    """

    path: str
    fields: dict = field(default_factory=dict)
    press: str | None = None
    status: int = 200
    session: str | None = ADMINISTRATOR
    meanwhile: str | None = None


def changed_meanwhile(path, fields, statement):
    """Return the Visit of a form whose record was changed by `statement` before it was sent."""
    return Visit(path, fields, press="main .actions button", status=409, meanwhile=statement)


WRITE_A_POST = "INSERT INTO posts (title, body, author_id) VALUES ('Minutes of the last meeting', 'No cake.', 1)"
WRONG = {"email": "nobody@example.com", "password": "correct horse battery staple"}
PAGES = {
    "users": Visit("/users"),
    "users-second-page": Visit("/users", press="a[rel=next]"),
    "users-search": Visit("/users?q=il+person1+-test&role=member&panel=filters"),
    "users-nobody": Visit("/users?q=nobody+age:90-10"),
    "users-places": Visit("/users?panel=places"),
    "users-places-of-days": Visit("/users?sort=joined&panel=places"),
    "users-columns": Visit("/users?panel=display"),
    "users-export": Visit("/users?role=editor&panel=export"),
    "posts-of-one-author": Visit("/posts?author=1&panel=export"),
    "users-help": Visit("/users/help"),
    "users-new": Visit("/users/new"),
    "users-refused": Visit("/users/new", {"email": "nobody", "age": "151"}, press="main .actions button", status=422),
    "users-show": Visit("/users/1"),
    "users-show-without-posts": Visit("/users/2"),
    "users-edit": Visit("/users/1/edit"),
    "users-merged": changed_meanwhile(
        "/users/1/edit",
        {"email": "ada@example.com"},
        "UPDATE users SET age = age + 1, active = NOT active WHERE id = 1",
    ),
    "users-conflict": changed_meanwhile(
        "/users/1/edit",
        {"name": "Ada King", "age": "36"},
        "UPDATE users SET name = name || ' Noel', email = 'a' || email, active = NOT active WHERE id = 1",
    ),
    "users-delete-changed": changed_meanwhile("/users/1/delete", {}, WRITE_A_POST),
    "users-delete": Visit("/users/1/delete"),
    "users-delete-without-posts": Visit("/users/2/delete"),
    "users-saved": Visit("/users/1/edit", press="main .actions button"),
    "users-view": Visit("/users?q=a&role=editor&sort=-age"),
    "saved-views": Visit("/users/views"),
    "saved-views-new": Visit("/users/views/new?q=a&role=editor&sort=-age"),
    "saved-views-refused": Visit(
        "/users/views/new?q=a", {"name": "From before"}, press="main .actions button", status=422
    ),
    "saved-views-too-long": Visit("/users/views/new?q=" + "%EA%B0%80" * 300),
    "saved-views-edit": Visit("/users/views/2/edit"),
    "saved-views-conflict": changed_meanwhile(
        "/users/views/1/edit",
        {"name": "Left"},
        "UPDATE saved_views SET name = name || '!', for_all = NOT for_all WHERE id = 1",
    ),
    "saved-views-delete-changed": changed_meanwhile(
        "/users/views/4/delete", {}, "UPDATE saved_views SET name = name || '!' WHERE id = 4"
    ),
    "saved-views-delete": Visit("/users/views/4/delete"),
    "posts": Visit("/posts"),
    "posts-new": Visit("/posts/new?author_id=1"),
    "posts-refused": Visit("/posts/new", press="main .actions button", status=422),
    "posts-show": Visit("/posts/1"),
    "posts-edit": Visit("/posts/1/edit"),
    "posts-delete": Visit("/posts/1/delete"),
    "posts-conflict": changed_meanwhile(
        "/posts/1/edit",
        {"title": "Minutes", "body": "We met.\n\nThere was cake."},
        "UPDATE posts SET title = title || '!', body = body || ' And tea.' WHERE id = 1",
    ),
    "posts-delete-changed": changed_meanwhile(
        "/posts/1/delete", {}, "UPDATE posts SET body = body || '!' WHERE id = 1"
    ),
    "overview": Visit("/overview"),
    "events": Visit("/history/events"),
    "events-filtered": Visit("/history/events?user=1&kind=account+changed&day=2026-11"),
    "signin": Visit("/signin", session=None),
    "signin-refused": Visit("/signin", WRONG, press="main .actions button", status=422, session=None),
    "signout": Visit("/signout"),
    "own-page": Visit("/users/1", session=MEMBER),
    "own-password": Visit("/users/1/password", session=MEMBER),
    "own-time-zone": Visit("/users/1/time-zone", session=MEMBER),
    "sign-ins": Visit("/users/1/sign-ins", session=MEMBER),
    "sign-ins-nowhere": Visit("/users/2/sign-ins"),
    "password-link": Visit("/users/1/password-link"),
    "password-link-shown": Visit("/users/1/password-link", press="main .actions button"),
    "password-link-inactive": Visit("/users/4/password-link"),
    "password-link-without-email": Visit("/users/7/password-link"),
    "set-password": Visit("/set-password/link", session=None),
    "set-password-signed-in": Visit("/set-password/link", session=MEMBER),
    "set-password-refused": Visit(
        "/set-password/link", {"password": "short"}, press="main .actions button", status=422, session=None
    ),
    "set-password-unknown": Visit("/set-password/used", session=None, status=404),
    "erase": Visit("/users/1/erase"),
    "erase-changed": changed_meanwhile("/users/1/erase", {}, WRITE_A_POST),
    "error-403": Visit("/users/new", status=403, session=MEMBER),
    "error-400": Visit("/users?cursor=broken", status=400),
    "error-404": Visit("/nowhere", status=404),
}
EVENTS = [
    *[{"kind": kind, "user_id": 1, "address": "192.0.2.1"} for kind in KINDS],
    {"kind": "password link made", "user_id": 2, "actor_id": 1, "address": "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"kind": "refused", "user_id": 99, "actor_id": 99, "facts": '{"page": "POST /users/12345/password-link"}'},
    {"kind": "form refused", "facts": '{"page": "POST /users/new", "why": "without its token"}'},
    {"kind": "administrator made", "user_id": 1, "facts": '{"command": "create_admin"}'},
    {"kind": "sign-in failed", "number": 1234},
    {
        "kind": "account changed",
        "user_id": 1,
        "actor_id": 2,
        "facts": '{"role": "admin", "role_before": "member", "active": true, "active_before": false}',
    },
]
HISTORY_PAGES = {
    "history": Visit("/history"),
    "history-filtered": Visit(
        "/history?what=users-changed&from=2020-01-01&record=users-1&route=users.edit&to=nonsense"
    ),
    "history-nothing": Visit("/history?who=program&what=saved_views-deleted"),
    "history-entry": Visit("/history?route=posts.edit", press="main .list-group-item:first-child > a"),
    "history-entry-of-many": Visit("/history?what=users-deleted", press="main .list-group-item:first-child > a"),
    "history-of-a-user": Visit("/users/1/history"),
    "history-of-a-deleted-user": Visit("/users/20/history"),
    "history-as-it-was": Visit("/users/1/history?at=2026-11-30T10:00"),
    "history-of-a-post": Visit("/posts/1/history"),
    "history-own": Visit("/users/1/history", session=MEMBER),
    "history-undo": Visit("/posts/1/history", press="main a[href*=undo] >> nth=0"),
    "history-deleted": Visit("/history/deleted"),
    "history-deleted-posts": Visit("/history/deleted?what=posts"),
}
EMPTY_PAGES = {
    "events-empty": Visit("/history/events"),
    "history-deleted-empty": Visit("/history/deleted"),
    "posts-empty": Visit("/posts"),
    "saved-views-empty": Visit("/users/views"),
}
FIRST_PAGES = {
    "setup": Visit("/setup", session=None),
    "setup-refused": Visit("/setup", press="main .actions button", status=422, session=None),
}
SELECTION_PAGES = {
    "users-bulk-changed": changed_meanwhile(
        "/users/bulk/1/apply?action=delete", {}, "UPDATE users SET name = name || '!' WHERE id = 6"
    ),
    "users-bulk-choose": Visit("/users/bulk/1/apply"),
    "users-bulk-export": Visit("/users/bulk/1/apply?action=export"),
}
LONG_PAGES = [
    *["/users", "/users/1", "/users/1/edit", "/users/1/delete", "/posts", "/posts/1", "/posts/1/edit"],
    *["/users/1/erase", "/users/1/password-link", "/users/1/sign-ins"],
    *["/users/bulk/1", "/users/bulk/1/apply?action=delete"],
    *["/history", "/history/1", "/history/2", "/history/3", "/users/1/history", "/posts/1/history?at=2030-01-01T00:00"],
    *["/history/events?user=1", "/history?record=users-1&route=" + "w" * 100],
    *["/users/views", "/users/views/1/edit", "/users/views/1/delete", "/users/views/new?q=" + "W" * 400],
]


@pytest.fixture
def events(outside):
    """Security events of every kind, and with everything that the page may show of one."""
    with outside.begin() as connection:
        for number, values in enumerate(EVENTS):
            moment = datetime.datetime(2026, 11, 21, 6, number, tzinfo=datetime.UTC)
            connection.execute(sqlalchemy.insert(SecurityEvent).values(happened_at=moment, **values))


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.usefixtures("member", "saved_views", "events")
def test_a_page_has_no_defect_in_any_window(browse, complaints, outside, name):
    in_every_window(browse, complaints, outside, name, PAGES[name])


@pytest.mark.parametrize("name", HISTORY_PAGES)
@pytest.mark.usefixtures("member", "history")
def test_a_page_of_the_history_has_no_defect_in_any_window(browse, complaints, outside, name):
    in_every_window(browse, complaints, outside, name, HISTORY_PAGES[name])


@pytest.mark.parametrize("name", SELECTION_PAGES)
@pytest.mark.usefixtures("selection")
def test_a_page_of_a_selection_has_no_defect_in_any_window(browse, complaints, outside, name):
    in_every_window(browse, complaints, outside, name, SELECTION_PAGES[name])


@pytest.mark.parametrize("name", EMPTY_PAGES)
def test_an_empty_page_has_no_defect_in_any_window(browse, complaints, outside, name):
    in_every_window(browse, complaints, outside, name, EMPTY_PAGES[name])


@pytest.mark.parametrize("name", FIRST_PAGES)
@pytest.mark.usefixtures("nobody")
def test_the_setup_page_has_no_defect_in_any_window(browse, complaints, outside, name):
    in_every_window(browse, complaints, outside, name, FIRST_PAGES[name])


@pytest.fixture
def unknown_role(people, outside):
    """User 2 has a role that no page can show."""
    with outside.begin() as connection:
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        connection.exec_driver_sql("UPDATE users SET role = 'unknown' WHERE id = 2")


@pytest.mark.usefixtures("unknown_role")
def test_the_error_page_with_the_number_of_its_request_has_no_defect_in_any_window(browse, complaints, outside):
    in_every_window(browse, complaints, outside, "error-500", Visit("/users/2", status=500))


def test_long_text_fits_into_a_narrow_window(browse, make_user, make_post, make_view, outside):
    author = make_user(name="W" * 200, email=f"{'w' * 60}@{'w' * 60}.example")
    make_post(title="W" * 200, body="https://example.com/" + "w" * 500, author=author)
    make_view(author, "W" * 100, "q=" + "W" * 400, for_all=True)
    with outside.begin() as connection:
        values = {"kind": "signed in", "user_id": author.id, "actor_id": author.id, "address": "W" * 45}
        connection.execute(sqlalchemy.insert(SecurityEvent).values(values))
        connection.execute(sqlalchemy.insert(Selection).values(user_id=0, query="q=" + "W" * 200))
        connection.execute(sqlalchemy.insert(SelectedUser).values(selection_id=1, user_id=author.id, version=1))
    page = browse(width=NARROWEST)
    for path in LONG_PAGES:
        page.goto(path)
        assert width_needed(page) <= NARROWEST, path
        assert page.evaluate(CLIPPED_TEXT) == [], path
    # Sign the author in instead of the administrator.
    with outside.begin() as connection:
        connection.execute(sqlalchemy.update(SignIn).values(user_id=author.id, browser="W" * 300))
    for path in ["/users/1", "/users/1/sign-ins", "/users/1/password", "/users/new"]:
        page.goto(path)
        assert page.get_by_role("navigation").get_by_text("W" * 200).count() == 1
        assert width_needed(page) <= NARROWEST, path
        assert page.evaluate(CLIPPED_TEXT) == [], path


CLIPPED = {
    "outside of the window": '<p style="margin-left: 300px; white-space: nowrap">Administrator</p>',
    "cut off": '<div style="width: 50px; overflow: hidden"><b style="white-space: nowrap">Administrator</b></div>',
    "wider than its control": '<input placeholder="Administrator" style="width: 50px">',
    "wider than its element": '<p style="width: 50px">Administrator</p>',
}


@pytest.mark.parametrize("reason", CLIPPED)
def test_clipped_text_is_found(chromium, reason):
    page = chromium.new_page(viewport={"width": NARROWEST, "height": 760})
    page.set_content(CLIPPED[reason])
    assert f"{reason}: Administrator" in page.evaluate(CLIPPED_TEXT)
    page.set_content(f'<div style="clip-path: inset(50%)">{CLIPPED[reason]}</div><p>Administrator</p>')
    assert page.evaluate(CLIPPED_TEXT) == []
    page.close()


def in_every_window(browse, complaints, outside, name, visit):
    """Open the page once in each language, and check it in each width and colour scheme."""
    for language in LANGUAGES:
        page = browse(locale=language, session=visit.session)
        assert arrive(page, visit, outside) == visit.status
        assert page.locator("html").get_attribute("lang") == language
        page.evaluate(AXE_SCRIPT)
        for width, scheme in itertools.product(WIDTHS, SCHEMES):
            page.set_viewport_size({"width": width, "height": 760})
            page.emulate_media(color_scheme=scheme)
            picture = f"{name}-{language}-{scheme}-{width}"
            page.screenshot(path=PICTURES / f"{picture}.png", full_page=True, animations="disabled")
            assert width_needed(page) <= width, picture
            if width == NARROWEST:
                assert page.evaluate(CLIPPED_TEXT) == [], picture
            if (language == "ko") ^ (width == 320) ^ (scheme == "dark"):
                # axe is slow, so it checks half of the combinations: each scheme at each width, each language in both.
                assert violations(page) == "", picture
        # A browser reports the status of an error page on its console.
        answered = [f"Failed to load resource: the server responded with a status of {visit.status} "]
        assert [complaint.partition("(")[0] for complaint in complaints] == answered * (visit.status >= 400)
        complaints.clear()


def violations(page):
    """Return the accessibility violations that axe finds, or an empty text. Its script is on the page already."""
    found = AxeResults(page.evaluate("axe.run({resultTypes: ['violations']})"))
    return found.generate_report() if found.violations_count else ""


def arrive(page, visit, outside):
    """Reach the page as `visit` describes; return its status."""
    response = page.goto(visit.path)
    if visit.meanwhile:
        with outside.begin() as connection:
            connection.exec_driver_sql(visit.meanwhile)
    for name, value in visit.fields.items():
        page.locator(f"[name={name}]").fill(value)
    if visit.press:
        with page.expect_navigation() as arrival:
            page.locator(visit.press).click()
        response = arrival.value
    return response.status


def width_needed(page):
    """Return the width of the whole page in CSS pixels."""
    return page.evaluate("document.documentElement.scrollWidth")


@pytest.mark.parametrize("count", [678, 1234, 9_999_999])
def test_numbers_beside_bars_fit_into_the_narrowest_window(browse, outside, count):
    figures = {"posts": 0, "roles": [["member", count]], "bands": [[20, count]], "months": [[2026, 11, count]]}
    with outside.begin() as connection:
        connection.execute(sqlalchemy.insert(User), [{"name": "John Doe"}] * (LARGEST_SMALL + 1))
        row = {"name": f"{NAME} UTC", "figures": json.dumps(figures), "counted_at": utcnow()}
        connection.execute(sqlalchemy.insert(StoredFigures).values(row))
    page = browse(width=NARROWEST)
    page.goto("/overview")
    numbers = page.locator("svg text", has_text=f"{count:,}").all()
    assert len(numbers) == 3
    assert max(text.bounding_box()["x"] + text.bounding_box()["width"] for text in numbers) <= NARROWEST
