"""Chromium, in front of `pserve production.ini` on a throw-away database."""

import datetime
import itertools
import os
import shutil

import pytest
import sqlalchemy
from playwright.sync_api import sync_playwright

from myproject.models import Base, Post, User

from . import ROOT, SECRET, served

FLAGS = (
    "--no-sandbox --disable-dev-shm-usage --disable-gpu "
    "--disable-background-networking --disable-component-update --disable-sync --no-first-run"
)
FIRST_NAMES = ["Ada", "Bruno", "Chiara", "David", "Emeka", "Fatima", "Grace", "Hugo", "Ingrid", "서연", "민준"]
LAST_NAMES = ["Lovelace", "O'Neil", "Nyström", "Okafor", "Silva", "Tanaka"]
JOINED = datetime.datetime(2026, 11, 21, 9, 30, tzinfo=datetime.UTC)


@pytest.fixture(scope="session")
def chromium():
    """The browser; where there is none the test is skipped, on CI it fails."""
    path = shutil.which("chromium")
    if path is None:
        reason = "no chromium on this machine (Debian: apt install chromium)"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS.split())
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(chromium, migrated_sqlite, tmp_path_factory):
    """The server, one for all tests of a worker."""
    folder = tmp_path_factory.mktemp("server")
    path = shutil.copy(migrated_sqlite, folder / "served.sqlite")
    with served(
        ROOT / "production.ini", f"sqlite:///{path}", folder / "printed", MYPROJECT_SECRET=SECRET
    ) as running:
        yield running


@pytest.fixture
def database_url(server):
    """The URL of the server's database, emptied for this test."""
    engine = sqlalchemy.create_engine(server.database_url)
    with engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())
        connection.exec_driver_sql("DELETE FROM sqlite_sequence")
    engine.dispose()
    return server.database_url


@pytest.fixture
def people(outside):
    """Sixty-six users, and the twelve posts of the first of them."""
    names = [" ".join(pair) for pair in itertools.product(FIRST_NAMES, LAST_NAMES)]
    users = [
        {
            "name": name,
            "email": None if number % 7 == 6 else f"person{number}@example.com",
            "age": None if number % 11 == 5 else 18 + number * 7 % 75,
            "role": ("member", "member", "editor", "member", "admin")[number % 5],
            "active": number % 9 != 3,
            "created_at": JOINED - datetime.timedelta(days=number * 11),
            "updated_at": JOINED,
        }
        for number, name in enumerate(names)
    ]
    posts = [
        {
            "title": f"Minutes of meeting {number}",
            "body": "We met, we talked, we left.\n\nNext time: cake.",
            "author_id": 1,
            "created_at": JOINED - datetime.timedelta(days=number),
            "updated_at": JOINED,
        }
        for number in range(1, 13)
    ]
    with outside.begin() as connection:
        connection.execute(sqlalchemy.insert(User), users)
        connection.execute(sqlalchemy.insert(Post), posts)


@pytest.fixture
def complaints():
    """What a browser complained about since the test began: errors on its console, requests to other hosts."""
    return []


@pytest.fixture
def browse(chromium, server, database_url, complaints):
    """Call `browse(locale="ko-KR", …)`: a page of a new visitor; the options are those of Playwright's contexts."""
    contexts = []

    def open_page(locale="en-US", **options):
        context = chromium.new_context(
            base_url=server.url, locale=locale, reduced_motion="reduce", **options
        )
        contexts.append(context)
        context.set_default_timeout(10_000)
        context.on("console", lambda message: message.type == "error" and complaints.append(message.text))
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        context.on("request", lambda request: _elsewhere(request.url, server.url) and complaints.append(request.url))
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()


def _elsewhere(url, home):
    return not url.startswith((f"{home}/", "data:"))
