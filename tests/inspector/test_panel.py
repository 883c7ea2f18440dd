"""The panel of the debug toolbar without a browser: when it is there, and what it links to."""

import pytest
import sqlalchemy
from pyramid_debugtoolbar.panels import DebugPanel
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from webtest import TestApp

from myproject.inspector.chart import Chart
from myproject.inspector.events import COMMIT, RETURNED, STATEMENT, TAKEN, Event, Statement
from myproject.inspector.record import Record
from tests.browser import ROOT
from tests.db.wiki.models import Page, User
from tests.db.wiki.models.meta import Base

from . import stock_wiki

TOOLBAR, INSPECTOR = "pyramid_debugtoolbar", "myproject.inspector"
TAB = 'id="pDebugPanel-transaction"'


class OtherPanel(DebugPanel):
    """A panel of the application's own."""

    name = nav_title = title = "other"


@pytest.fixture
def url(tmp_path):
    """The URL of the wiki's database, which has one page."""
    url = f"sqlite:///{tmp_path}/wiki.sqlite"
    engine = sqlalchemy.create_engine(url)
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        session.add(Page(name="Home", text="Welcome", creator=User(name="Editor")))
    engine.dispose()
    return url


@pytest.fixture
def make_wiki(url):
    """Call `make_wiki("myproject.inspector")`: a browser of the wiki that includes these packages."""
    wikis = []

    def make(*includes, **settings):
        settings = {"sqlalchemy.url": url, "pyramid.includes": " ".join(includes), **settings}
        wikis.append(stock_wiki.main({}, **settings))
        return TestApp(wikis[-1], extra_environ={"REMOTE_ADDR": "127.0.0.1"})

    yield make
    for wiki in wikis:
        wiki.registry["dbsession_factory"].kw["bind"].dispose()


def panel_of_last(wiki):
    """Return the page of the toolbar for the newest request."""
    return wiki.get("/_debug_toolbar/")


@pytest.mark.parametrize("includes", [[TOOLBAR, INSPECTOR], [INSPECTOR, TOOLBAR], [INSPECTOR]])
def test_the_panel_is_there_in_any_order_of_the_includes(includes, make_wiki):
    wiki = make_wiki(*includes)
    wiki.get("/Home")
    panel_of_last(wiki).mustcontain(TAB, "read-only, 2")


def test_further_panels_of_the_application_stay(make_wiki):
    wiki = make_wiki(INSPECTOR, **{"debugtoolbar.extra_panels": f"{__name__}.OtherPanel"})
    wiki.get("/Home")
    panel_of_last(wiki).mustcontain(TAB, 'id="pDebugPanel-other"')


def test_without_the_inspector_the_toolbar_has_no_panel(make_wiki):
    wiki = make_wiki(TOOLBAR)
    wiki.get("/Home")
    panel_of_last(wiki).mustcontain(no=TAB)


def test_a_toolbar_that_is_switched_off_registers_nothing(make_wiki, monkeypatch):
    calls = []
    monkeypatch.setattr("myproject.inspector.listen", lambda: calls.append("listen"))
    make_wiki(TOOLBAR, INSPECTOR, **{"debugtoolbar.enabled": "false"}).get("/Home").mustcontain("Welcome")
    assert calls == []


def test_a_redirect_to_this_page_by_the_same_browser_is_linked(make_wiki):
    wiki = make_wiki(INSPECTOR)
    wiki.post("/Home", {"text": "Hello"}).follow()
    page = panel_of_last(wiki)
    assert page.click("POST /Home").html.select_one(".tx-outcome").text.split(maxsplit=1)[1].strip() == (
        "committed: 1 page changed"
    )


def test_the_same_page_loaded_again_has_no_link(make_wiki):
    wiki = make_wiki(INSPECTOR)
    wiki.post("/Home", {"text": "Hello"}).follow()
    wiki.get("/Home")
    panel_of_last(wiki).mustcontain(no="Redirected from")


def test_a_location_without_a_redirect_is_not_linked(make_wiki):
    wiki = make_wiki(INSPECTOR)
    wiki.post("/Home/shout-and-show")
    wiki.get("/Home")
    panel_of_last(wiki).mustcontain(no="Redirected from")


def test_another_browser_s_redirect_is_not_linked(make_wiki):
    wiki = make_wiki(INSPECTOR)
    wiki.post("/Home", {"text": "Hello"}, headers={"User-Agent": "another"})
    wiki.get("/Home")
    panel_of_last(wiki).mustcontain(no="Redirected from")


def test_a_redirect_before_a_redirect_is_linked_too(make_wiki):
    wiki = make_wiki(INSPECTOR)
    wiki.post("/Old/moved", status=303).follow(status=303).follow()
    links = panel_of_last(wiki).html.select(".tx-links a")
    assert [link.text for link in links] == ["GET /Old", "POST /Old/moved"]


