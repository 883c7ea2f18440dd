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


ERROR_PAGE = '<div class="error-page"><p>503</p><h1>This took too long</h1><p class="lead">Remove a filter.</p></div>'
LONG_ADVICE = "Make the search more specific or remove a filter, then try again."
NO_ANSWER, SLOW = re.compile("^No answer. The list below is not up to date."), re.compile("^Still searching.")
FAILURES = {
    "no connection": (lambda route: route.abort(), NO_ANSWER),
    "an error page": (
        lambda route: route.fulfill(status=503, body=ERROR_PAGE),
        re.compile("^This took too long. Remove a filter."),
    ),
    "an error page of the site": (
        lambda route: route.fulfill(response=route.fetch(url=f"{route.request.url}&cursor=x")),
        re.compile("^Invalid request. "),
    ),
    "an error of a proxy": (lambda route: route.fulfill(status=502, body="<h1>Bad Gateway</h1>"), NO_ANSWER),
    "another page": (lambda route: route.fulfill(body="<h1>Welcome to this hotel</h1>"), NO_ANSWER),
}


@pytest.fixture
def intercept(page):
    """Call `intercept(handler)`: give each search to `handler(route)`, in place of an earlier one."""

    def replace(handler):
        page.unroute_all()
        page.route("**/users?*", handler)

    yield replace
    page.unroute_all()


def search(page, text):
    """Type `text` into the search."""
    page.get_by_role("searchbox").fill(text)


@pytest.mark.parametrize(("handler", "said"), FAILURES.values(), ids=FAILURES)
def test_a_search_that_fails_says_so_and_marks_the_list_as_old(page, intercept, handler, said):
    intercept(handler)
    search(page, "person12")
    expect(page.locator("#trouble")).to_have_text(said)
    expect(page.locator("[aria-live]")).to_have_text(said)
    expect(page.get_by_role("searchbox")).to_have_value("person12")
    expect(page.get_by_role("searchbox")).to_be_focused()
    expect(page.locator("#count")).to_be_hidden()
    expect(page.locator("#found.outdated:not([aria-busy])")).to_have_count(1)
    expect(names(page)).to_have_count(25)
    expect(page).to_have_url(re.compile("/users$"))


def test_nobody_found_earlier_is_not_the_answer_to_a_search_that_fails(page, intercept):
    page.goto("/users?q=nobody")
    expect(page.get_by_text("No users found.")).to_be_visible()
    intercept(lambda route: route.fulfill(status=503, body=ERROR_PAGE))
    search(page, "person12")
    expect(page.locator("#trouble")).to_contain_text("This took too long")
    expect(page.get_by_text("No users found.")).to_be_hidden()
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    expect(names(page)).to_have_count(1)


def test_screen_readers_hear_that_the_list_is_old_whatever_the_reason(page, intercept):
    intercept(lambda route: route.fulfill(status=503, body=ERROR_PAGE))
    search(page, "person12")
    expect(page.locator("[aria-live]")).to_have_text(
        "This took too long. Remove a filter. The list below is not up to date."
    )


def test_the_next_key_and_try_again_search_after_a_failure(page, intercept):
    intercept(lambda route: route.abort())
    search(page, "person1")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#trouble")).to_have_text(NO_ANSWER)
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#count")).to_have_text("10 users")
    expect(page.get_by_role("searchbox")).to_be_focused()
    intercept(lambda route: route.abort())
    page.keyboard.press("2")
    expect(page.locator("#trouble")).to_have_text(NO_ANSWER)
    page.unroute_all()
    page.keyboard.press("Backspace")
    expect(page.locator("#count")).to_have_text("10 users")
    expect(page.locator("#trouble")).to_be_hidden()


def test_a_slow_search_says_so_and_is_shown_when_it_arrives(page, intercept):
    waiting = []
    intercept(lambda route: waiting.append(route))
    search(page, "person12")
    expect(page.locator("#trouble")).to_have_text(SLOW)
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()
    waiting[0].continue_()
    expect(page.locator("#count")).to_have_text("1 user")


def test_a_search_without_an_answer_is_given_up(browse):
    page = browse(locale="en-GB")
    page.clock.install()
    page.goto("/users")
    page.route("**/users?*", lambda _route: None)
    with page.expect_request("**/users?*"):
        search(page, "person12")
        page.clock.run_for(200)
    page.clock.run_for(15_000)
    expect(page.locator("#trouble")).to_have_text(NO_ANSWER)
    page.unroute_all()


def test_a_failed_older_search_does_not_disturb_a_newer_one(page, intercept):
    waiting = []
    intercept(lambda route: waiting.append(route))
    with page.expect_request("**/users?*"):
        search(page, "person1")
    page.unroute_all()
    search(page, "person12")
    expect(page.locator("#count")).to_have_text("1 user")
    expect(page.locator("#found.outdated")).to_have_count(0)


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("path", ["/users", "/users?role=member&active=yes", "/users?sort=name"])
def test_nothing_moves_when_a_search_fails(page, intercept, width, path):
    page.set_viewport_size({"width": width, "height": 760})
    page.goto(path)
    before = [page.locator(part).bounding_box()["y"] for part in (".panels", "#users")]
    intercept(lambda route: route.fulfill(status=503, body=ERROR_PAGE.replace("Remove a filter.", LONG_ADVICE)))
    search(page, "person12")
    expect(page.locator("#trouble")).to_contain_text(LONG_ADVICE)
    assert [page.locator(part).bounding_box()["y"] for part in (".panels", "#users")] == before


def test_a_search_after_the_sign_in_expired_offers_to_sign_in(page):
    page.context.clear_cookies()
    search(page, "person12")
    expect(page.locator("#trouble")).to_have_text(re.compile("^You are signed out."))
    expect(page.get_by_role("searchbox")).to_have_value("person12")
    page.get_by_role("link", name="Sign in").click()
    expect(page).to_have_url(re.compile("/signin.*person12"))


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
