"""Going back to a form that was sent, with Chromium's page cache (bfcache), as people have it."""

import pytest
from playwright.sync_api import expect

from myproject.models import Post, User


def go_back(page):
    """Go back to the page before, which the browser has kept as it was; `go_back` of Playwright may wait for ever."""
    page.evaluate("setTimeout(() => history.back())")
    expect(page.locator("#record")).to_be_visible()
    assert page.evaluate("window.persisted"), "the page did not come from the page cache"


@pytest.fixture
def page(browse):
    """A window which notes whether a page comes from the page cache."""
    page = browse()
    page.goto("/users")
    return page


def open_form(page, path):
    """Open the page at `path`, and note when it is shown again."""
    page.goto(path)
    page.evaluate("addEventListener('pageshow', event => { window.persisted = event.persisted })")


def test_a_user_changed_after_going_back_can_be_added_too(page, rows):
    open_form(page, "/users/new")
    page.get_by_label("Name").fill("Anna")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("status")).to_have_text("Anna was added.")
    go_back(page)
    page.get_by_label("Name").fill("Berta")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_contain_text("Anna was added already.")
    expect(page.get_by_label("Name")).to_have_value("Berta")
    page.get_by_role("button", name="Add another").click()
    expect(page.get_by_role("status")).to_have_text("Berta was added.")
    assert [user.name for user in rows(User)] == ["Anna", "Berta"]


def test_a_user_changed_after_going_back_can_be_changed(page, rows):
    open_form(page, "/users/new")
    page.get_by_label("Name").fill("Anna")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("status")).to_have_text("Anna was added.")
    go_back(page)
    page.get_by_label("Age").fill("40")
    page.get_by_role("button", name="Add").click()
    page.get_by_role("button", name="Change Anna").click()
    expect(page.get_by_role("status")).to_have_text("The changes to Anna were saved.")
    assert [(user.name, user.age) for user in rows(User)] == [("Anna", 40)]


def test_a_post_edited_again_after_going_back_is_not_lost(page, make_post, rows):
    post = make_post()
    open_form(page, f"/posts/{post.id}/edit")
    page.get_by_label("Title").fill("First")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("First")
    go_back(page)
    page.get_by_label("Title").fill("Second")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("already")
    expect(page.get_by_label("Title")).to_have_value("Second")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Second")
    assert [post.title for post in rows(Post)] == ["Second"]


def test_the_same_form_again_after_going_back_leads_to_the_same_page(page, rows):
    open_form(page, "/users/new")
    page.get_by_label("Name").fill("Anna")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("status")).to_have_text("Anna was added.")
    go_back(page)
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("status")).to_have_text("This was already done.")
    assert [user.name for user in rows(User)] == ["Anna"]


@pytest.mark.parametrize(
    ("text", "answer"), [("a", "Enter at most 20,000 characters."), ("가", "your text is still there")]
)
def test_a_text_that_is_too_long_can_be_shortened(page, make_post, text, answer, rows):
    open_form(page, f"/posts/{make_post().id}/edit")
    page.get_by_label("Text").fill(text * 60_000)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("main")).to_contain_text(answer)
    if text == "가":  # Longer than the body of a form may be.
        page.evaluate("setTimeout(() => history.back())")
    expect(page.get_by_label("Text")).to_have_value(text * 60_000)
    page.get_by_label("Text").fill(text * 20_000)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("was saved")
    assert [post.body for post in rows(Post)] == [text * 20_000]
