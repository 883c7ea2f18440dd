"""Backups of PostgreSQL: what is refused, and how its programs connect."""

import itertools
import os
import time

import psycopg
import pytest
import sqlalchemy

from myproject.backups import BackupError, postgresql
from myproject.models import User
from tests import postgresql_only

pytestmark = [postgresql_only, pytest.mark.usefixtures("programs")]
NUMBERS = itertools.count()


@pytest.fixture
def backup(database_url, tmp_path, make_user):
    """A backup of the database with the user Before."""
    make_user("Before")
    postgresql.save(database_url, tmp_path / "backup")
    return tmp_path / "backup"


@pytest.fixture
def another(postgresql):
    """The URL of an empty database."""
    name = f"restored_{next(NUMBERS)}"
    postgresql.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    yield postgresql.url(name)
    postgresql.execute(f"DROP DATABASE {name} WITH (FORCE)")


def names(url):
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        found = connection.scalars(sqlalchemy.select(User.name).where(User.id > 0)).all()
    engine.dispose()
    return found


def test_a_backup_is_restored_into_an_empty_database(backup, another):
    assert postgresql.restore(another, backup) == ""
    assert names(another) == ["Before"]
    engine = sqlalchemy.create_engine(another)
    with engine.connect() as connection:
        # By which queries are planned.
        assert connection.exec_driver_sql("SELECT count(*) FROM pg_stats WHERE tablename = 'users'").scalar() > 0
    engine.dispose()


def test_a_database_that_is_not_empty_stays_as_it_is(database_url, backup, make_user, outside):
    make_user("After")
    outside.dispose()
    with pytest.raises(BackupError, match="is not empty; create an empty one, and name it in DATABASE_URL"):
        postgresql.restore(database_url, backup, replace=True)
    assert names(database_url) == ["Before", "After"]


def test_extensions_of_the_server_do_not_count(backup, another):
    engine = sqlalchemy.create_engine(another)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE EXTENSION pg_trgm")
        # It has views.
        connection.exec_driver_sql("CREATE EXTENSION pg_buffercache")
    engine.dispose()
    postgresql.restore(another, backup)
    assert names(another) == ["Before"]


def test_a_database_in_use_is_refused(backup, another):
    in_use = pytest.raises(BackupError, match=r"restored_\d+ is in use; end the other sessions on it.* 1$")
    with psycopg.connect(another.replace("+psycopg", "")), in_use:
        postgresql.restore(another, backup)
    restore_when_unused(another, backup)
    assert names(another) == ["Before"]


def restore_when_unused(url, backup):
    """Restore a backup; a session that has just been closed may still be listed."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return postgresql.restore(url, backup)
        except BackupError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_backup_that_is_cut_off_restores_nothing(backup, another):
    backup.write_bytes(backup.read_bytes()[:-100])
    # The list of what is in it can be read, and the tables are made before their rows are read.
    assert postgresql.describe(backup)
    with pytest.raises(BackupError, match=r"^pg_restore: "):
        postgresql.restore(another, backup)
    engine = sqlalchemy.create_engine(another)
    assert sqlalchemy.inspect(engine).get_table_names() == []
    engine.dispose()


def test_the_password_is_no_argument(database_url, tmp_path, monkeypatch):
    seen = []
    run = postgresql.subprocess.run

    def watch(command, **options):
        seen.append((command, options["env"]))
        return run(command, **options)

    monkeypatch.setattr(postgresql.subprocess, "run", watch)
    url = sqlalchemy.make_url(database_url).set(password="p@ss")
    postgresql.save(url.render_as_string(hide_password=False), tmp_path / "backup")
    [(command, environ)] = seen
    assert "p@ss" not in " ".join(command)
    assert environ["PGPASSWORD"] == "p@ss"


def test_a_url_with_two_hosts_finds_the_one_that_writes(database_url, backup, tmp_path):
    url = sqlalchemy.make_url(database_url)
    hosts = [f"127.0.0.1:{1}", f"127.0.0.1:{url.port}"]
    several = url.set(host=None, port=None, query={"host": hosts, "target_session_attrs": "read-write"})
    postgresql.save(several.render_as_string(hide_password=False), tmp_path / "second")
    assert postgresql.describe(tmp_path / "second") == postgresql.describe(backup)


def test_a_missing_program_is_one_sentence(database_url, backup, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupError, match=r"^pg_dump was not found, one of PostgreSQL's programs \(Debian: postgresql"):
        postgresql.save(database_url, tmp_path / "second")
    with pytest.raises(BackupError, match=r"^pg_restore was not found"):
        postgresql.describe(backup)
    assert not (tmp_path / "second").exists()


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        (
            "pg_dump: error: query failed: ERROR:  duplicate key\nDETAIL:  Key (email)=(ada@…)",
            "query failed: ERROR:  .* key",
        ),
        ("", "it failed, and does not say why"),
    ],
)
def test_the_error_of_a_program_is_one_line_without_values(printed, said, database_url, tmp_path, monkeypatch):
    program = tmp_path / "pg_dump"
    program.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{printed}\nEND\nexit 1\n", encoding="utf-8")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(BackupError, match=f"^pg_dump: {said}$"):
        postgresql.save(database_url, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()
