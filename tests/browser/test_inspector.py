"""The panel "Transaction" in the debug toolbar, in the real application and in one with the stock wiring.

The screenshots are in build/screenshots; those named in docs/inspector.md are copied to docs/.
"""

import re
import shutil
import urllib.request

import pytest
import sqlalchemy
from axe_playwright_python.base import AXE_SCRIPT, AxeResults

from myproject.models import User
from tests import signed_in
from tests.db.proxy import Proxy
from tests.db.wiki.models import Page
from tests.db.wiki.models import User as WikiUser
from tests.db.wiki.models.meta import Base as WikiBase

from . import ROOT, served
from .test_pages import NARROWEST, PICTURES, width_needed

INI = f"""
[app:main]
use = config:{ROOT}/development.ini
pyramid.includes = pyramid_debugtoolbar myproject.inspector tests.browser.outcomes

[server:main]
use = egg:myproject
host = localhost
get port = port

[DEFAULT]
port = 6543
"""
WIKI_INI = """
[app:main]
use = call:tests.inspector.stock_wiki:main
sqlalchemy.url = sqlite:///wiki.sqlite
pyramid.includes = pyramid_debugtoolbar myproject.inspector

[server:main]
use = egg:waitress
host = localhost
get port = port

[DEFAULT]
port = 6543
"""
NAMES = ["Ada Lovelace", "Alan Turing", "Grace Hopper", "김철수", "O'Neil"]
SECRET = "development-only-development-only"
OTHER_DATABASE = "inspected"


@pytest.fixture(scope="module")
def proxy(postgresql):
    """A Proxy between the application and the PostgreSQL server."""
    proxy = Proxy(postgresql.port)
    yield proxy
    proxy.refuse()


@pytest.fixture(scope="module")
def on_postgresql(postgresql, proxy, tmp_path_factory):
    """The server with `development.ini` on PostgreSQL."""
    postgresql.execute(f"CREATE DATABASE {OTHER_DATABASE} TEMPLATE migrated STRATEGY file_copy")
    url = postgresql.url(OTHER_DATABASE).replace(str(postgresql.port), str(proxy.port))
    yield from running(INI, url, tmp_path_factory.mktemp("postgresql"))
    postgresql.execute(f"DROP DATABASE {OTHER_DATABASE} WITH (FORCE)")


@pytest.fixture(scope="module")
def on_sqlite(migrated_sqlite, tmp_path_factory):
    """The server with `development.ini` on SQLite."""
    folder = tmp_path_factory.mktemp("sqlite")
    path = shutil.copy(migrated_sqlite, folder / "inspected.sqlite")
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(sqlalchemy.insert(User), [{"name": name, "age": 35} for name in NAMES])
    engine.dispose()
    yield from running(INI, f"sqlite:///{path.name}", folder)


@pytest.fixture(scope="module")
def wiki(tmp_path_factory):
    """The server of the wiki with the stock wiring, and its first page."""
    folder = tmp_path_factory.mktemp("wiki")
    url = f"sqlite:///{folder}/wiki.sqlite"
    engine = sqlalchemy.create_engine(url)
    WikiBase.metadata.create_all(engine)
    with sqlalchemy.orm.Session(engine) as session, session.begin():
        session.add(Page(name="Home", text="Welcome", creator=WikiUser(name="Editor")))
    engine.dispose()
    yield from running(WIKI_INI, url, folder)


def running(ini, url, folder):
    """Yield a server with the text of an ini file."""
    path = folder / "inspected.ini"
    path.write_text(ini)
    # Started in its folder, so that the URL of an SQLite database, which the panel shows, needs no path.
    with served(path, url, folder / "printed", cwd=folder, PYTHONPATH=str(ROOT)) as server:
        yield server


@pytest.fixture(scope="module")
def window(chromium):
    """A browser window of the administrator."""
    context = chromium.new_context(reduced_motion="reduce", viewport={"width": 1280, "height": 900}, locale="en-US")
    context.set_default_timeout(10_000)
    context.add_cookies([{"name": "session", "value": signed_in.cookie(SECRET), "url": "http://localhost/"}])
    yield context.new_page()
    context.close()


@pytest.fixture
def inspect(window):
    """Call `inspect(server, "/path", "POST")`: request the path, and open the panel of the request."""

    def request_and_open(server, path, method="GET"):
        window.request.fetch(server.url + path, method=method, fail_on_status_code=False, max_redirects=0)
        return open_panel(window, server)

    return request_and_open


def open_panel(window, server, path=""):
    """Open the panel of the newest request, or of that with this number, and return its element."""
    window.goto(f"{server.url}/_debug_toolbar/{path}")
    window.locator("#pDebugPanel-transaction > a").click()
    return window.locator("#pDebugPanel-transaction-content")


