"""A standby takes over from a PostgreSQL server that dies: the URL names both, and nothing acknowledged is lost."""

import contextlib
import io
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy
from sqlalchemy import insert
from sqlalchemy.pool import NullPool

from myproject import main
from myproject.db import get_engine, message_of
from myproject.models import User
from myproject.scripts import create_admin, initialize_db

from ..conftest import DATABASE_NUMBERS, INI, checked_by_ledger, migrate
from ..postgresql import STANDBY, Server
from ..standby import attached, running_pair, set_synchronous, wait_until

JANE = insert(User).values(name="Jane Doe")
UNKNOWN = "The connection was lost while saving. Send the form again. It will not be saved twice."


@pytest.fixture(scope="module")
def servers(postgresql):
    """A primary and its standby for this module, with the migrated database `migrated`."""
    with running_pair() as pair:
        pair.primary.execute("CREATE DATABASE migrated")
        migrate(pair.url("migrated"))
        yield pair


@pytest.fixture
def pair(servers):
    """The two servers, both of them running, whatever an earlier test has done."""
    servers.primary.stop()
    servers.primary.start()
    servers.restore()
    return servers


@pytest.fixture
def database_url(request, pair):
    """The URL of a migrated database on both servers."""
    name = f"taken_over_{next(DATABASE_NUMBERS)}"
    pair.primary.execute(f"CREATE DATABASE {name} TEMPLATE migrated")
    yield from checked_by_ledger(pair.url(name), request.node)


@pytest.fixture
def outside(database_url):
    """An engine of plain SQLAlchemy, which keeps no connection to a server that dies."""
    return sqlalchemy.create_engine(database_url, poolclass=NullPool)


def add_jane(request):
    request.dbsession.execute(JANE)


def port_of(engine):
    """Return the port of the server to which `engine`, whose pool is emptied before and after, connects now."""
    engine.dispose()
    with engine.connect() as connection:
        port = connection.connection.dbapi_connection.info.port
    engine.dispose()
    return port


def hosts_of(*ports):
    """Return the part of a URL that names servers on these ports of loopback."""
    return "&".join(f"host=127.0.0.1:{port}" for port in ports)


# The standby takes over.


def test_after_a_takeover_every_pooled_connection_works(probe, engine, pair, names):
    for connection in [engine.connect() for _ in range(3)]:
        connection.close()
    pair.take_over()
    for _ in range(4):
        probe(add_jane, status=200)
    assert names() == ["Jane Doe"] * 4


def test_a_form_from_before_the_takeover_is_saved_after_it(app, form, pair, names):
    pair.take_over()
    form.submit(status=303).follow().mustcontain("Jane Doe was added.")
    assert names() == ["Jane Doe"]


def test_until_the_standby_takes_over_nothing_can_be_saved(app, form, pair, names, caplog):
    pair.primary.stop()
    form.submit(status=503).mustcontain("Nothing was saved.")
    app.get("/users", status=503)
    # The log tells what each server said.
    [*_, line] = [record.getMessage() for record in caplog.records if record.name == "myproject.web.errors"]
    assert "Connection refused; host: " in line or "session is read-only; host: " in line
    assert ("Connection refused" in line, "session is read-only" in line) == (True, True)
    pair.promote()
    form.submit(status=303)
    assert names() == ["Jane Doe"]


