"""Leaving a form with unsaved entries: the browser asks first."""

import re

import pytest
from playwright.sync_api import expect

from myproject.models import User


@pytest.fixture
def page(browse, make_user):
    """A window with the form of a user, John Doe."""
    user, page = make_user("John Doe", age=30), browse()
    page.goto(f"/users/{user.id}/edit")
    return page


def asked(page, action, *, leave=False):
    """Return the kind of question that the browser asks during `action()`, or `None`; answer it by `leave`."""
    questions, url = [], page.url

    def answer(dialog):
        questions.append(dialog.type)
        dialog.accept() if leave else dialog.dismiss()

    page.on("dialog", answer)
    action()
    # A form is sent a moment after the click.
    for _moment in range(40):
        if not questions and page.url == url:
            page.wait_for_timeout(50)
    page.remove_listener("dialog", answer)
    return questions[0] if questions else None


def click(page, name):
    """Return the function that clicks the link or button with this name, without waiting for another page."""
    target = page.get_by_role("link", name=name, exact=True).or_(page.get_by_role("button", name=name, exact=True))
    return lambda: target.click(no_wait_after=True)


@pytest.mark.parametrize("way", ["Posts", "한국어", "Cancel", "Sign out"])
def test_an_edited_form_is_left_only_after_a_question(page, way):
    page.get_by_label("Name").fill("Johnny")
    assert asked(page, click(page, way)) == "beforeunload"
    expect(page.get_by_label("Name")).to_have_value("Johnny")


def test_a_form_is_left_by_somebody_who_says_so(page):
    page.get_by_label("Active").uncheck()
    assert asked(page, click(page, "Posts"), leave=True) == "beforeunload"
    expect(page).to_have_url(re.compile("/posts$"))


@pytest.mark.parametrize("label", ["Age", "Role", "Active"])
def test_every_kind_of_field_counts(page, label):
    field = page.get_by_label(label, exact=True)
    {"Age": lambda: field.fill("31"), "Role": lambda: field.select_option("editor"), "Active": field.uncheck}[label]()
    assert asked(page, click(page, "Posts")) == "beforeunload"


def test_a_form_with_its_first_values_is_left_without_a_question(page):
    page.get_by_label("Name").fill("Johnny")
    page.get_by_label("Name").fill("John Doe")
    assert asked(page, click(page, "Posts")) is None
    expect(page).to_have_url(re.compile("/posts$"))


def test_a_form_is_sent_without_a_question(page, rows):
    page.get_by_label("Name").fill("Johnny")
    assert asked(page, click(page, "Save")) is None
    expect(page.get_by_role("status")).to_have_text("The changes to Johnny were saved.")
    assert asked(page, click(page, "Posts")) is None
    assert [user.name for user in rows(User)] == ["Johnny"]


def test_a_refused_form_is_left_only_after_a_question(page):
    page.get_by_label("Age").fill("x")
    assert asked(page, click(page, "Save")) is None
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_role("heading", level=1).click()
    assert asked(page, click(page, "Posts")) == "beforeunload"


def test_the_sign_in_page_is_left_without_a_question(browse):
    page = browse(session=None)
    page.goto("/signin")
    page.get_by_label("Email").fill("ada@example.com")
    assert asked(page, click(page, "한국어")) is None


@pytest.fixture
def link_page(browse, make_user):
    """A window with a password link, which is shown only once."""
    user, page = make_user("John Doe", email="john@example.com"), browse()
    page.goto(f"/users/{user.id}/password-link")
    page.get_by_role("button", name="Create link").click()
    return page


def test_a_password_link_is_left_only_after_a_question(link_page):
    assert asked(link_page, click(link_page, "한국어")) == "beforeunload"
    assert asked(link_page, click(link_page, "Done")) is None
    expect(link_page.get_by_role("heading", level=1)).to_have_text("John Doe")


def test_a_password_link_is_copied(link_page):
    link_page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    link_page.get_by_role("button", name="Copy").click()
    expect(link_page.get_by_role("status")).to_have_text("Copied.")
    assert link_page.evaluate("navigator.clipboard.readText()") == link_page.locator(".secret").inner_text()
