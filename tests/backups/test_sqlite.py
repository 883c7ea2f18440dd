"""Backups of SQLite: what is refused, and what becomes of the database that was there."""

import os
import sqlite3
import stat
import subprocess
import sys

import pytest

from myproject.backups import BackupError, sqlite
from myproject.models import User
from tests import sqlite_only

pytestmark = sqlite_only


@pytest.fixture
def database(tmp_path):
    """The file of the test's database."""
    return tmp_path / "test.sqlite"


@pytest.fixture
def backup(database_url, tmp_path, make_user, outside):
    """A backup of the database with the user Before. It has another one, After, by now."""
    make_user("Before")
    sqlite.save(database_url, tmp_path / "backup")
    make_user("After")
    outside.dispose()
    return tmp_path / "backup"


def names(rows):
    return [user.name for user in rows(User)]


def test_a_backup_is_one_file_that_needs_none_beside_it(backup, tmp_path):
    with sqlite3.connect(f"{backup.as_uri()}?mode=ro", uri=True) as connection:
        assert connection.execute("SELECT name FROM users WHERE id > 0").fetchall() == [("Before",)]
    connection.close()
    assert sorted(path.name for path in tmp_path.glob("*backup*")) == ["backup"]
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


def test_a_backup_of_many_steps_is_of_one_moment(database_url, outside, make_user, tmp_path, monkeypatch, rows):
    make_user("Before")
    monkeypatch.setattr(sqlite, "PAGES_PER_STEP", 1)
    wrote = []

    class Bar(sqlite.tqdm):
        def update(self, number=1):
            if not wrote:
                wrote.append(make_user("Meanwhile"))
            return super().update(number)

    monkeypatch.setattr(sqlite, "tqdm", Bar)
    sqlite.save(database_url, tmp_path / "backup")
    with sqlite3.connect(tmp_path / "backup") as connection:
        assert connection.execute("SELECT name FROM users WHERE id > 0").fetchall() == [("Before",)]
    connection.close()
    assert names(rows) == ["Before", "Meanwhile"]


def test_the_earlier_database_is_kept(database_url, database, backup, rows):
    sentence = sqlite.restore(database_url, backup, replace=True)
    [kept] = database.parent.glob("test.sqlite.before-*Z")
    assert sentence == f"The earlier database is now {kept}."
    with sqlite3.connect(kept) as connection:
        assert connection.execute("SELECT count(*) FROM users WHERE name = 'After'").fetchone() == (1,)
    connection.close()
    assert names(rows) == ["Before"]
    assert stat.S_IMODE(database.stat().st_mode) == 0o600


def test_every_earlier_database_is_kept(database_url, database, backup):
    for _ in range(3):
        sqlite.restore(database_url, backup, replace=True)
    assert len([*database.parent.glob("test.sqlite.before-*Z")]) == 3


def test_changes_that_are_only_in_the_log_stay_with_the_earlier_database(database_url, database, backup, rows):
    # A process that is killed leaves its last changes there.
    program = (
        "import os, sqlite3, sys; connection = sqlite3.connect(sys.argv[1]);"
        " connection.execute('PRAGMA wal_autocheckpoint = 0');"
        " connection.execute('UPDATE users SET age = 77 WHERE id > 0'); connection.commit();"
        " os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, database])
    assert database.with_name("test.sqlite-wal").stat().st_size > 0
    sqlite.restore(database_url, backup, replace=True)
    assert [user.age for user in rows(User)] == [None]
    [kept] = database.parent.glob("test.sqlite.before-*Z")
    with sqlite3.connect(kept) as connection:
        assert connection.execute("SELECT DISTINCT age FROM users WHERE id > 0").fetchall() == [(77,)]
    connection.close()


def test_a_database_with_users_is_kept_unless_it_is_told(database_url, backup, rows):
    with pytest.raises(BackupError, match=r"test\.sqlite has 3 users; with --replace, it is kept under another name"):
        sqlite.restore(database_url, backup)
    assert names(rows) == ["Before", "After"]


@pytest.mark.passes_ledger_by
@pytest.mark.parametrize("content", [None, b""])
def test_a_missing_or_empty_database_is_restored(content, database_url, database, backup, rows):
    database.unlink()
    if content is not None:
        database.write_bytes(content)
    sqlite.restore(database_url, backup)
    assert names(rows) == ["Before"]


@pytest.mark.passes_ledger_by
def test_a_log_without_its_database_is_not_mixed_with_the_restored_one(database_url, database, backup, rows):
    database.unlink()
    database.with_name("test.sqlite-wal").write_bytes(b"of another database")
    assert sqlite.restore(database_url, backup) == ""
    assert names(rows) == ["Before"]
    [kept] = database.parent.glob("test.sqlite.before-*-wal")
    assert kept.read_bytes() == b"of another database"


@pytest.mark.passes_ledger_by
def test_a_damaged_database_is_replaced_when_it_is_told(database_url, database, backup, rows):
    database.write_bytes(b"damaged" * 1000)
    with pytest.raises(BackupError, match="file is not a database; with --replace, it is kept"):
        sqlite.restore(database_url, backup)
    sqlite.restore(database_url, backup, replace=True)
    assert names(rows) == ["Before"]


def test_a_database_in_use_is_refused(database_url, database, backup, rows):
    # Locks of this process would not be seen by it.
    program = (
        "import sqlite3, sys; connection = sqlite3.connect(sys.argv[1]);"
        " connection.execute('SELECT count(*) FROM users').fetchone(); print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, database]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        with pytest.raises(BackupError, match=r"test\.sqlite is in use; stop every server"):
            sqlite.restore(database_url, backup, replace=True)
        process.stdin.close()
    assert names(rows) == ["Before", "After"]
    assert list(database.parent.glob(".unfinished*")) == []


def test_a_damaged_backup_is_refused(backup):
    with backup.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(os.urandom(4096 * 20))
    with pytest.raises(BackupError, match=r"backup(: | is damaged: )[^\n]+$"):
        sqlite.describe(backup)


def test_a_failed_backup_leaves_nothing(database_url, tmp_path, monkeypatch):
    def fail(source, target):
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sqlite, "_copy", fail)
    with pytest.raises(BackupError, match="backup cannot be written: No space left on device"):
        sqlite.save(database_url, tmp_path / "backup")
    assert [path.name for path in tmp_path.iterdir() if "backup" in path.name or "unfinished" in path.name] == []


@pytest.mark.usefixtures("database_url")
def test_a_database_in_memory_has_no_backup(tmp_path):
    with pytest.raises(BackupError, match="the database is not one file"):
        sqlite.save("sqlite://", tmp_path / "backup")
