"""One storm over one database: servers, clients, kills; then the comparison of the ledger with the database."""

import collections
import contextlib
import dataclasses
import io
import itertools
import os
import random
import tempfile
import threading
import time
from functools import partial
from http import HTTPStatus
from pathlib import Path
from unittest import mock

import sqlalchemy

from myproject.models import User
from myproject.scripts import initialize_db
from myproject.web.receipts import Receipt
from tests import signed_in
from tests.history.replay import Replay

from .clients import Browser, Person
from .history import contradicting_history, read_changes
from .imports import contradicting_imports, name_of, names_of
from .ledger import ACKNOWLEDGED, Ledger, counts, done_of, violations
from .servers import OURS, ROOT, SECRET, STOCK, Server

SERVERS = 2
# How long a slow machine may take longer than planned before the remaining blows are skipped.
MAX_DELAY_SECONDS = 30
# How long people may take to finish their open writes after the last server has started again.
FINISHING_SECONDS = 60


@dataclasses.dataclass
class Outcome:
    """The result of a storm."""

    seconds: float
    kills: int
    crashes: int
    restarts: int
    cut_off: int  # requests that lost their answer to a graceful restart
    statuses: collections.Counter  # of all answers
    longest: float  # seconds until an answer
    writes: list
    imports: list
    rows: list
    receipts: set
    changes: list  # of the history
    errors: list  # of the clients, such as one that never got an answer

    @property
    def failures(self):
        """The number of answers that say that the site could not do what it was asked to."""
        return sum(count for status, count in self.statuses.items() if status == 429 or status >= 500)

    @property
    def violations(self):
        """A sentence for each contradiction between the ledger and the database."""
        cut_off = [f"{self.cut_off} requests were cut off by graceful restarts"] if self.cut_off else []
        imported = names_of(self.imports)
        rows = [row for row in self.rows if row.name not in imported]
        changes = [change for change in self.changes if name_of(change) not in imported]
        history = contradicting_history(done_of(self.writes, self.receipts), changes)
        imports = contradicting_imports(self.imports, self.rows, self.changes)
        return [*self.errors, *cut_off, *violations(self.writes, rows, self.receipts), *history, *imports]

    @property
    def counts(self):
        """`{label: number}` for the printed table."""
        stored = {"users at the end": len(self.rows), "receipts at the end": len(self.receipts)}
        stored["changes in the history"] = len(self.changes)
        stored["files imported"] = len(self.imports)
        stored["… of them acknowledged"] = sum(each.answer == ACKNOWLEDGED for each in self.imports)
        blows = {
            "servers killed": self.kills,
            "databases crashed": self.crashes,
            "servers restarted gracefully": self.restarts,
            "… requests cut off by that": self.cut_off,
            "requests answered": self.statuses.total(),
            "… of them by 503": self.statuses[HTTPStatus.SERVICE_UNAVAILABLE],
            "… by 429 or another 5xx": self.failures - self.statuses[HTTPStatus.SERVICE_UNAVAILABLE],
        }
        return {**blows, **counts(self.writes), **stored}


@contextlib.contextmanager
def directly(_folder, servers):
    """Give the block the function that makes the browser of a person, with `cookies` and random choices by `rng`."""
    yield partial(Browser, [server.port for server in servers])


