"""`initialize_db INI`: a database made, or brought to the newest revision."""

import subprocess
import sys
from pathlib import Path

import alembic.command
import alembic.config
import pytest
import sqlalchemy

from myproject.models import Base, User
from myproject.scripts import initialize_db
from tests.conftest import INI

TABLES = {"alembic_version", *Base.metadata.tables}


@pytest.fixture
def tables(outside):
    """Call `tables()`: the names of the tables that the second connection sees."""
    return lambda: tables_of(outside)


@pytest.fixture
def new_database(tmp_path, monkeypatch):
    """The URL of a database that nobody has made yet, as the environment says it."""
    url = f"sqlite:///{tmp_path / 'new.sqlite'}"
    monkeypatch.setenv("DATABASE_URL", url)
    return url


def test_a_database_is_made_with_every_table(new_database):
    initialize_db.main([INI])
    engine = sqlalchemy.create_engine(new_database)
    assert tables_of(engine) == TABLES
    engine.dispose()


def test_the_command_is_installed_and_prints_nothing_on_standard_output(new_database, tmp_path):
    command = [Path(sys.executable).parent / "initialize_db", INI]
    assert subprocess.run(command, check=True, capture_output=True).stdout == b""
    assert (tmp_path / "new.sqlite").exists()


def test_an_old_database_is_upgraded(database_url, monkeypatch, tables):
    monkeypatch.setenv("DATABASE_URL", database_url)
    alembic.command.downgrade(alembic.config.Config(INI), "base")
    assert tables() == {"alembic_version"}
    initialize_db.main([INI])
    assert tables() == TABLES


def test_the_second_time_it_changes_nothing(database_url, monkeypatch, tables, make_user, rows):
    monkeypatch.setenv("DATABASE_URL", database_url)
    make_user(name="John Doe")
    initialize_db.main([INI])
    assert tables() == TABLES
    assert [user.name for user in rows(User)] == ["John Doe"]


def tables_of(engine):
    """Return the names of the tables, but for those that triggers keep on SQLite alone."""
    return {name for name in sqlalchemy.inspect(engine).get_table_names() if not name.startswith("users_")}
