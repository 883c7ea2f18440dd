"""The server serves no database that is older than the code, and starts on one that is newer or away."""

import contextlib
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import alembic.command
import alembic.config
import pytest
from pyramid.paster import get_app
from pyramid.request import Request
from sqlalchemy import text
from transaction import TransactionManager

from myproject import main
from myproject.db import get_tm_session
from myproject.models import User
from myproject.schema import SchemaError, known_revisions, read_revision
from tests import postgresql_only, sqlite_only

from .postgresql import free_port
from .signed_in import SECRET

ROOT = Path(__file__).parents[1]
INI = str(ROOT / "production.ini")


@pytest.fixture(autouse=True)
def environment(monkeypatch, database_url):
    """The environment of a server with the database of the test."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("MYPROJECT_SECRET", SECRET)


def refusal():
    """Return the sentence with which the server refuses to start."""
    with pytest.raises(SystemExit) as stop:
        get_app(INI)
    return str(stop.value)


@pytest.fixture
def start():
    """Call `start()`: the application that the ini file describes, whose connections are closed at the end."""
    applications = []

    def run():
        applications.append(get_app(INI))
        return applications[-1]

    yield run
    for application in applications:
        close(application)


NOT_UP_TO_DATE = f"myproject does not start: the database is not up to date; run `initialize_db {INI}` first."


@pytest.mark.passes_ledger_by
@pytest.mark.parametrize("revision", ["base", "0001", "0004", "-1"])
def test_a_database_that_lacks_a_migration_is_refused_until_it_is_upgraded(revision):
    config = alembic.config.Config(INI)
    alembic.command.downgrade(config, revision)
    assert refusal() == NOT_UP_TO_DATE
    alembic.command.upgrade(config, "head")
    assert get_app(INI)


def test_a_database_without_tables_is_refused(outside, monkeypatch, tmp_path, request):
    if outside.dialect.name == "sqlite":
        (tmp_path / "no_tables.sqlite").touch()
        url = f"sqlite:///{tmp_path / 'no_tables.sqlite'}"
    else:
        url = request.getfixturevalue("postgresql").url("template1")
    monkeypatch.setenv("DATABASE_URL", url)
    assert refusal() == NOT_UP_TO_DATE


def test_a_newer_database_is_served_with_a_warning(start, outside, caplog):
    set_revision(outside, "9999")
    application = start()
    assert "newer than this version of myproject: it has the migration 9999" in caplog.text
    assert status(application) == 200


def test_the_database_of_this_version_is_served_in_silence(start, caplog):
    caplog.set_level(logging.INFO, "myproject")
    application = start()
    assert (caplog.messages, status(application)) == ([], 200)


@postgresql_only
def test_a_server_that_is_away_is_served_by_503(start, postgresql, monkeypatch, database_url, caplog):
    monkeypatch.setenv("DATABASE_URL", database_url.replace(str(postgresql.port), str(free_port())))
    application = start()
    assert status(application) == 503
    [warning] = lines(caplog, "myproject.schema")
    assert warning.startswith("the database cannot be used, and pages are 503 until it can: connection failed")
    assert "\n" not in warning


@pytest.fixture
def away(database_url, request, tmp_path):
    """A function whose result is a context, in which the database of the test cannot be used."""
    if database_url.startswith("sqlite"):
        return lambda: file_away(tmp_path / "test.sqlite", tmp_path / "away.sqlite")
    return lambda: database_away(request.getfixturevalue("postgresql"), database_url.rpartition("/")[2])


@contextlib.contextmanager
def file_away(file, elsewhere):
    file.rename(elsewhere)
    file.mkdir()
    yield
    file.rmdir()
    elsewhere.rename(file)


@contextlib.contextmanager
def database_away(server, name):
    server.execute(f"ALTER DATABASE {name} RENAME TO away")
    yield
    server.execute(f"ALTER DATABASE away RENAME TO {name}")


def test_a_database_that_cannot_be_used_is_served_by_503_until_it_can(start, away, caplog):
    with away():
        application = start()
        assert status(application) == 503
    assert status(application) == 200
    [warning] = lines(caplog, "myproject.schema")
    assert re.search("test.sqlite: unable to open database file$|database .* does not exist$", warning)


def test_an_older_database_that_was_away_at_the_start_is_served_once_it_is_upgraded(start, away, outside, caplog):
    set_revision(outside, "0001")
    with away():
        application = start()
    assert [status(application), status(application)] == [503, 503]
    refused = lines(caplog, "myproject.web.errors")
    assert all(line.endswith(f": {NOT_UP_TO_DATE.partition(': ')[2].rstrip('.')}") for line in refused)
    assert len(refused) == 2
    set_revision(outside, known_revisions()[0])
    assert status(application) == 200


def test_an_older_database_that_was_away_at_the_start_gets_no_writes(start, away, outside, rows):
    set_revision(outside, "0001")
    with away():
        application = start()
    factory, tm = application.registry["dbsession_factory"], TransactionManager(explicit=True)
    with pytest.raises(SchemaError), tm:
        get_tm_session(factory, tm).add(User(name="Jane Doe"))
    assert rows(User) == []


def test_the_database_is_examined_once(start, away, monkeypatch):
    with away():
        application = start()
    read = []
    monkeypatch.setattr(
        "myproject.schema.read_revision", lambda connection: read.append(1) or read_revision(connection)
    )
    for _ in range(3):
        assert status(application) == 200
        close(application)  # The next request opens a new connection.
    assert read == [1]


def test_a_newer_database_that_was_away_at_the_start_is_served_with_a_warning(start, away, outside, caplog):
    set_revision(outside, "9999")
    with away():
        application = start()
    assert status(application) == 200
    assert "newer than this version of myproject: it has the migration 9999" in caplog.text


@sqlite_only
def test_a_file_that_does_not_exist_is_refused_and_not_created(tmp_path, monkeypatch):
    file = tmp_path / "mistyped.sqlite"
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{file}")
    assert refusal().endswith(f"there is no file {file}; run `initialize_db {INI}` first, which creates it.")
    assert not file.exists()


@sqlite_only
def test_a_file_that_is_moved_while_the_server_runs_is_not_created_anew(start, tmp_path, caplog):
    application, file, elsewhere = start(), tmp_path / "test.sqlite", tmp_path / "moved.sqlite"
    file.rename(elsewhere)
    assert (status(application), file.exists()) == (503, False)
    assert f"there is no file {file}" in caplog.text
    elsewhere.rename(file)
    assert status(application) == 200
    close(application)


@pytest.mark.passes_ledger_by
@sqlite_only
def test_a_file_that_is_no_database_is_served_by_503(start, tmp_path, caplog):
    (tmp_path / "test.sqlite").write_text("no database" * 1000)
    assert status(start()) == 503
    [warning] = lines(caplog, "myproject.schema")
    assert warning.endswith(f": {tmp_path}/test.sqlite: file is not a database")


@postgresql_only
def test_a_role_without_rights_is_told_so_in_one_sentence(postgresql, monkeypatch, database_url):
    postgresql.execute("CREATE ROLE stranger LOGIN")
    monkeypatch.setenv("DATABASE_URL", database_url.replace("postgres@", "stranger@"))
    assert refusal() == "myproject does not start: permission denied for table alembic_version."
    postgresql.execute("DROP ROLE stranger")


def test_pserve_prints_one_sentence(outside):
    set_revision(outside, "0001")
    command = [sys.executable, "-m", "pyramid.scripts.pserve", INI, f"port={free_port()}"]
    refused = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60
    )
    assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", NOT_UP_TO_DATE + "\n")


def test_a_database_in_memory_is_not_examined():
    assert main({}, **{"sqlalchemy.url": "sqlite://", "myproject.secret": SECRET})


def set_revision(outside, revision):
    with outside.begin() as connection:
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{revision}'"))
    outside.dispose()


def status(application):
    return Request.blank("/signin", base_url="https://localhost").get_response(application).status_int


def lines(caplog, logger):
    return [record.getMessage() for record in caplog.records if record.name == logger]


def close(application):
    application.registry["dbsession_factory"].kw["bind"].dispose()