def sentence(panel):
    """Return the sentence that the panel shows large."""
    return panel.locator(".tx-outcome").inner_text().partition(" ")[2]


def kinds(panel):
    """Return the events of the time line by their kinds; statements of rows by their verbs."""
    texts = panel.locator(".tx-what b, .tx-what summary").all_inner_texts()
    return [text.partition(" ")[0] if text.startswith(VERBS) and "history_open" not in text else text for text in texts]


def take_picture(panel, name):
    """Save the screenshot of the panel, wide and narrow, and check that nothing is cut off."""
    page = panel.page
    for width in NARROWEST, 1280:
        # So high that nothing scrolls below the bar of the toolbar.
        page.set_viewport_size({"width": width, "height": 4000})
        assert width_needed(page) <= width
        assert panel.evaluate("panel => panel.scrollWidth <= panel.clientWidth")
        panel.screenshot(path=PICTURES / f"inspector-{name}{f'-{width}' if width < 1280 else ''}.png")


def check_accessibility(page):
    """Let axe look at the panel."""
    page.evaluate(AXE_SCRIPT)
    found = AxeResults(page.evaluate("axe.run('.tx', {resultTypes: ['violations']})"))
    assert found.violations_count == 0, found.generate_report()


OUTCOMES = {
    ("GET", "/outcome/unused"): "no transaction: the database was not used",
    ("GET", "/outcome/read"): "read-only",
    ("POST", "/outcome/add"): "committed: 1 user added",
    ("POST", "/outcome/lose-twice"): "committed on attempt 3 of 20 after a serialization failure: 1 user added",
    ("POST", "/outcome/abort"): "rolled back: the answer has an X-Tm header",
    ("POST", "/outcome/doom"): "rolled back: the transaction was doomed",
    ("POST", "/outcome/fail"): "rolled back: an exception, LookupError",
    ("POST", "/outcome/swallow"): "refused: a COMMIT after a swallowed error",
}
FORM_SENTENCES = ["committed: 1 user changed", "rolled back: the view answered 422"]
LOST = "unknown: the connection broke during COMMIT"
VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE")
STOCK = "rolled back although the view answered 200: the session was never marked as changed"
REFUSED_BEFORE = "no transaction: the request was refused before"


@pytest.mark.parametrize(("request_line", "expected"), OUTCOMES.items(), ids=str)
def test_the_panel_says_what_has_become_of_a_request(request_line, expected, inspect, on_postgresql):
    method, path = request_line
    panel = inspect(on_postgresql, path, method)
    assert sentence(panel) == expected
    take_picture(panel, path.rpartition("/")[2])


def test_the_panel_says_that_nobody_knows_whether_a_commit_was_lost(proxy, inspect, on_postgresql):
    proxy.lose(b"COMMIT")
    assert sentence(inspect(on_postgresql, "/outcome/add", "POST")) == LOST


def test_a_lock_of_sqlite_is_named_as_the_reason_of_further_attempts(inspect, on_sqlite):
    panel = inspect(on_sqlite, "/outcome/lose-twice", "POST")
    expected = "committed on attempt 3 of 20 after a lock that was not free in time: 1 user added"
    assert sentence(panel) == expected
    take_picture(panel, "tried-again")
    heads = panel.locator(".tx-attempt").all_inner_texts()
    assert [head.partition(" of ")[0] for head in heads] == ["Attempt 1", "Attempt 2", "Attempt 3"]
    assert heads[0].endswith("lock that was not free in time")
    # The toolbar has a page for each attempt. Each shows the whole.
    window = panel.page
    window.locator("#requests li a").nth(2).click()
    window.locator("#pDebugPanel-transaction > a").click()
    panel = window.locator("#pDebugPanel-transaction-content")
    assert sentence(panel) == expected
    assert "This is the page of attempt 1; it shows all 3." in panel.inner_text()


