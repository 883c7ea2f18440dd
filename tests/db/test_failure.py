"""The database is away, full or read-only: the answer is a 503 page, nothing is partially written, and it recovers."""

import contextlib
import logging
import re
import sqlite3

import psycopg
import pytest
from pyramid_retry import IRetryableError, mark_error_retryable
from sqlalchemy import event, func, insert, select, text
from sqlalchemy.exc import OperationalError
from zope.interface import alsoProvides

from myproject.db import IDatabaseUnavailable, IOutcomeUnknown
from myproject.models import User

from ..conftest import finish_writes, migrate
from ..postgresql import running_server

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

JANE = insert(User).values(name="Jane Doe")


def add_jane(request):
    request.dbsession.add(User(name="Jane Doe"))
    request.dbsession.flush()


@pytest.fixture(scope="module")
def postgresql(postgresql):
    """A server for this module only, which its tests may stop."""
    with running_server() as server:
        server.execute("CREATE DATABASE migrated")
        migrate(server.url("migrated"))
        yield server


@pytest.fixture
def server(database_url, postgresql):
    """The server of the test's database; it is running again after the test."""
    yield postgresql
    (postgresql.folder / "data" / "standby.signal").unlink(missing_ok=True)
    postgresql.stop()
    postgresql.start()


def assert_unavailable(page, advice="Nothing was saved. Try again in a moment."):
    page.mustcontain("The database is not available", "</nav>", no=["Traceback", "psycopg", "SELECT"])
    assert page.html.select_one("main .lead").text == advice
    assert (page.status_int, page.headers["Retry-After"]) == (503, "5")


# The server stops and starts.


@POSTGRESQL
def test_after_a_restart_every_pooled_connection_works(probe, server, engine, names):
    pooled = [engine.connect() for _ in range(3)]
    for connection in pooled:
        connection.close()
    server.stop()
    server.start()
    for _ in range(4):
        probe(add_jane, status=200)
    assert names() == ["Jane Doe"] * 4


@POSTGRESQL
def test_stock_answers_500_to_the_first_request_after_a_restart(stock, probe, server, names):
    probe(add_jane, status=200)
    server.stop()
    server.start()
    probe(add_jane, status=500)
    assert names() == ["Jane Doe"]


@POSTGRESQL
@pytest.mark.parametrize("used_before", [False, True])
def test_without_a_server_the_answer_is_503_until_it_is_back(used_before, app, probe, server, names):
    if used_before:
        app.get("/users", status=200)
    server.stop()
    assert_unavailable(app.get("/users", status=503), "Try again in a moment.")
    assert_unavailable(probe(add_jane, status=503))
    # The identity would be looked up there too.
    assert_unavailable(app.get("/users/new", status=503), "Try again in a moment.")
    app.get("/static/site.css", status=200)
    app.get("/nowhere", status=404)
    server.start()
    probe(add_jane, status=200)
    app.get("/users", status=200).mustcontain("Jane Doe")
    assert names() == ["Jane Doe"]


@POSTGRESQL
def test_stock_answers_500_without_a_server(stock, app, server):
    server.stop()
    app.get("/users", status=500)


@POSTGRESQL
def test_a_missing_server_is_logged_as_one_line(app, server, caplog):
    server.stop()
    app.get("/users", status=503)
    [line] = [logging.Formatter().format(record) for record in caplog.records if record.name == "myproject.web.errors"]
    assert re.fullmatch("GET /users: the database is unavailable: connection failed: .* Connection refused", line)


@pytest.mark.parametrize("mark", [mark_error_retryable, lambda error: alsoProvides(error, IDatabaseUnavailable)])
def test_only_the_reason_of_an_unavailable_database_is_logged(mark, probe, caplog):
    def view(request):
        error = ValueError("a value of the request\na second line")
        mark(error)
        raise error

    probe(view, status=503)
    [line] = [logging.Formatter().format(record) for record in caplog.records if record.name == "myproject.web.errors"]
    reason = "ValueError" if mark is mark_error_retryable else "a value of the request"
    assert line.endswith(f"POST /probe: the database is unavailable: {reason}")


@POSTGRESQL
def test_a_write_in_its_own_transaction_without_a_server_is_logged_as_one_line(probe, server, wsgi, caplog):
    def view(request):
        request.in_own_transaction(lambda dbsession: dbsession.execute(JANE))
        request.tm.get().addBeforeCommitHook(server.stop)

    probe(view, status="*")
    finish_writes(wsgi)
    [line] = [logging.Formatter().format(each) for each in caplog.records if each.name.endswith("after_transaction")]
    assert line.startswith("a write in its own transaction failed: the database is unavailable: ")
    assert "\n" not in line


