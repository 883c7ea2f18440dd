"""Chromium with `pserve production.ini` on a throw-away database."""

import datetime
import functools
import itertools
import os
import shutil

import pytest
import sqlalchemy
from playwright.sync_api import sync_playwright

from myproject.db.base import utcnow
from myproject.history.context import Origin, tell
from myproject.models import Base, Change, Entry, PasswordLink, Post, SavedView, SelectedUser, Selection, SignIn, User
from myproject.signin.models import digest
from tests import signed_in

from . import ADMINISTRATOR, ROOT, SECRET, TOKEN_OF_MEMBER, served

FLAGS = (
    "--no-sandbox --disable-dev-shm-usage --disable-gpu "
    "--disable-background-networking --disable-component-update --disable-sync --no-first-run"
)
FIRST_NAMES = ["Ada", "Bruno", "Chiara", "David", "Emeka", "Fatima", "Grace", "Hugo", "Ingrid", "서연", "민준"]
LAST_NAMES = ["Lovelace", "O'Neil", "Nyström", "Okafor", "Silva", "Tanaka"]
JOINED = datetime.datetime(2026, 11, 21, 9, 30, tzinfo=datetime.UTC)


@pytest.fixture(scope="session")
def chromium():
    """The browser. Without one, a test is skipped, and fails on CI."""
    path = shutil.which("chromium")
    if path is None:
        reason = "no chromium on this machine (Debian: apt install chromium)"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=FLAGS.split(),
            # With the page cache, as people have it: a form gone back to holds its token and what was typed.
            ignore_default_args=["--disable-back-forward-cache"],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(chromium, migrated_sqlite, tmp_path_factory):
    """The server, one for all tests of a worker."""
    folder = tmp_path_factory.mktemp("server")
    path = shutil.copy(migrated_sqlite, folder / "served.sqlite")
    with served(ROOT / "production.ini", f"sqlite:///{path}", folder / "printed", MYPROJECT_SECRET=SECRET) as running:
        yield running


@pytest.fixture
def database_url(server):
    """The URL of the server's database, which holds only the administrator."""
    engine = sqlalchemy.create_engine(server.database_url)
    with engine.begin() as connection, signed_in.without_administrator_check(connection):
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())
        # The ledger has recorded that.
        for model in (Change, Entry):
            connection.execute(model.__table__.delete())
        connection.exec_driver_sql("DELETE FROM sqlite_sequence")
    engine.dispose()
    signed_in.add_administrator(server.database_url)
    return server.database_url


@pytest.fixture
def people(outside):
    """Sixty-six users, the first of them with twelve posts."""
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
            "created_at": JOINED + datetime.timedelta(days=number * 30),
            "updated_at": JOINED + datetime.timedelta(days=number * 30),
        }
        for number in range(1, 13)
    ]
    with outside.begin() as connection:
        connection.execute(sqlalchemy.insert(User), users)
        author_id = connection.scalar(sqlalchemy.select(User.id).where(User.name == names[0]))
        connection.execute(sqlalchemy.insert(Post), [{"author_id": author_id, **post} for post in posts])


@pytest.fixture
def member(people, outside):
    """User 1, a member with two sign-ins, and user 2 with a link to set a password."""
    browser = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36"
    place = {"user_id": 1, "address": "2001:db8:1234:5678:9abc:def0:1234:5678"}
    here = {**place, "token": digest(TOKEN_OF_MEMBER), "browser": browser}
    there = {**place, "token": digest("of another browser"), "browser": "curl/8"}
    with outside.begin() as connection:
        connection.execute(sqlalchemy.insert(SignIn), [here, there])
        connection.execute(
            sqlalchemy.insert(PasswordLink).values(user_id=2, maker_id=1, token=digest("link"), created_at=utcnow())
        )


@pytest.fixture
def saved_views(people, outside):
    """Saved views: two of the administrator, one for all of user 1, and one that the list no longer understands."""
    views = [
        {"name": "Editors who have left", "query": "role=editor&active=no&sort=-joined"},
        {"name": "서연 님들", "query": "q=%EC%84%9C%EC%97%B0+role%3Aking&age_from=20&age_to=29"},
        {"name": "From before", "query": "colour=red"},
        {"name": "Newcomers", "query": "joined_from=2026-10&sort=-joined", "user_id": 1, "for_all": True},
    ]
    with outside.begin() as connection:
        values = [{"user_id": 0, "for_all": False, **view} for view in views]
        connection.execute(sqlalchemy.insert(SavedView), values)


