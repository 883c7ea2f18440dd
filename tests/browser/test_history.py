"""A change is undone and done again, a deleted person comes back, and the history of a record tells of both."""

import re

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import expect

from myproject.models import User

from .test_pages import NARROWEST, PICTURES, violations, width_needed

WORDS = {
    "en-US": {
        "name": "Name", "save": "Save", "undo": "Undo", "delete": "Delete", "history": "History",
        "undone": "Undone. 1 record was put back.", "restored": "will be restored",
    },
    "ko-KR": {
        "name": "이름", "save": "저장", "undo": "되돌리기", "delete": "삭제", "history": "변경 이력",
        "undone": "1개 항목을 되돌렸습니다.", "restored": "복원됩니다",
    },
}  # fmt: skip


@pytest.mark.parametrize("locale", WORDS)
def test_a_change_and_a_deletion_are_undone(browse, make_user, rows, complaints, locale):
    user, words = make_user("Ada Lovelace", age=36), WORDS[locale]
    page = browse(locale=locale)
    page.goto(f"/users/{user.id}/edit")
    page.get_by_label(words["name"], exact=True).fill("Ada King")
    page.get_by_role("button", name=words["save"]).click()
    undo(page, words, f"undo-{locale}")
    assert names(rows) == ["Ada Lovelace"]
    undo(page, words)
    assert names(rows) == ["Ada King"]
    deletes(page, words, user)
    assert names(rows) == []
    restores(page, words, locale)
    assert [(row.id, row.name, row.age) for row in rows(User)] == [(user.id, "Ada King", 36)]
    page.goto(f"/users/{user.id}")
    page.get_by_role("main").get_by_role("link", name=words["history"]).click()
    expect(page.locator("main del").filter(has_text="Ada Lovelace").first).to_be_visible()
    assert is_accessible(page)
    assert complaints == []


def names(rows):
    return [user.name for user in rows(User)]


def undo(page, words, picture=None):
    """Follow the link in the message, look at the page that asks, and confirm."""
    page.locator(".alert-success").get_by_role("link", name=words["undo"]).click()
    expect(page.locator("main del").first).to_be_visible()
    assert is_accessible(page)
    if picture:
        take_pictures(page, picture)
    page.get_by_role("button", name=words["undo"], exact=True).click()
    expect(page.get_by_role("status")).to_have_text(words["undone"])


def deletes(page, words, user):
    page.goto(f"/users/{user.id}/delete")
    page.get_by_role("button", name=words["delete"], exact=True).click()
    expect(page).to_have_url(re.compile("/users$"))


def restores(page, words, locale):
    page.locator(".alert-success").get_by_role("link", name=words["undo"]).click()
    expect(page.get_by_text(words["restored"])).to_be_visible()
    assert is_accessible(page)
    take_pictures(page, f"undo-deletion-{locale}")
    page.get_by_role("button", name=words["undo"], exact=True).click()
    expect(page.get_by_role("status")).to_have_text(words["undone"])


def is_accessible(page):
    """Return whether axe finds nothing."""
    page.evaluate(AXE_SCRIPT)
    return violations(page) == ""


def take_pictures(page, name):
    """Photograph the page in the light and in the dark, narrow and wide."""
    size = page.viewport_size
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (320, 1280):
            page.set_viewport_size({"width": width, "height": 760})
            page.screenshot(path=PICTURES / f"{name}-{scheme}-{width}.png", full_page=True)
            assert width > NARROWEST or width_needed(page) <= NARROWEST
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(size)