def test_the_post_before_a_page_and_its_entry_are_one_click_away(window, on_sqlite):
    complaints = []
    window.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    window.goto(f"{on_sqlite.url}/users/1/edit")
    window.get_by_label("Age").fill("36")
    window.locator("main .actions button").click()
    window.wait_for_url("**/users/1")
    assert complaints == []
    number = window.locator("#pShowToolBarButton").get_attribute("href").rpartition("/")[2]
    page_of_user = window.url
    panel = open_panel(window, on_sqlite, number)
    assert sentence(panel) == "read-only"
    take_picture(panel, "redirected")
    check_accessibility(panel.page)
    # The page that is loaded again was not led here by the form.
    window.goto(page_of_user)
    assert open_panel(window, on_sqlite).locator(".tx-links").count() == 0
    panel = open_panel(window, on_sqlite, number)
    panel.get_by_role("link", name="POST /users/1/edit").click()
    panel = window.locator("#pDebugPanel-transaction-content")
    assert sentence(panel) == FORM_SENTENCES[0]
    take_picture(panel, "committed")
    window.set_viewport_size({"width": 1280, "height": 900})
    window.locator("#requests li").first.wait_for()
    window.screenshot(path=PICTURES / "inspector-window.png")
    changes = panel.locator(".tx-changes tbody", has_text="user 1 changed")
    assert changes.locator("td").all_inner_texts() == ["age", "35", "36"]
    panel.locator(".tx-links a", has_text="/history/").click()
    assert window.locator("h1").inner_text() != ""
    assert "36" in window.locator("main").inner_text()


def test_an_invalid_form_is_rolled_back(window, on_sqlite):
    window.goto(f"{on_sqlite.url}/users/1/edit")
    window.get_by_label("Age").fill("151")
    with window.expect_navigation() as arrival:
        window.locator("main .actions button").click()
    assert arrival.value.status == 422
    assert sentence(open_panel(window, on_sqlite)) == FORM_SENTENCES[1]


def test_a_request_that_is_refused_before_its_transaction_has_a_panel(window, on_sqlite):
    request = urllib.request.Request(on_sqlite.url, headers={"Host": "other.example"})
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(request)
    assert sentence(open_panel(window, on_sqlite)) == REFUSED_BEFORE


def test_a_loop_that_queries_for_each_row_is_named(inspect, on_sqlite):
    panel = inspect(on_sqlite, "/outcome/one-by-one")
    suspect = panel.locator(".tx-suspect")
    assert "The same statement 5 times" in suspect.inner_text()
    assert "selectinload(User.posts)" in suspect.inner_text()
    take_picture(panel, "one-by-one")
    check_accessibility(panel.page)


def test_the_time_line_has_savepoints_and_the_work_after_the_commit(inspect, on_sqlite):
    panel = inspect(on_sqlite, "/outcome/savepoint", "POST")
    take_picture(panel, "savepoint")
    assert [kind for kind in kinds(panel) if "history_open" not in kind] == [
        "transaction begun",
        "flush",
        "connection taken",
        "BEGIN",
        "BEGIN IMMEDIATE",
        "INSERT",
        "flush",
        "SAVEPOINT sa_savepoint_1",
        "INSERT",
        "ROLLBACK TO SAVEPOINT sa_savepoint_1",
        "vote",
        "COMMIT",
        "connection returned",
        "transaction ended",
        "after the commit",
        "answer",
    ]


def test_the_stock_wiring_s_mistake_is_named(inspect, wiki):
    panel = inspect(wiki, "/Home/shout-and-show", "POST")
    take_picture(panel, "stock")
    check_accessibility(panel.page)
    assert sentence(panel) == STOCK
    assert "mark_changed(request.dbsession, request.tm)" in panel.locator(".tx-diagnosis").inner_text()
    panel.page.goto(f"{wiki.url}/Home")
    assert panel.page.locator("body").inner_text() == "Welcome (Editor)"


def test_the_documentation_has_the_sentences_that_the_panel_shows():
    text = (ROOT / "docs/inspector.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| ([^|]+) \|", text.partition("## The outcomes")[2].partition("\n## ")[0], re.MULTILINE)
    shown = {*OUTCOMES.values(), *FORM_SENTENCES, LOST, REFUSED_BEFORE} - {"committed: 1 user added"}
    assert set(documented) - {"sentence"} == shown


def test_the_other_reasons_in_the_documentation_are_those_of_the_code():
    text = (ROOT / "docs/inspector.md").read_text(encoding="utf-8")
    reasons = re.findall("“([^”]+)”", text.partition("Other reasons")[2].partition("\n\n")[0])
    code = "".join((ROOT / "myproject/db" / name).read_text(encoding="utf-8") for name in ("outcome.py", "session.py"))
    assert len(reasons) == 3
    for reason in reasons:
        assert f'"{" ".join(reason.split())}"' in code


def test_the_pictures_of_the_documentation_are_those_of_the_tests():
    text = (ROOT / "docs/inspector.md").read_text(encoding="utf-8")
    taken = {"window", "stock", *(path.rpartition("/")[2] for _, path in OUTCOMES)}
    names = re.findall(r"\(inspector-([a-z-]+)\.png\)", text)
    assert set(names) <= taken
    assert {path.stem for path in (ROOT / "docs").glob("inspector-*.png")} == {f"inspector-{name}" for name in names}