def test_a_server_that_takes_no_writes_any_more_is_left_for_the_other_one(probe, engine, pair, names):
    probe(add_jane, status=200)
    wait_until(lambda: pair.standby.execute("SELECT pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn()")[0])
    pair.promote()
    old = pair.standby
    old.execute("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
    wait_until(lambda: old.execute("SHOW default_transaction_read_only") == ("on",))
    assert engine.pool.checkedin() == 1
    probe(add_jane, status=200)
    assert names() == ["Jane Doe"] * 2
    # The next test copies the other server.
    pair.standby.stop()


def test_a_running_process_stays_with_the_server_that_took_over(database_url, pair):
    engine = get_engine(database_url)
    if pair.primary.port > pair.standby.port:
        # The URL names the standby first.
        pair.take_over()
        pair.restore()
    assert port_of(engine) == pair.primary.port
    pair.take_over()
    assert port_of(engine) == pair.primary.port
    # The old primary comes back, as one that takes writes: nobody may want that, but it happens.
    pair.standby.start()
    assert port_of(engine) == pair.primary.port
    assert port_of(get_engine(database_url)) == pair.standby.port
    pair.standby.stop()


# What is acknowledged is on both servers.


def test_what_only_the_primary_had_saved_is_not_acknowledged(settings, pair, request, names):
    settings["database.longest_silence"] = "1"
    form = request.getfixturevalue("form")
    pair.standby.stop()
    form.submit(status=503).mustcontain(UNKNOWN)
    pair.primary.stop()
    pair.standby.start()
    pair.promote()
    assert names() == []
    form.submit(status=303).follow().mustcontain("Jane Doe was added.")
    assert names() == ["Jane Doe"]


def test_without_a_synchronous_standby_an_acknowledged_form_would_be_lost(form, pair, names):
    set_synchronous(pair.primary, "")
    wait_until(lambda: attached(pair.primary) == "async")
    pair.standby.stop()
    form.submit(status=303)
    pair.primary.stop()
    pair.standby.start()
    pair.promote()
    assert names() == []


def test_when_the_standby_dies_saving_waits_until_the_primary_no_longer_asks_for_it(settings, pair, request, names):
    settings["database.longest_silence"] = "1"
    form, app = request.getfixturevalue("form"), request.getfixturevalue("app")
    pair.standby.stop()
    form.submit(status=503).mustcontain(UNKNOWN)
    app.get("/users", status=200)
    set_synchronous(pair.primary, "")
    form.submit(status=303).follow().mustcontain("This was already done.", "Jane Doe")
    assert names() == ["Jane Doe"]


@pytest.mark.parametrize(("end", "status"), [("pg_cancel_backend", 303), ("pg_terminate_backend", 503)])
def test_only_a_cancelled_wait_for_the_standby_is_acknowledged(end, status, form, pair):
    # PostgreSQL says so in a warning only: docs/standby.md advises against it.
    pair.standby.stop()
    waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(form.submit, status=status)
        wait_until(lambda: pair.primary.execute(waiting))
        wait_until(lambda: pair.primary.execute(f"SELECT {end}(pid) FROM ({waiting}) AS them") is None)
        answer.result()
    set_synchronous(pair.primary, "")


def test_with_two_standbys_of_which_any_is_enough_one_may_die(form, pair, names):
    other = Server(primary=pair.primary, name="other")
    try:
        other.start()
        set_synchronous(pair.primary, f"ANY 1 ({STANDBY}, other)")
        attached = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'"
        wait_until(lambda: pair.primary.execute(attached) == (2,))
        pair.standby.stop()
        form.submit(status=303)
        assert names() == ["Jane Doe"]
    finally:
        other.remove()


# Connecting to several servers.


@pytest.fixture
def silent():
    """A port of loopback that drops every attempt to connect, as a machine does that is gone."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        # They fill the queue of a listener that accepts nobody; the kernel drops what comes then.
        for _ in range(2):
            queued = stack.enter_context(socket.socket())
            queued.setblocking(False)
            queued.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def test_only_the_first_connection_waits_for_a_server_that_is_gone(database_url, pair, silent, monkeypatch):
    monkeypatch.setattr("myproject.db.postgresql.CONNECT_TIMEOUT_SECONDS", 2)
    name = database_url.partition("?")[0]
    engine = get_engine(f"{name}?{hosts_of(silent, pair.primary.port)}&target_session_attrs=read-write")
    seconds = []
    for _ in range(3):
        started = time.monotonic()
        assert port_of(engine) == pair.primary.port
        seconds.append(time.monotonic() - started)
    assert 1.5 < seconds[0] < 6
    assert max(seconds[1:]) < 1


def test_hosts_in_random_order_make_no_difference(database_url, pair):
    engine = get_engine(f"{database_url}&load_balance_hosts=random")
    assert [port_of(engine) for _ in range(8)] == [pair.primary.port] * 8


def test_the_failure_names_every_server(silent, monkeypatch):
    monkeypatch.setattr("myproject.db.postgresql.CONNECT_TIMEOUT_SECONDS", 2)
    engine = get_engine(f"postgresql+psycopg://ada:secret@/users?{hosts_of(1, silent)}&target_session_attrs=read-write")
    with pytest.raises(sqlalchemy.exc.OperationalError) as raised:
        engine.connect()
    message = message_of(raised.value)
    assert "Connection refused; host: '127.0.0.1'" in message
    assert "timeout" in message
    assert "secret" not in message
    assert "\n" not in message


def test_the_server_and_its_commands_start_when_the_first_server_is_gone(settings, pair, monkeypatch, capsys, rows):
    pair.take_over()
    monkeypatch.setenv("DATABASE_URL", settings["sqlalchemy.url"])
    monkeypatch.setenv("MYPROJECT_SECRET", settings["myproject.secret"])
    initialize_db.main([INI])
    assert capsys.readouterr().out == "The database is up to date.\n"
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery staple"))
    create_admin.main([INI, "ada@example.com", "--password-stdin"])
    assert [user.email for user in rows(User)] == ["ada@example.com"]
    main({"__file__": INI}, **settings)