@POSTGRESQL
@pytest.mark.parametrize("has_committed_before", [False, True])
def test_a_connection_that_breaks_before_the_commit_is_retried_on_another(has_committed_before, probe, outside, names):
    attempts = []
    if has_committed_before:
        probe(lambda request: request.dbsession.execute(JANE) and None, status=200)

    def view(request):
        attempts.append(1)
        add_jane(request)
        if len(attempts) == 1:
            end_session(outside, request.dbsession.scalar(select(func.pg_backend_pid())))
            request.dbsession.execute(JANE)

    probe(view, status=200)
    assert (len(attempts), names()) == (2, ["Jane Doe"] * (2 if has_committed_before else 1))


@POSTGRESQL
@pytest.mark.parametrize("state", ["57P01", "57P02"])
def test_a_request_that_meets_a_server_about_to_stop_is_retried(state, probe, names):
    attempts = []

    def view(request):
        attempts.append(request.dbsession.scalar(select(func.pg_backend_pid())))
        add_jane(request)
        if len(attempts) == 1:
            request.dbsession.execute(text(f"DO $$ BEGIN RAISE 'stopping' USING ERRCODE = '{state}'; END $$"))

    probe(view, status=200)
    assert (len(set(attempts)), names()) == (2, ["Jane Doe"])


@POSTGRESQL
@pytest.mark.parametrize("state", ["57P01", "57P02"])
def test_the_outcome_is_unknown_if_the_server_announces_its_end_during_the_commit(state, form, outside, names):
    announce = DIE.replace("PERFORM pg_terminate_backend(pg_backend_pid())", f"RAISE SQLSTATE '{state}'")
    with outside.begin() as connection:
        connection.execute(text(announce))
        connection.execute(text(DIE_AT_COMMIT))
    assert_unknown(form.submit(status=503))
    assert names() == []


def end_session(outside, pid):
    with outside.connect() as connection:
        connection.execute(select(func.pg_terminate_backend(pid, 5000)))


@POSTGRESQL
def test_a_standby_can_be_read_and_answers_503_to_writes(probe, server, app, make_user, outside, names):
    make_user("John Doe")
    outside.dispose()
    server.stop("fast")
    (server.folder / "data" / "standby.signal").touch()
    server.start()
    app.get("/users").mustcontain("John Doe")
    assert_unavailable(probe(add_jane, status=503))
    server.stop("fast")
    (server.folder / "data" / "standby.signal").unlink()
    server.start()
    probe(add_jane, status=200)
    assert names() == ["John Doe", "Jane Doe"]


# No connection is left.


@pytest.fixture
def limited(settings, postgresql):
    """The application's role, with a limit of one connection."""
    postgresql.execute("CREATE ROLE limited LOGIN CONNECTION LIMIT 1")
    postgresql.execute("GRANT pg_read_all_data, pg_write_all_data TO limited")
    settings["sqlalchemy.url"] = settings["sqlalchemy.url"].replace("postgres@", "limited@")
    yield settings["sqlalchemy.url"].replace("+psycopg", "")
    postgresql.execute("REVOKE pg_read_all_data, pg_write_all_data FROM limited")
    postgresql.execute("DROP ROLE limited")


@POSTGRESQL
def test_a_server_without_free_connections_is_answered_by_503(limited, probe, outside, names):
    other = psycopg.connect(limited)
    assert_unavailable(probe(add_jane, status=503))
    # This waits until the server no longer counts the connection; close() does not.
    end_session(outside, other.info.backend_pid)
    other.close()
    probe(add_jane, status=200)
    assert names() == ["Jane Doe"]


def test_an_exhausted_pool_is_answered_by_503(probe, engine, monkeypatch, names):
    monkeypatch.setattr(engine.pool, "_timeout", 0.01)
    with contextlib.ExitStack() as others:
        for _ in range(engine.pool.size() + engine.pool._max_overflow):
            others.enter_context(contextlib.closing(engine.raw_connection()))
        assert_unavailable(probe(add_jane, status=503))
    probe(add_jane, status=200)
    assert names() == ["Jane Doe"]


# The database is read-only.


@POSTGRESQL
def test_a_read_only_server_can_be_read_and_answers_503_to_writes(app, probe, engine, outside, make_user):
    make_user("Jim Doe")
    name = outside.url.database
    with outside.begin() as connection:
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
    app.get("/users", status=200).mustcontain("Jim Doe")
    assert_unavailable(probe(add_jane, status=503))
    with outside.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET default_transaction_read_only = off"))
        connection.execute(text(f"ALTER DATABASE {name} RESET default_transaction_read_only"))
    engine.dispose()
    probe(add_jane, status=200)


