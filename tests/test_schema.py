"""The server refuses to start on a database that is older than the code, and starts on one that is newer or away."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import alembic.command
import alembic.config
import pytest
from pyramid.paster import get_app
from pyramid.request import Request
from sqlalchemy import text

from myproject import main
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


NOT_UP_TO_DATE = f"myproject does not start: the database is not up to date; run `initialize_db {INI}` first."


@pytest.mark.parametrize("revision", ["base", "0001", "0004", "-1"])
def test_a_database_that_lacks_a_migration_is_refused_until_it_is_upgraded(revision):
    config = alembic.config.Config(INI)
    alembic.command.downgrade(config, revision)
    assert refusal() == NOT_UP_TO_DATE
    alembic.command.upgrade(config, "head")
    assert get_app(INI)


def test_a_database_without_tables_is_refused(outside, monkeypatch, tmp_path, request):
    if outside.dialect.name == "sqlite":
        url = f"sqlite:///{tmp_path / 'no_tables.sqlite'}"
    else:
        url = request.getfixturevalue("postgresql").url("template1")
    monkeypatch.setenv("DATABASE_URL", url)
    assert refusal() == NOT_UP_TO_DATE


def test_a_newer_database_is_served_with_a_warning(outside, caplog):
    with outside.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    application = get_app(INI)
    assert "newer than this version of myproject: it has the migration 9999" in caplog.text
    assert status(application) == 200
    close(application)


def test_the_database_of_this_version_is_served_in_silence(caplog):
    caplog.set_level(logging.INFO, "myproject")
    application = get_app(INI)
    assert (caplog.messages, status(application)) == ([], 200)
    close(application)


@postgresql_only
def test_a_server_that_is_away_is_served_by_503(postgresql, monkeypatch, database_url, caplog):
    monkeypatch.setenv("DATABASE_URL", database_url.replace(str(postgresql.port), str(free_port())))
    application = get_app(INI)
    assert status(application) == 503
    [warning] = [record.getMessage() for record in caplog.records if record.name == "myproject.schema"]
    assert warning.startswith("the database does not answer, and pages are 503 until it does: connection failed")
    assert "\n" not in warning


@sqlite_only
def test_a_file_that_is_away_is_served_by_503_until_it_is_back(tmp_path):
    file, away = tmp_path / "test.sqlite", tmp_path / "away.sqlite"
    file.rename(away)
    file.mkdir()
    application = get_app(INI)
    assert status(application) == 503
    file.rmdir()
    away.rename(file)
    assert status(application) == 200
    close(application)


@postgresql_only
def test_a_role_without_rights_is_told_so_in_one_sentence(postgresql, monkeypatch, database_url):
    postgresql.execute("CREATE ROLE stranger LOGIN")
    monkeypatch.setenv("DATABASE_URL", database_url.replace("postgres@", "stranger@"))
    assert refusal() == "myproject does not start: permission denied for table alembic_version."
    postgresql.execute("DROP ROLE stranger")


def test_pserve_prints_one_sentence(outside):
    with outside.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    command = [sys.executable, "-m", "pyramid.scripts.pserve", INI, f"port={free_port()}"]
    refused = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60
    )
    assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", NOT_UP_TO_DATE + "\n")


def test_a_database_in_memory_is_not_examined():
    assert main({}, **{"sqlalchemy.url": "sqlite://", "myproject.secret": SECRET})


def status(application):
    return Request.blank("/signin", base_url="https://localhost").get_response(application).status_int


def close(application):
    application.registry["dbsession_factory"].kw["bind"].dispose()
