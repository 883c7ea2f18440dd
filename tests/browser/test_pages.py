"""Every page, in both languages, light and dark, narrow and wide: a picture of it, and what a browser finds wrong.

The pictures are in build/screenshots.
"""

import itertools
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.base import AXE_SCRIPT, AxeResults

from . import ROOT

PICTURES = ROOT / "build" / "screenshots"
LANGUAGES, SCHEMES, WIDTHS = ("en", "ko"), ("light", "dark"), (320, 1280)


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
    "users-refused": Visit("/users/new", {"email": "nobody", "age": "151"}, press="main form button", status=422),
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
    page = browse(width=320)
    for path in LONG_PAGES:
        page.goto(path)
        assert width_needed(page) <= 320, path


def in_every_window(browse, complaints, name, visit):
    """Come to the page once in each language, and look at it in each width and colour scheme."""
    for language in LANGUAGES:
        page = browse(locale=language)
        assert arrive(page, visit) == visit.status
        assert page.locator("html").get_attribute("lang") == language
        page.evaluate(AXE_SCRIPT)
        for width, scheme in itertools.product(WIDTHS, SCHEMES):
            page.set_viewport_size({"width": width, "height": 760})
            page.emulate_media(color_scheme=scheme)
            picture = f"{name}-{language}-{scheme}-{width}"
            page.screenshot(path=PICTURES / f"{picture}.png", full_page=True, animations="disabled")
            assert width_needed(page) <= width, picture
            if (language == "ko") ^ (width == 320) ^ (scheme == "dark"):
                # In every second window: each scheme at each width, each language in both. It takes its time.
                assert violations(page) == "", picture
        # A browser says on its console that a page was answered by an error.
        answered = [f"Failed to load resource: the server responded with a status of {visit.status} "]
        assert [complaint.partition("(")[0] for complaint in complaints] == answered * (visit.status >= 400)
        complaints.clear()


def violations(page):
    """Return what axe, already on the page, finds there that keeps people out; empty where it finds nothing."""
    found = AxeResults(page.evaluate("axe.run({resultTypes: ['violations']})"))
    return found.generate_report() if found.violations_count else ""


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
