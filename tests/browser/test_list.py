"""The list of users in a browser: it searches while a person types, has keys, and works without scripts."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.usefixtures("people")


@pytest.fixture
def page(browse):
    """The list in a new window."""
    page = browse()
    page.goto("/users")
    return page


def names(page):
    """Return the names in the list."""
    return page.locator("#users tbody th a")


def test_the_list_searches_while_a_person_types(page, complaints):
    page.get_by_role("searchbox").press_sequentially("person12")
    expect(names(page)).to_have_count(1)
    expect(page.locator("mark")).to_have_text("person12")
    expect(page).to_have_url(re.compile(r"/users\?q=person12$"))
    expect(page.locator("[aria-live]")).to_have_text(re.compile("1 user"))
    assert complaints == []


def test_an_older_search_does_not_replace_a_newer_one(page):
    search = page.get_by_role("searchbox")
    for text in ("p", "person1", "person12", ""):
        search.fill(text)
    expect(names(page)).to_have_count(25)
    expect(page).to_have_url(re.compile(r"/users\?q=$"))


def test_filters_stay_during_a_search(page):
    page.goto("/users?role=editor")
    page.get_by_role("searchbox").fill("person12")
    expect(page.locator(".found-bar .chip-on")).to_have_text([re.compile("person12"), re.compile("Editor")])


def test_keys_focus_the_search_and_move_through_the_list(page):
    page.keyboard.press("j")
    expect(names(page).nth(0)).to_be_focused()
    page.keyboard.press("j")
    expect(names(page).nth(1)).to_be_focused()
    page.keyboard.press("k")
    expect(names(page).nth(0)).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("jk?")
    expect(page.get_by_role("searchbox")).to_have_value("jk?")


def test_escape_keeps_the_text_of_the_search(page):
    page.keyboard.press("/")
    page.keyboard.type("person12")
    expect(names(page)).to_have_count(1)
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(names(page)).to_be_focused()
    expect(page.get_by_role("searchbox")).to_have_value("person12")


def test_the_language_switch_keeps_the_search(page):
    page.get_by_role("searchbox").fill("person12")
    expect(names(page)).to_have_count(1)
    page.get_by_role("button", name="한국어").click()
    expect(page).to_have_url(re.compile(r"/users\?q=person12$"))


def test_screen_readers_hear_the_notes(page):
    page.get_by_role("searchbox").fill("role:king")
    expect(page.locator("[aria-live]")).to_have_text(re.compile("Unknown role “king”.* 67 users"))


def test_an_open_panel_stays_open_and_gets_the_focus(page):
    page.get_by_role("link", name="Filters").press("Enter")
    page.wait_for_url("**#panel")
    expect(page.locator(".filters")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator(".filters a").first).to_be_focused()
    page.get_by_role("searchbox").fill("person12")
    expect(names(page)).to_have_count(1)
    expect(page.locator(".filters")).to_be_visible()


def test_disabled_keys_do_nothing(page):
    page.get_by_role("link", name="Columns").click()
    page.get_by_label("Keyboard shortcuts").uncheck()
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".panel")).to_have_count(0)
    for key in "j", "/", "?":
        page.keyboard.press(key)
    expect(page.locator(":focus")).to_have_count(0)
    expect(page).to_have_url(re.compile("/users$"))


def test_keys_open_a_user_and_the_help(page):
    page.keyboard.press("j")
    name = names(page).nth(0).inner_text()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    page.evaluate("setTimeout(() => history.back())")
    expect(page).to_have_url(re.compile("/users$"))
    page.keyboard.press("?")
    expect(page).to_have_url(re.compile("/users/help$"))
    for key in "/", "j", "k", "Enter", "?":
        expect(page.locator("kbd", has_text=re.compile(f"^{re.escape(key)}$"))).to_be_visible()


def test_a_search_after_the_sign_in_expired_leads_to_sign_in(page):
    page.context.clear_cookies()
    page.get_by_role("searchbox").fill("person")
    expect(page).to_have_url(re.compile("/signin"))


@pytest.mark.parametrize("width", [320, 1280])
def test_everything_works_without_scripts(browse, width):
    page = browse(java_script_enabled=False, width=width)
    page.goto("/users")
    page.get_by_role("searchbox").fill("person1")
    page.get_by_role("button", name="Search").click()
    page.locator("thead").get_by_role("link", name="Email").click()
    expect(page.locator("#users tbody tr").first).to_contain_text("person10@example.com")
    page.get_by_role("link", name="Filters").click()
    page.locator(".filters").get_by_role("link", name=re.compile("^Inactive")).click()
    expect(page.locator("#users .badge")).to_have_count(names(page).count())
    page.get_by_role("link", name="Clear all").click()
    expect(names(page)).to_have_count(25)
