"""`initialize_db INI`: a database created, or upgraded to the newest revision."""

import subprocess
import sys
from pathlib import Path

import alembic.command
import alembic.config
import pytest
import sqlalchemy

from myproject.db import get_engine
from myproject.models import Base, User
from myproject.schema import known_revisions
from myproject.scripts import initialize_db
from tests.conftest import INI

TABLES = {"alembic_version", *Base.metadata.tables}


@pytest.fixture
def tables(outside):
    """Call `tables()`: return the names of the tables, read over the second connection."""
    return lambda: tables_of(outside)


@pytest.fixture
def new_database(tmp_path, monkeypatch):
    """The URL of a database that does not exist yet, set in the environment."""
    url = f"sqlite:///{tmp_path / 'new.sqlite'}"
    monkeypatch.setenv("DATABASE_URL", url)
    return url


def test_a_new_database_has_every_table(new_database):
    initialize_db.main([INI])
    engine = sqlalchemy.create_engine(new_database)
    assert tables_of(engine) == TABLES
    engine.dispose()


def test_only_the_owner_can_read_a_new_database(new_database, tmp_path):
    initialize_db.main([INI])
    engine = get_engine(new_database)
    with engine.connect():
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("new.sqlite*")}
    engine.dispose()
    assert modes == dict.fromkeys(["new.sqlite", "new.sqlite-wal", "new.sqlite-shm"], 0o600)


@pytest.mark.parametrize(("before", "after"), [(0o644, 0o600), (0o666, 0o600), (0o640, 0o640)])
def test_a_database_that_everybody_can_read_is_closed_to_others(new_database, tmp_path, before, after):
    path = tmp_path / "new.sqlite"
    path.touch()
    path.chmod(before)
    initialize_db.main([INI])
    assert path.stat().st_mode & 0o777 == after


def test_the_command_is_installed_and_says_what_it_did(new_database, tmp_path):
    command = [Path(sys.executable).parent / "initialize_db", INI]
    assert subprocess.run(command, check=True, capture_output=True).stdout == b"The database was created.\n"
    assert (tmp_path / "new.sqlite").exists()


@pytest.mark.passes_ledger_by
def test_an_old_database_is_upgraded(database_url, monkeypatch, tables, capsys):
    monkeypatch.setenv("DATABASE_URL", database_url)
    alembic.command.downgrade(alembic.config.Config(INI), "base")
    assert tables() == {"alembic_version"}
    alembic.command.upgrade(alembic.config.Config(INI), "0001")
    initialize_db.main([INI])
    assert tables() == TABLES
    assert capsys.readouterr().out == f"Upgraded from 0001 to {known_revisions()[0]}.\n"


def test_the_second_run_changes_nothing(database_url, monkeypatch, tables, make_user, rows, capsys):
    monkeypatch.setenv("DATABASE_URL", database_url)
    make_user(name="John Doe")
    initialize_db.main([INI])
    assert tables() == TABLES
    assert [user.name for user in rows(User)] == ["John Doe"]
    assert capsys.readouterr().out == "The database is up to date.\n"


def test_a_newer_database_is_left_alone_with_a_warning(database_url, monkeypatch, outside, capsys):
    monkeypatch.setenv("DATABASE_URL", database_url)
    with outside.begin() as connection:
        connection.execute(sqlalchemy.text("UPDATE alembic_version SET version_num = '9999'"))
    initialize_db.main([INI])
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("Warning: the database is newer than this version of myproject")


def tables_of(engine):
    """Return the names of the tables, except those that only SQLite's triggers maintain."""
    names = sqlalchemy.inspect(engine).get_table_names()
    only_here = ("users_", "history_open", "history_never")
    return {name for name in names if not name.startswith(only_here) and not name.endswith("_replaced")}
