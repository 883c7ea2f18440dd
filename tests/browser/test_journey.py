"""The journey of a person who has just installed the application, from setup to sign-out."""

import re

import pytest
from playwright.sync_api import expect

from myproject.models import Post, SignIn, User
from tests.signed_in import HASHER, PASSWORD

NAME, EMAIL = "Grace Hopper", "grace@example.com"
KOREAN = re.compile("[가-힣]")


@pytest.mark.usefixtures("nobody")
@pytest.mark.parametrize("scripts", [True, False], ids=["with_scripts", "without_scripts"])
def test_the_journey_works_from_setup_to_sign_out(browse, rows, complaints, request, server, scripts):
    page = browse(java_script_enabled=scripts, session=None)
    page.goto("/")
    expect(page).to_have_url(re.compile("/setup$"))
    becomes_the_first_administrator(page, server)
    [grace] = rows(User)
    assert (grace.name, grace.email, grace.role, grace.active) == (NAME, EMAIL, "admin", True)
    assert HASHER.verify(PASSWORD, grace.password_hash)

    adds_john_doe(page)
    assert others(rows, grace) == [("John Doe", 30, "john@example.com")]
    edits_the_age(page)
    assert others(rows, grace) == [("John Doe", 31, "john@example.com")]
    writes_a_post(page)
    assert [(post.title, post.body, post.author_id) for post in rows(Post)] == [
        ("First day", "Found the coffee.\nMet the team.", rows(User)[1].id)
    ]
    sees_the_overview(page)
    switches_to_korean_and_back(page)
    request.getfixturevalue("people")
    pages_through_the_list(page, {user.name for user in rows(User)})
    deletes_john_doe(page)
    assert "John Doe" not in {user.name for user in rows(User)}
    assert "First day" not in {post.title for post in rows(Post)}
    signs_out_and_in_again(page, rows)
    assert complaints == []


def becomes_the_first_administrator(page, server):
    expect(page.get_by_role("heading", level=1)).to_have_text("Welcome")
    page.get_by_label("Your name").fill(NAME)
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("New password").fill(PASSWORD)
    token = re.search("enter this token: ([0-9a-f]{32})$", server.printed.read_text(), re.MULTILINE)[1]
    page.get_by_label("Setup token").fill(token)
    page.get_by_role("button", name="Create account").click()
    expect(page).to_have_url(re.compile("/users$"))
    expect(page.get_by_role("status")).to_have_text(f"Welcome, {NAME}. You are the first administrator.")
    expect(page.get_by_text("1 user", exact=True)).to_be_visible()


def others(rows, grace):
    """Return the name, age and email of every user but `grace`."""
    return [(user.name, user.age, user.email) for user in rows(User) if user.id != grace.id]


def signs_out_and_in_again(page, rows):
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("status")).to_have_text("You have signed out.")
    assert rows(SignIn) == []
    page.goto("/overview")
    expect(page).to_have_url(re.compile("/signin"))
    expect(page.get_by_role("link", name="Users")).to_have_count(0)
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/overview$"))
    expect(page.get_by_role("link", name=NAME)).to_be_visible()
    assert len(rows(SignIn)) == 1


def adds_john_doe(page):
    page.get_by_role("link", name="Add a user").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Add a user")
    page.get_by_label("Name").fill("John Doe")
    page.get_by_label("Email").fill("john@example.com")
    page.get_by_label("Age").fill("30")
    page.get_by_label("Role").select_option("Editor")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("status")).to_have_text("John Doe was added.")
    expect(page.get_by_role("heading", level=1)).to_have_text("John Doe")
    expect(page.get_by_role("main")).to_contain_text("Editor")


def edits_the_age(page):
    page.get_by_role("link", name="Edit").click()
    expect(page.get_by_label("Age")).to_have_value("30")
    page.get_by_label("Age").fill("31")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("The changes to John Doe were saved.")
    expect(page.locator("dt:text-is('Age') + dd")).to_have_text("31")
    page.reload()
    expect(page.get_by_role("status")).to_have_count(0)


def writes_a_post(page):
    page.get_by_role("link", name="Write a post").click()
    expect(page.get_by_label("Author").locator("option:checked")).to_have_text("John Doe")
    page.get_by_label("Title").fill("First day")
    page.get_by_label("Text").fill("Found the coffee.\nMet the team.")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("status")).to_have_text("“First day” was added.")
    page.get_by_role("link", name="John Doe").click()
    page.get_by_role("link", name="First day").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("First day")
    expect(page.get_by_text("Met the team.")).to_be_visible()