@pytest.fixture
def selection(people, outside):
    """All users as the administrator has selected them, before one was changed and one was deleted."""
    with outside.begin() as connection:
        connection.execute(sqlalchemy.insert(Selection).values(user_id=0, query="sort=name", is_whole=True))
        everybody = sqlalchemy.select(sqlalchemy.literal(1), User.id, User.version)
        names = ["selection_id", "user_id", "version"]
        connection.execute(sqlalchemy.insert(SelectedUser).from_select(names, everybody))
        connection.exec_driver_sql("UPDATE users SET age = 99 WHERE id = 5")
        connection.exec_driver_sql("DELETE FROM users WHERE id = 60")
        connection.exec_driver_sql("INSERT INTO users (name) VALUES ('Newcomer')")


@pytest.fixture
def history(people, saved_views, outside):
    """Changes of several people: a role, several fields, a long text, and two people and a post that are gone."""
    words = " ".join(f"paragraph{number}" for number in range(80))
    changed = "title = 'Cake', body = replace(body, 'paragraph40', 'cake and tea')"
    deleted = ["DELETE FROM users WHERE id IN (20, 21)", "DELETE FROM posts WHERE id = 2"]
    renamed = "UPDATE users SET name = 'Ada King', age = 36, email = NULL WHERE id = 1"
    steps = [
        ({"actor_id": 0, "route": "users.edit", "attempts": 3}, ["UPDATE users SET role = 'editor' WHERE id = 1"]),
        ({"actor_id": 3, "route": "users.edit"}, [renamed]),
        ({"route": "demo"}, [f"UPDATE posts SET body = '{words}' WHERE id = 1"]),
        ({"actor_id": 1, "route": "posts.edit"}, [f"UPDATE posts SET {changed} WHERE id = 1"]),
        ({"actor_id": 0, "route": "users.delete"}, deleted),
        ({"actor_id": 0, "route": "users.edit"}, ["UPDATE users SET role = 'member' WHERE id = 1"]),
    ]
    for origin, statements in steps:
        with outside.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            tell(connection, Origin(request_id="0123456789abcdef" * 2, **origin))
            for statement in statements:
                connection.exec_driver_sql(statement)
            connection.commit()
    with outside.begin() as connection:
        # The last one puts the role back that the first one has changed.
        first = sqlalchemy.select(sqlalchemy.func.min(Entry.id)).where(Entry.attempts == 3).scalar_subquery()
        last = sqlalchemy.select(sqlalchemy.func.max(Entry.id)).scalar_subquery()
        connection.execute(
            sqlalchemy.update(Entry).where(Entry.id == last).values(undoes_id=first, route="history.undo")
        )


@pytest.fixture(scope="session")
def heard():
    """All complaints of this worker's browser."""
    return []


@pytest.fixture
def complaints(heard):
    """Complaints of the browser during this test: errors on its console, and requests to other hosts."""
    heard.clear()
    return heard


@pytest.fixture(scope="session")
def open_page(chromium, server, heard):
    """Call `open_page(locale="ko-KR", …)`: the page for these options of a Playwright context, created once."""
    home = (f"{server.url}/", "data:")

    @functools.cache
    def make(**options):
        context = chromium.new_context(base_url=server.url, reduced_motion="reduce", **options)
        context.set_default_timeout(10_000)
        context.on("console", lambda message: message.type == "error" and heard.append(message.text))
        context.on("weberror", lambda error: heard.append(str(error.error)))
        context.on("request", lambda request: request.url.startswith(home) or heard.append(request.url))
        return context.new_page()

    return make


@pytest.fixture
def browse(open_page, complaints, database_url, server):
    """Call `browse(locale="ko-KR")`: a window without cookies but the session's.

    `session` is the session cookie: `ADMINISTRATOR`, another of `signed_in.cookie`, or `None` for a visitor.
    """

    def visit(locale="en-US", java_script_enabled=True, width=1280, height=760, session=ADMINISTRATOR):
        page = open_page(locale=locale, java_script_enabled=java_script_enabled)
        page.context.clear_cookies()
        if session:
            https = server.url.replace("http:", "https:")
            page.context.add_cookies([{"name": "__Host-session", "value": session, "url": https}])
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": width, "height": height})
        return page

    return visit
