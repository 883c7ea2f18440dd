"""A person with many long posts: how long their pages and acts take, what memory they cost, and who waits meanwhile."""

import contextlib
import http.client
import re
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import sqlalchemy
from sqlalchemy import func, insert, select, text

from myproject.history.models import Entry
from myproject.models import Post
from tests.postgresql import binaries, running_server

from .client import Client
from .databases import LARGE_SERVER_SETTINGS, make_users
from .memory import peak_megabytes, resident_megabytes
from .servers import application, serving

USERS = 1000
BODY_BYTES = 5000
# The user with the posts, and one whom somebody else edits meanwhile.
PERSON, OTHER = 7, 900
SECONDS_BETWEEN_EDITS = 0.05
FIELD = re.compile(r'<input[^>]*type="hidden"[^>]*name="([^"]+)"[^>]*value="([^"]*)"')


class Figures(NamedTuple):
    """Seconds, kilobytes of the answer, megabytes above an idle server, and the longest wait of another writer."""

    seconds: float
    kilobytes: float
    megabytes: float
    wait: float


def measure(posts: int) -> dict[str, dict[str, Figures]]:
    """Return `{page or act: {kind of database: Figures}}`; each act has a server and a database of its own."""
    found: dict[str, dict[str, Figures]] = {}
    with _databases(posts) as copies:
        for kind, copy in copies.items():
            for number, acts in enumerate(ACTS):
                with serving(application, "ours", copy(f"act{number}")) as (port, process_id):
                    person = Person(port, process_id, copy(f"act{number}", exists=True))
                    for name, act in acts.items():
                        found.setdefault(name, {})[kind] = person.measure(act)
    return found


class Person:
    """The browser of the administrator, who looks at the person with the posts, and another one who edits users."""

    def __init__(self, port: int, process_id: int, url: str) -> None:
        self.port, self.process_id, self.url = port, process_id, url
        self.other = Client(port, user=OTHER)
        self.path = f"/users/{PERSON}"
        self.get("/users")

    def measure(self, act: Callable[["Person"], int]) -> Figures:
        """Return the Figures of an act."""
        Path(f"/proc/{self.process_id}/clear_refs").write_text("5", encoding="ascii")  # The peak is the present memory.
        before, stop, waits = resident_megabytes(self.process_id), threading.Event(), [0.0]

        def edit() -> None:
            while not stop.is_set():
                started = time.perf_counter()
                self.other.send(self.other.posts(1)[0], 303)
                waits.append(time.perf_counter() - started)
                time.sleep(SECONDS_BETWEEN_EDITS)

        writer = threading.Thread(target=edit)
        writer.start()
        started = time.perf_counter()
        size = act(self)
        seconds = time.perf_counter() - started
        stop.set()
        writer.join()
        return Figures(seconds, size / 1000, peak_megabytes(self.process_id) - before, max(waits))

    def get(self, path: str) -> str:
        """Return the page at `path`."""
        return self._request("GET", path, 200)

    def submit(self, path: str, **fields: str) -> int:
        """Send the form of a page; return the bytes of the page."""
        page = self.get(path)
        form = page[page.index('id="record"') :]
        hidden = {name: unescape(value) for name, value in FIELD.findall(form)}
        self._request("POST", path, 303, urlencode({**hidden, **fields}))
        return len(page)

    def newest_entry(self) -> str:
        """Return the path of the newest entry that the other one has not made."""
        engine = sqlalchemy.create_engine(self.url)
        with engine.connect() as connection:
            newest = connection.scalar(select(func.max(Entry.id)).where(Entry.route.like("users.%e")))
        engine.dispose()
        return f"/history/{newest}"

    def _request(self, method: str, path: str, expected: int, body: str | None = None) -> str:
        headers = {
            "Host": "localhost",
            "Cookie": self.other.cookie,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)) as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            page = answer.read().decode()
            if answer.status != expected:
                raise RuntimeError(f"{method} {path}: expected status {expected}, received {answer.status} {page}")
            return page


# Pages, and the acts that change the database, one after the other on a copy of it.
ACTS: list[dict[str, Callable[[Person], int]]] = [
    {
        "their page": lambda person: len(person.get(person.path)),
        "a page of their posts": lambda person: len(person.get(f"/posts?author={PERSON}")),
        "the page that asks before deleting": lambda person: len(person.get(f"{person.path}/delete")),
        "the page that asks before erasing": lambda person: len(person.get(f"{person.path}/erase")),
        "their history": lambda person: len(person.get(f"{person.path}/history")),
        "the whole history": lambda person: len(person.get("/history")),
    },
    {
        "deleting": lambda person: person.submit(f"{person.path}/delete"),
        "the entry of the deletion": lambda person: len(person.get(person.newest_entry())),
        "the page that asks before undoing": lambda person: len(person.get(f"{person.newest_entry()}/undo")),
        "undoing the deletion": lambda person: person.submit(f"{person.newest_entry()}/undo"),
    },
    {"erasing, posts are kept": lambda person: person.submit(f"{person.path}/erase", posts="keep")},
    {"erasing, posts are deleted": lambda person: person.submit(f"{person.path}/erase", posts="delete")},
]


@contextlib.contextmanager
def _databases(posts: int) -> Iterator[dict[str, Any]]:
    """Yield `{kind: copy}`, where `copy(name)` returns the URL of a new copy of a database with the posts."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="myproject-bench-")))
        filled = folder / "filled.sqlite"
        _fill(f"sqlite:///{filled}", posts)
        with contextlib.closing(sqlite3.connect(filled)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

        def copy_sqlite(name: str, *, exists: bool = False) -> str:
            path = folder / f"{name}.sqlite"
            return f"sqlite:///{path if exists else shutil.copy(filled, path)}"

        copies: dict[str, Any] = {"SQLite": copy_sqlite}
        if binaries():
            server = stack.enter_context(running_server(**LARGE_SERVER_SETTINGS))
            server.execute("CREATE DATABASE filled")
            _fill(server.url("filled"), posts)

            def copy_postgresql(name: str, *, exists: bool = False) -> str:
                if not exists:
                    server.execute(f"CREATE DATABASE {name} TEMPLATE filled")
                return str(server.url(name))

            copies["PostgreSQL"] = copy_postgresql
        yield copies


def _fill(url: str, posts: int) -> None:
    make_users(url, USERS)
    engine = sqlalchemy.create_engine(url)
    rows = [
        {
            "title": f"Post {number}",
            "body": f"{number} ".ljust(BODY_BYTES, "lorem ipsum "[number % 12]),
            "author_id": PERSON,
        }
        for number in range(posts)
    ]
    with engine.begin() as connection:
        connection.execute(insert(Post.__table__), rows)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE" if engine.dialect.name == "postgresql" else "ANALYZE"))
    engine.dispose()
