"""All users that match a filter but one are changed at once, and the change is undone."""

import pytest
from playwright.sync_api import expect

from myproject.models import User

from .test_history import is_accessible, take_pictures

WORDS = {
    "en-US": {
        "select": "Select users", "all": "Select all 40 that match", "selected": "{} selected",
        "page": "Select this page", "next": "Next →", "go_on": "Continue", "action": "Set role: Administrator",
        "will": "Will be changed (39)", "undo": "Undo", "done": "39 users were changed.",
        "undone": "Undone. 39 records were put back.",
    },
    "ko-KR": {
        "select": "사용자 선택", "all": "조건에 맞는 40명 모두 선택", "selected": "{}명 선택됨",
        "page": "이 페이지 선택", "next": "다음 →", "go_on": "계속", "action": "역할 변경: 관리자",
        "will": "변경될 사용자 (39)", "undo": "되돌리기", "done": "사용자 39명을 변경했습니다.",
        "undone": "39개 항목을 되돌렸습니다.",
    },
}  # fmt: skip


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("locale", WORDS)
def test_all_that_match_a_filter_but_one_are_changed_and_changed_back(browse, rows, complaints, locale):
    words, page, before = WORDS[locale], browse(locale=locale), roles(rows)
    page.goto("/users?role=member&sort=-name")
    take_pictures(page, f"users-to-select-{locale}")
    page.get_by_role("button", name=words["select"]).click()
    expect_selected(page, words, 0)
    # A script counts what is ticked on the page, before it is saved.
    page.get_by_role("button", name=words["page"]).click()
    expect_selected(page, words, 25)
    page.get_by_role("button", name=words["all"]).click()
    expect_selected(page, words, 40)
    page.get_by_role("button", name=words["next"]).click()
    expect(page.get_by_role("checkbox")).to_have_count(15)
    spared = page.locator("tbody label").last.inner_text()
    page.get_by_label(spared, exact=True).uncheck()
    expect_selected(page, words, 39)
    assert is_accessible(page)
    take_pictures(page, f"users-selected-{locale}")
    page.get_by_role("combobox").select_option(label=words["action"])
    page.get_by_role("button", name=words["go_on"]).click()
    expect(page.get_by_role("heading", name=words["will"])).to_be_visible()
    assert is_accessible(page)
    take_pictures(page, f"users-bulk-{locale}")
    page.get_by_role("button", name=words["action"]).click()
    expect(page.get_by_role("status")).to_have_text(words["done"])
    assert [name for name, role in roles(rows).items() if role == "member"] == [spared]
    page.locator(".alert-success").get_by_role("link", name=words["undo"]).click()
    page.get_by_role("button", name=words["undo"], exact=True).click()
    expect(page.get_by_role("status")).to_have_text(words["undone"])
    assert roles(rows) == before
    assert complaints == []


def roles(rows):
    return {user.name: user.role for user in rows(User)}


def expect_selected(page, words, number):
    expect(page.locator("#selected")).to_have_text(words["selected"].format(number))