def run(url, *, kills, seconds, clients, restarts=0, crash=None, crashes=0, stock=False, seed=None, reach=directly):
    """Migrate the empty database of `url`, run the storm, and return its Outcome.

    `kills` SIGKILLs of server processes and `crashes` calls of `crash()` happen at random moments of `seconds`. Then
    come `restarts` graceful restarts, one after the other, which may not cut off a single request. `reach(folder,
    servers)` is how people reach the servers.
    """
    with mock.patch.dict(os.environ, DATABASE_URL=url), contextlib.redirect_stderr(io.StringIO()):
        initialize_db.upgrade(ROOT / "development.ini")
    signed_in.add_administrator(url)
    replay = Replay(url)
    rng, ledger = random.Random(seed), Ledger()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="myproject-stress-")))
        servers = []
        for _ in range(SERVERS):
            servers.append(Server(folder, url, STOCK if stock else OURS))
            stack.callback(servers[-1].kill)
        for server in servers:
            server.wait_until_ready()
        new_browser = stack.enter_context(reach(folder, servers))
        errors, started = [], time.monotonic()
        with _people(new_browser, ledger, clients, rng, errors) as browsers:
            blows = [crash] * crashes + [lambda: _kill_one(servers, rng)] * kills
            struck = _strike(blows, seconds, rng)
            for server in servers:
                server.wait_until_ready()
            cut_off = -_cut_off(browsers)
            for server in itertools.islice(itertools.cycle(servers), restarts):
                _restart(server)
            cut_off += _cut_off(browsers)
        seconds = time.monotonic() - started
    crashed = struck.count(crash)
    killed = len(struck) - crashed
    errors += _contradicting_replay(replay)
    stored = _stored(url, replay.last_id)
    statuses = sum((browser.statuses for browser in browsers), collections.Counter())
    answers = (cut_off, statuses, max(browser.longest for browser in browsers))
    return Outcome(seconds, killed, crashed, restarts, *answers, ledger.writes, ledger.imports, *stored, errors)


@contextlib.contextmanager
def _people(new_browser, ledger, clients, rng, errors):
    """Let people work during the block, which gets their browsers, and wait for their open writes after it."""
    stop = threading.Event()

    def work(person):
        try:
            person.work(stop)
        except Exception as error:
            errors.append(f"a person gave up: {error!r}")
        finally:
            person.browser.close()

    cookies = {"__Host-session": signed_in.cookie(SECRET)}
    people = [Person(new_browser, ledger, cookies, rng.random()) for _ in range(clients)]
    # Daemons, so that a hanging one is reported below and does not keep the command from ending.
    threads = [threading.Thread(target=work, args=[person], daemon=True) for person in people]
    for thread in threads:
        thread.start()
    try:
        yield [person.browser for person in people]
    finally:
        stop.set()
        deadline = time.monotonic() + FINISHING_SECONDS
        for thread in threads:
            thread.join(max(0, deadline - time.monotonic()))
        errors.extend("a person never got an answer" for thread in threads if thread.is_alive())


def _strike(blows, seconds, rng):
    """Call each of `blows` at a random moment of `seconds`; return those called: on a slow machine not all."""
    rng.shuffle(blows)
    struck, started = [], time.monotonic()
    for moment, blow in zip(sorted(rng.uniform(0, seconds) for _ in blows), blows, strict=True):
        time.sleep(max(0, started + moment - time.monotonic()))
        if time.monotonic() - started > seconds + MAX_DELAY_SECONDS:
            break
        blow()
        struck.append(blow)
    time.sleep(max(0, started + seconds - time.monotonic()))
    return struck


def _kill_one(servers, rng):
    """Kill a random server that accepts connections, and start it again."""
    server = rng.choice(servers)
    server.wait_until_ready()
    server.kill()
    server.start()


def _restart(server):
    """Stop a server gracefully, start it again, and give the clients time to come back to it."""
    server.stop()
    server.start()
    server.wait_until_ready()
    time.sleep(0.5)


def _cut_off(browsers):
    """Return how many requests of `browsers` have lost their answer so far."""
    return sum(browser.cut_off for browser in browsers)


def _contradicting_replay(replay):
    """Return a sentence if the changes of the history do not lead from the rows before the storm to those after it."""
    try:
        replay.check()
    except AssertionError as error:
        return [f"the history does not lead to the rows: {error}"]
    return []


def _stored(url, last_change_id):
    """Return the users, the tokens of the receipts, and the changes after the last one, read by a plain engine.

    Without the administrator as whom all clients are signed in, who is not in the ledger.
    """
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        columns = (User.id, User.name, User.email, User.age, User.version)
        rows = connection.execute(sqlalchemy.select(*columns).where(User.id > 0)).all()
        receipts = set(connection.scalars(sqlalchemy.select(Receipt.token)))
        changes = read_changes(connection, last_change_id)
    engine.dispose()
    return rows, receipts, changes
