"""Every page, in both languages, light and dark, narrow and wide: a picture of it, and what a browser finds wrong.

The pictures are in build/screenshots.
"""

import itertools
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.sync_playwright import Axe

from . import ROOT

PICTURES = ROOT / "build" / "screenshots"
WIDTHS = {320: 640, 1280: 760}


@dataclass(frozen=True)
class Visit:
    """How to come to a page: open `path`, fill in the fields, press; and what it answers."""

    path: str
    fields: dict = field(default_factory=dict)
    press: str | None = None
    status: int = 200


PAGES = {
    "users": Visit("/users"),
    "users-second-page": Visit("/users", press="a[rel=next]"),
    "users-new": Visit("/users/new"),
    "users-refused": Visit(
        "/users/new", {"email": "nobody", "age": "３０"}, press="main form button", status=422
    ),
    "users-show": Visit("/users/1"),
    "users-show-without-posts": Visit("/users/2"),
    "users-edit": Visit("/users/1/edit"),
    "users-delete": Visit("/users/1/delete"),
    "users-delete-without-posts": Visit("/users/2/delete"),
    "users-saved": Visit("/users/1/edit", press="main form button"),
    "posts": Visit("/posts"),
    "posts-new": Visit("/posts/new?author_id=1"),
    "posts-refused": Visit("/posts/new", press="main form button", status=422),
    "posts-show": Visit("/posts/1"),
    "posts-edit": Visit("/posts/1/edit"),
    "posts-delete": Visit("/posts/1/delete"),
    "overview": Visit("/overview"),
    "error-400": Visit("/users?cursor=broken", status=400),
    "error-404": Visit("/nowhere", status=404),
}
EMPTY_PAGES = {
    "users-empty": Visit("/users"),
    "posts-empty": Visit("/posts"),
    "posts-new-empty": Visit("/posts/new"),
    "overview-empty": Visit("/overview"),
}
LONG_PAGES = ["/users", "/users/1", "/users/1/edit", "/users/1/delete", "/posts", "/posts/1", "/posts/1/edit"]


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.usefixtures("people")
def test_a_page_is_sound_in_every_window(browse, complaints, name):
    in_every_window(browse, complaints, name, PAGES[name])


@pytest.mark.parametrize("name", EMPTY_PAGES)
def test_a_page_is_sound_before_there_is_anything_to_show(browse, complaints, name):
    in_every_window(browse, complaints, name, EMPTY_PAGES[name])


def test_text_of_any_length_stays_within_a_narrow_window(browse, make_user, make_post):
    author = make_user(name="W" * 200, email=f"{'w' * 60}@{'w' * 60}.example")
    make_post(title="W" * 200, body="https://example.com/" + "w" * 500, author=author)
    page = browse(viewport={"width": 320, "height": 640})
    for path in LONG_PAGES:
        page.goto(path)
        assert width_needed(page) <= 320, path


def in_every_window(browse, complaints, name, visit):
    """Come to the page once in each language, and look at it in each width and colour scheme."""
    for language in ("en", "ko"):
        page = browse(locale=language)
        assert arrive(page, visit) == visit.status
        assert page.locator("html").get_attribute("lang") == language
        for (width, height), scheme in itertools.product(WIDTHS.items(), ("light", "dark")):
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=scheme)
            picture = f"{name}-{language}-{scheme}-{width}"
            page.screenshot(path=PICTURES / f"{picture}.png", full_page=True, animations="disabled")
            assert width_needed(page) <= width, picture
            found = Axe().run(page)
            assert not found.violations_count, f"{picture}: {found.generate_report()}"
        # A browser says on its console that a page was answered by an error.
        expected = [f"status of {visit.status} "] if visit.status >= 400 else []
        assert len(complaints) == len(expected), complaints
        assert all(part in complaint for part, complaint in zip(expected, complaints, strict=True)), complaints
        complaints.clear()


def arrive(page, visit):
    """Go the way that `visit` describes; return the status of the last page."""
    response = page.goto(visit.path)
    for name, value in visit.fields.items():
        page.locator(f"[name={name}]").fill(value)
    if visit.press:
        with page.expect_navigation() as arrival:
            page.locator(visit.press).click()
        response = arrival.value
    return response.status


def width_needed(page):
    """Return the width of all that is on the page, in CSS pixels."""
    return page.evaluate("document.documentElement.scrollWidth")