def sees_the_overview(page):
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_text("2 users · 1 post")).to_be_visible()
    expect(page.get_by_role("img", name="Users by age")).to_be_visible()
    expect(page.get_by_role("row", name="30–39 1")).to_be_visible()
    expect(page.get_by_role("row", name="Editor 1")).to_be_visible()
    expect(page.get_by_role("row", name="Administrator 1")).to_be_visible()


def switches_to_korean_and_back(page):
    heading = page.get_by_role("heading", level=1)
    page.get_by_role("button", name="한국어").click()
    expect(page.locator("html")).to_have_attribute("lang", "ko")
    expect(page).to_have_url(re.compile("/overview$"))
    expect(heading).to_have_text(KOREAN)
    page.locator("a[href='/users']").click()
    expect(heading).to_have_text(KOREAN)
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(heading).to_have_text("Users")


def pages_through_the_list(page, everybody):
    page.goto("/users")
    names = page.get_by_role("rowheader").get_by_role("link")
    pages = [names.all_inner_texts()]
    while page.get_by_role("link", name="Next").count():
        follows_link(page, "Next")
        pages.append(names.all_inner_texts())
    seen = [name for names in pages for name in names]
    assert len(pages) == 3
    assert len(seen) == len(everybody)
    assert set(seen) == everybody
    for expected in pages[-2::-1]:
        follows_link(page, "Previous")
        assert names.all_inner_texts() == expected
    expect(page.get_by_role("link", name="Previous")).to_have_count(0)


def follows_link(page, name):
    with page.expect_navigation():
        page.get_by_role("link", name=name).click()


def deletes_john_doe(page):
    while page.get_by_role("link", name="John Doe").count() == 0:
        follows_link(page, "Next")
    page.get_by_role("link", name="John Doe").click()
    page.get_by_role("link", name="Delete").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Delete John Doe?")
    expect(page.get_by_role("main").get_by_role("listitem")).to_have_text(["First day"])
    page.get_by_role("button", name="Delete").click()
    expect(page).to_have_url(re.compile("/users$"))
    expect(page.get_by_role("status")).to_have_text("John Doe was deleted.")


def test_the_journey_works_by_keyboard(browse, rows, complaints):
    page = browse()
    page.goto("/users")
    page.keyboard.press("Tab")
    skip_link = page.get_by_role("link", name="Skip to main content")
    expect(skip_link).to_be_focused()
    assert_focus_shows(page)
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    tab_to(page, page.get_by_role("link", name="Add a user"), most=5)
    page.keyboard.press("Enter")

    tab_to(page, page.get_by_label("Name"))
    page.keyboard.type("John Doe")
    tab_to(page, page.get_by_label("Age"))
    page.keyboard.type("30")
    tab_to(page, page.get_by_label("Role"))
    page.keyboard.press("ArrowDown")
    tab_to(page, page.get_by_label("Active"))
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("John Doe was added.")
    assert [(user.name, user.age, user.role, user.active) for user in rows(User)] == [("John Doe", 30, "editor", False)]

    tab_to(page, page.get_by_role("link", name="Delete"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("button", name="Delete"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("John Doe was deleted.")
    assert rows(User) == []
    assert complaints == []


@pytest.mark.usefixtures("people")
def test_tab_reaches_every_link_with_a_visible_focus(browse):
    page = browse()
    page.goto("/users")
    for reachable in page.locator("a:visible, button:visible, input:not([type=hidden]):visible").all():
        page.keyboard.press("Tab")
        expect(reachable).to_be_focused()
        assert_focus_shows(page)


def test_a_form_keeps_an_age_that_is_not_a_number(browse, rows):
    page = browse()
    page.goto("/users/new")
    page.get_by_label("Name").fill("John Doe")
    page.get_by_label("Age").press_sequentially("3e")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_text("Enter a whole number from 0 to 150.")).to_be_visible()
    expect(page.get_by_label("Age")).to_have_value("3e")
    assert rows(User) == []


def tab_to(page, target, most=30):
    """Press Tab until `target` has the focus."""
    expect(target).to_be_visible()
    for _ in range(most):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
        assert_focus_shows(page)
    raise AssertionError(f"{most} times Tab do not reach {target}")


def assert_focus_shows(page):
    """Check that the focused element is visible and has a focus ring."""
    shown = page.evaluate(
        """() => {
            const focused = document.activeElement, style = getComputedStyle(focused)
            const { width, height, top, bottom } = focused.getBoundingClientRect()
            const ring = style.outlineStyle != "none" && parseFloat(style.outlineWidth) >= 2
            return ring && width > 8 && height > 8 && top > -1 && bottom < innerHeight + 1
        }"""
    )
    assert shown, page.evaluate("document.activeElement.outerHTML")
