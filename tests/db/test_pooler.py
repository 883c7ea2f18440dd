"""Behind pgbouncer: refused in transaction mode, where statements of several clients mix; complete in session mode."""

import contextlib
import os

import pytest
import sqlalchemy
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import NotSupportedError

from myproject import main
from myproject.db import get_engine
from myproject.models import User
from myproject.settings import SettingsError
from tests import postgresql_only
from tests.conftest import configured

from ..pgbouncer import binary, pooling

pytestmark = postgresql_only

# "" is pgbouncer's default: it refuses connections that send this parameter.
IGNORED = ["", "options"]


@pytest.fixture
def pooled(database_url, postgresql, settings):
    """Call `pooled(mode)`: let the application connect by a pgbouncer in that mode; return its URL."""
    if binary() is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("pgbouncer was not found")
    with contextlib.ExitStack() as stack:

        def start(mode, ignored=""):
            port = stack.enter_context(pooling(postgresql, mode, ignored))
            settings["sqlalchemy.url"] = database_url.replace(f":{postgresql.port}/", f":{port}/")
            return settings["sqlalchemy.url"]

        yield start


def add_jane(request):
    request.dbsession.execute(insert(User).values(name="Jane Doe"))


@pytest.mark.parametrize("ignored", IGNORED)
@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_a_pooler_that_shares_sessions_is_refused_with_one_sentence(mode, ignored, pooled):
    engine = get_engine(pooled(mode, ignored))
    for _ in range(2):
        with pytest.raises(NotSupportedError, match="behind a pooler in transaction mode"):
            engine.connect()
    assert engine.pool.checkedout() == 0


def test_the_application_does_not_start_behind_a_pooler_that_shares_sessions(pooled, settings):
    pooled("transaction")
    with pytest.raises(SettingsError, match="behind a pooler in transaction mode"):
        main({}, **settings)


def test_requests_behind_a_pooler_that_shares_sessions_are_answered_by_503(pooled, settings, request, names, caplog):
    # At its start the application was connected to PostgreSQL itself.
    configured(settings)
    pooled("transaction")
    request.getfixturevalue("probe")(add_jane, status=503).mustcontain("The database is not available")
    assert "pooler in transaction mode" in caplog.text
    assert names() == []


def test_a_busy_pooler_that_shares_sessions_is_refused_too(pooled):
    url = pooled("transaction")
    others = sqlalchemy.create_engine(url)
    with others.connect() as one, others.connect() as two:
        # Each of them holds a session, as clients in a transaction do.
        one.execute(text("SELECT 1")), two.execute(text("SELECT 1"))
        with pytest.raises(NotSupportedError):
            get_engine(url).connect()
    others.dispose()


@pytest.mark.parametrize("ignored", IGNORED)
def test_a_pooler_in_session_mode_works(ignored, pooled, request, names):
    pooled("session", ignored)
    app = request.getfixturevalue("app")
    form = app.get("/users/new").forms["record"]
    form["name"] = "Jane Doe"
    form.submit(status=303).follow(status=200).mustcontain("Jane Doe was added.")
    assert names() == ["Jane Doe"]


# With and without a pooler: what every session has, at first and after it was cleaned.

SETTINGS = {"timezone": "UTC", "lock_timeout": "5s", "statement_timeout": "7s"}


@pytest.mark.parametrize("mode", [None, "session"])
def test_each_transaction_that_reads_has_its_limits(mode, pooled, database_url, outside):
    with outside.begin() as connection:
        connection.execute(text(f"ALTER DATABASE {outside.url.database} SET timezone = 'Asia/Seoul'"))
    engine = get_engine(pooled(mode, "options") if mode else database_url, reading_seconds=7)
    pids = set()
    for _ in range(3):
        with engine.connect().execution_options(read_only=True) as connection:
            pids.add(connection.scalar(select(func.pg_backend_pid())))
            found = {name: connection.scalar(text(f"SHOW {name}")) for name in SETTINGS}
            connection.execute(text("SET timezone = 'Asia/Tokyo'; SET lock_timeout = 0; SET statement_timeout = 0"))
            connection.commit()
        assert found == SETTINGS
    assert len(pids) == 1
    engine.dispose()