@SQLITE
def test_a_read_only_file_can_be_read_and_answers_503_to_writes(settings, make_user, names, request):
    make_user("Jim Doe")
    path = settings["sqlalchemy.url"].removeprefix("sqlite:///")
    settings["sqlalchemy.url"] = f"sqlite:///file:{path}?mode=ro&uri=true"
    request.getfixturevalue("app").get("/users", status=200).mustcontain("Jim Doe")
    assert_unavailable(request.getfixturevalue("probe")(add_jane, status=503))
    assert names() == ["Jim Doe"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_safe_request_that_writes_is_answered_by_500(method, probe, names):
    probe(add_jane, method=method, status=500)
    assert names() == []


# The disk is full; the file is locked or missing.


@pytest.fixture
def disk(engine):
    """`disk["pages"]`, the largest size of the SQLite file: its present size, until a test changes it."""
    with sqlite3.connect(engine.url.database) as connection:
        connection.execute("CREATE TABLE bulk (bytes BLOB)")
        disk = {"pages": connection.execute("PRAGMA page_count").fetchone()[0]}
    connection.close()
    event.listen(engine, "checkout", lambda raw, *_: raw.execute(f"PRAGMA max_page_count = {disk['pages']}"))
    return disk


def fill(request):
    request.dbsession.execute(text("INSERT INTO bulk VALUES (zeroblob(100000))"))


def in_a_savepoint(request):
    with request.dbsession.begin_nested():
        fill(request)


@SQLITE
@pytest.mark.parametrize("fill", [fill, in_a_savepoint])
def test_a_full_disk_is_answered_by_503_and_nothing_is_written(fill, probe, disk, names):
    def view(request):
        add_jane(request)
        fill(request)

    assert_unavailable(probe(view, status=503))
    assert names() == []
    disk["pages"] *= 100
    probe(view, status=200)
    assert names() == ["Jane Doe"]


@SQLITE
@pytest.mark.parametrize("fill", [fill, in_a_savepoint])
@pytest.mark.parametrize("status", [200, 422])
def test_a_view_that_swallows_the_error_of_a_full_disk_writes_nothing(status, fill, probe, disk, names):
    def view(request):
        add_jane(request)
        # SQLite has rolled back by itself. It would commit the next statement at once, whatever the view answers.
        for write in fill, lambda request: request.dbsession.execute(JANE):
            with contextlib.suppress(OperationalError):
                write(request)
        request.response.status_int = status

    probe(view, status=503 if status == 200 else 422)
    assert names() == []


@SQLITE
def test_a_form_sent_to_a_full_disk_is_answered_by_503(app, disk, rows):
    form = app.get("/users/new").forms["record"]
    form["name"] = "J" * 200
    while (page := form.submit(status="*")).status_int == 303:
        form = app.get("/users/new").forms["record"]
        form["name"] = "J" * 200
    assert_unavailable(page)
    stored = len(rows(User))
    disk["pages"] *= 100
    form.submit(status=303)
    assert len(rows(User)) == stored + 1


@SQLITE
@pytest.mark.usefixtures("impatient")
def test_a_locked_file_is_answered_by_503_until_it_is_free(probe, writer, monkeypatch, names):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    writer.execute("BEGIN IMMEDIATE")
    assert_unavailable(probe(add_jane, status=503))
    writer.rollback()
    probe(add_jane, status=200)
    assert names() == ["Jane Doe"]


@SQLITE
def test_stock_answers_500_to_a_locked_file(stock, impatient, probe, writer):
    writer.execute("BEGIN IMMEDIATE")
    probe(add_jane, status=500)


@SQLITE
def test_a_missing_file_is_answered_by_503_until_it_is_back(app, probe, engine, tmp_path, names):
    here, away = tmp_path, tmp_path.with_name(f"{tmp_path.name}-away")
    here.rename(away)
    assert_unavailable(app.get("/users", status=503), "Try again in a moment.")
    away.rename(here)
    probe(add_jane, status=200)
    assert names() == ["Jane Doe"]


# The connection breaks while the server commits.


def assert_unknown(page):
    page.mustcontain("The connection was lost while saving. Send the form again. It will not be saved twice.", "</nav>")
    assert (page.status_int, page.headers["Retry-After"]) == (503, "5")


@POSTGRESQL
def test_a_form_sent_again_after_a_lost_commit_reply_is_saved_once(proxy, form, names):
    proxy.lose(b"COMMIT")
    assert_unknown(form.submit(status=503))
    assert (proxy.seen, names()) == (1, ["Jane Doe"])
    form.submit(status=303).follow().mustcontain("This was already done.", "Jane Doe")
    assert names() == ["Jane Doe"]


@POSTGRESQL
def test_a_form_sent_again_after_the_server_died_in_commit_is_saved_once(outside, form, names):
    with outside.begin() as connection:
        connection.execute(text(DIE))
        connection.execute(text(DIE_AT_COMMIT))
    assert_unknown(form.submit(status=503))
    assert names() == []
    with outside.begin() as connection:
        connection.execute(text("DROP TRIGGER die ON users"))
    form.submit(status=303).follow().mustcontain("Jane Doe was added.")
    assert names() == ["Jane Doe"]


DIE = """
    CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM pg_terminate_backend(pg_backend_pid());
        RETURN NULL;
    END $$"""
DIE_AT_COMMIT = """
    CREATE CONSTRAINT TRIGGER die AFTER INSERT ON users DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION die()"""


@pytest.fixture
def unmarked(monkeypatch):
    """The control: a lost reply to COMMIT is treated like any lost connection."""
    monkeypatch.setattr("myproject.db.failure._note_committing", lambda is_committing: lambda connection: None)


@POSTGRESQL
def test_retrying_every_broken_connection_would_store_the_row_twice(proxy, unmarked, probe, names):
    proxy.lose(b"COMMIT")
    probe(add_jane, status=200)
    assert names() == ["Jane Doe", "Jane Doe"]


@POSTGRESQL
def test_a_lost_commit_reply_is_not_retried(proxy, probe, names):
    proxy.lose(b"COMMIT")
    assert_unknown(probe(add_jane, status=503))
    assert names() == ["Jane Doe"]


@POSTGRESQL
def test_a_page_whose_query_was_not_answered_is_read_again(proxy, probe, make_user):
    make_user("Jane Doe")
    attempts = []
    proxy.lose(b"Jane Doe")

    def view(request):
        attempts.append(1)
        return str(request.dbsession.scalars(select(User.name).where(text("name = 'Jane Doe'"))).all())

    probe(view, method="GET", status=200).mustcontain("Jane Doe")
    assert (len(attempts), proxy.seen) == (2, 2)


@POSTGRESQL
@pytest.mark.parametrize("is_read_only", [True, False])
def test_a_lost_commit_reply_leaves_nothing_unknown_if_nothing_was_written(is_read_only, proxy, engine):
    with engine.connect().execution_options(read_only=is_read_only) as connection:
        connection.execute(select(User.id))
        proxy.lose(b"COMMIT")
        with pytest.raises(OperationalError) as raised:
            connection.commit()
    assert proxy.seen == 1
    assert IOutcomeUnknown.providedBy(raised.value) != is_read_only
    assert IRetryableError.providedBy(raised.value) == is_read_only


# The settings of a connection.


@POSTGRESQL
def test_sessions_are_in_utc_and_wait_for_locks_for_5_seconds_whatever_the_server_says(probe, outside):
    with outside.begin() as connection:
        for setting in ("timezone = 'Asia/Seoul'", "lock_timeout = '1h'"):
            connection.execute(text(f"ALTER DATABASE {outside.url.database} SET {setting}"))

    def view(request):
        shown = [request.dbsession.scalar(text(f"SHOW {name}")) for name in ("timezone", "lock_timeout")]
        return ", ".join(shown)

    # The second request gets the connection of the first one, which was reset.
    assert [probe(view, method=method).text for method in ("GET", "POST", "GET")] == ["UTC, 5s"] * 3


# What a request leaves on its connection.

TRACES = {
    "a setting": ("SET work_mem = '1234kB'", "SELECT current_setting('work_mem') = '1234kB'"),
    "a role": ("SET ROLE pg_monitor", "SELECT current_user = 'pg_monitor'"),
    "an advisory lock": (
        "SELECT pg_advisory_lock(1)",
        "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
    ),
    "a temporary table": (
        "CREATE TEMPORARY TABLE notes (note TEXT)",
        "SELECT to_regclass('pg_temp.notes') IS NOT NULL",
    ),
    "a channel": ("LISTEN news", "SELECT count(*) > 0 FROM pg_listening_channels()"),
    "a cursor": ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", "SELECT count(*) > 0 FROM pg_cursors WHERE name = 'c'"),
}


def leave(probe, trace):
    """Return whether the next request on the same connection finds `trace`, which the first one leaves."""
    do, is_there = TRACES[trace]
    sessions = []

    def view(request, statement=do):
        if statement == do:
            add_jane(request)  # so that the stock wiring commits
        sessions.append(request.dbsession.scalar(select(func.pg_backend_pid())))
        result = request.dbsession.execute(text(statement))
        return str(result.scalar()) if result.returns_rows else ""

    probe(view, status=200)
    answer = probe(lambda request: view(request, is_there), status=200).text
    assert sessions[0] == sessions[1]
    return answer == "True"


@POSTGRESQL
@pytest.mark.parametrize("trace", TRACES)
def test_the_next_request_gets_a_clean_connection(trace, probe):
    assert not leave(probe, trace)


@POSTGRESQL
@pytest.mark.parametrize("trace", TRACES)
def test_stock_leaves_traces_for_the_next_request(stock, trace, probe):
    assert leave(probe, trace)