@pytest.mark.parametrize("path", ["/history/7", None])
def test_the_entry_that_the_application_names_is_linked(path, make_wiki):
    wiki = make_wiki(INSPECTOR)
    wiki.app.registry["entry_path_of"] = lambda request: path
    wiki.post("/Home", {"text": "Hello"})
    assert [link["href"] for link in panel_of_last(wiki).html.select(".tx-links a")] == [path] * (path is not None)


def test_a_request_that_has_committed_nothing_has_no_entry(make_wiki):
    wiki = make_wiki(INSPECTOR)
    wiki.app.registry["entry_path_of"] = lambda request: "/history/7"
    wiki.get("/Home")
    panel_of_last(wiki).mustcontain(no="/history/7")


@pytest.mark.parametrize(
    ("form", "title"),
    [({}, "What the session held"), ({"doom": "yes"}, "What the session held, not saved")],
)
def test_the_changes_are_those_of_the_last_attempt(form, title, make_wiki):
    wiki = make_wiki(INSPECTOR)
    wiki.post("/Home/tried-twice", form)
    shown = panel_of_last(wiki).html.select_one(".tx")
    assert shown.select_one("h4").text == title
    assert [cell.text for cell in shown.select(".tx-changes td")] == ["text", "'Welcome'", "'Tried'"]
    assert "This is the page of attempt 2; it shows all 2." in shown.text
    assert [head.text.split() for head in shown.select(".tx-attempt")] == [
        ["Attempt", "1", "of", "3", "lost", "race"],
        ["Attempt", "2", "of", "3"],
    ]


def test_what_a_separate_transaction_has_saved_is_not_called_lost(make_wiki):
    wiki = make_wiki(INSPECTOR)
    wiki.post("/Home/refused-and-noted", status=400)
    shown = panel_of_last(wiki).html.select_one(".tx")
    tables = [table.select_one("td:last-child").text for table in shown.select(".tx-changes")]
    titles = [title.text for title in shown.select("h4")]
    assert (titles[:-1], tables) == (
        ["What the session held", "What the session held, not saved"],
        ["'Refused'", "'Tried'"],
    )


def test_a_mistake_of_the_wiring_is_red_and_says_what_to_do(make_wiki):
    wiki = make_wiki(INSPECTOR)
    wiki.post("/Home/shout-and-show")
    page = panel_of_last(wiki)
    assert page.html.select_one(".tx-diagnosis b").text == "What to do"
    assert len(page.html.select(".tx.tx-wrong")) == len(page.html.select(".badge.tx-wrong")) == 1


def test_the_panel_needs_no_database(make_wiki):
    def fail(request):
        raise OperationalError("SELECT", {}, Exception("the server is away"))

    wiki = make_wiki(INSPECTOR)
    wiki.app.registry["entry_path_of"] = fail
    wiki.post("/Home", {"text": "Hello"})
    panel_of_last(wiki).mustcontain("committed: 1 page changed", no="Ledger entry")


def test_texts_of_the_application_are_no_markup(make_wiki):
    wiki = make_wiki(INSPECTOR)
    wiki.post("/Home", {"text": "<script>alert(1)</script>"})
    shown = panel_of_last(wiki).html.select_one("#pDebugPanel-transaction-content")
    assert "<script>alert(1)</script>" in shown.text
    assert shown.select("script") == []


def test_a_long_statement_can_be_opened(make_wiki):
    wiki = make_wiki(INSPECTOR)
    wiki.get("/Home")
    shown = panel_of_last(wiki).html.select_one("#pDebugPanel-transaction-content details")
    assert shown.select_one("summary").text.startswith("SELECT wiki_pages.id, ")
    assert "wiki_pages.creator_id \nFROM wiki_pages" in shown.select_one("pre").text
    assert "tests/db/wiki/views.py:" in shown.select_one("dd:last-child").text


@pytest.mark.parametrize(
    ("at_ms", "took_ms", "bar"),
    [
        (0, 100, "left: 0.00%; width: 100.00%"),
        (25, 50, "left: 25.00%; width: 50.00%"),
        (10, None, "left: 10.00%; width: 0.40%"),
        (100, 0, "left: 99.60%; width: 0.40%"),
        (90, 20, "left: 90.00%; width: 10.00%"),
    ],
)
def test_bars_share_one_axis_and_are_always_seen(at_ms, took_ms, bar):
    record = Record(first_events=[Event(RETURNED, at_ms=100)])
    assert Chart(record).bar(Statement(STATEMENT, at_ms=at_ms, took_ms=took_ms)) == bar


def test_a_connection_and_a_commit_take_until_the_connection_is_returned():
    taken, commit = Event(TAKEN, connection=1, at_ms=2), Event(COMMIT, connection=1, at_ms=6)
    chart = Chart(Record(first_events=[taken, commit, Event(RETURNED, connection=1, at_ms=10)]))
    assert (chart.took_ms(taken), chart.took_ms(commit)) == (8, 4)
    assert Chart(Record()).took_ms(taken) is None


def test_production_does_not_include_it():
    text = (ROOT / "production.ini").read_text(encoding="utf-8")
    assert INSPECTOR not in text
    assert "debugtoolbar" not in text
