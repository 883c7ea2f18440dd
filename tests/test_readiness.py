"""What `/readyz` and `check INI` find out of a database and of the spool, by the rights of an ordinary user."""

import contextlib
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest

from myproject.readiness import Report, examine, examine_spool, most_connections, probing_engine
from myproject.settings import SettingsError, refuse_open_spool
from tests import postgresql_only
from tests.db.proxy import SWALLOW, Proxy

NOBODY = 65534


@contextlib.contextmanager
def as_nobody():
    """Run the block without the rights of root, who may write everything; another user is left as they are."""
    if os.getuid() != 0:
        yield
        return
    os.setresgid(NOBODY, NOBODY, 0)
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)


@pytest.fixture
def folder():
    """A folder that everybody can enter, and the user of the test can write."""
    path = Path(tempfile.mkdtemp(prefix="myproject-test-"))
    if os.getuid() == 0:
        os.chown(path, NOBODY, NOBODY)
    path.chmod(0o755)
    yield path
    path.chmod(0o755)
    shutil.rmtree(path)


@pytest.fixture
def database(folder, migrated_sqlite):
    """A database of SQLite in `folder`, which belongs to the user of the test."""
    path = Path(shutil.copy(migrated_sqlite, folder / "users.sqlite"))
    if os.getuid() == 0:
        os.chown(path, NOBODY, NOBODY)
    return path


def examined(url, folder):
    """Return `{about: (level, sentence)}` of a database and a spool in `folder`."""
    settings = {"ini": "INI", "spool.folder": folder / "spool"}
    # What the first examination imports may be in a folder of root.
    examine(probing_engine("sqlite://"), settings)
    with as_nobody():
        report = examine(probing_engine(url), settings)
    return {finding.about: (finding.level, finding.sentence) for finding in report.findings}


def test_a_database_of_this_user_can_be_written(database, folder):
    assert examined(f"sqlite:///{database}", folder)["writable"][0] == "ok"


@pytest.mark.parametrize("name", ["users.sqlite", "users.sqlite-wal", "users.sqlite-shm"])
def test_a_file_that_cannot_be_written_is_named(name, database, folder):
    # While somebody has the database open, there are files beside it.
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE more (id INTEGER)")
        for file in folder.glob("users.sqlite*"):
            file.chmod(0o666)
        (folder / name).chmod(0o444)
        found = examined(f"sqlite:///{database}", folder)
    level, sentence = found.get("writable", found["database"])
    assert level == "wrong"
    assert str(folder) in sentence


def test_a_folder_that_cannot_be_written_is_named(database, folder):
    examined(f"sqlite:///{database}", folder)
    folder.chmod(0o555)
    found = examined(f"sqlite:///{database}", folder)
    level, sentence = found.get("writable", found["database"])
    assert level == "wrong"
    assert str(folder) in sentence
    assert found.get("spool", ("warning", ""))[0] == "warning"


def test_the_owner_of_a_file_is_named(database, folder):
    if os.getuid() == 0:
        # By a command that root has run.
        os.chown(database, 0, 0)
    database.chmod(0o600 if os.getuid() == 0 else 0o000)
    sentence = examined(f"sqlite:///{database}", folder)["database"][1]
    assert f"{database} belongs to {database.owner()}" in sentence


def test_a_full_disk_is_said_where_the_database_cannot_be_opened(folder, monkeypatch):
    monkeypatch.setattr("myproject.readiness.LEAST_FREE_BYTES", 2**70)
    (folder / "users.sqlite").write_text("no database" * 100)
    assert "MB left" in examined(f"sqlite:///{folder}/users.sqlite", folder)["database"][1]


def test_a_spool_in_a_folder_of_somebody_else_is_said(folder):
    (folder / "closed").mkdir()
    (folder / "closed").chmod(0o700 if os.getuid() == 0 else 0o000)
    report = Report()
    with as_nobody():
        examine_spool(report, folder / "closed" / "spool")
        with pytest.raises(SettingsError, match="mode 0700"):
            refuse_open_spool(folder / "closed" / "spool")
    assert [finding.level for finding in report.findings] == ["warning"]


def test_a_file_that_is_no_database_is_said(folder):
    (folder / "users.sqlite").write_text("no database" * 100)
    assert examined(f"sqlite:///{folder}/users.sqlite", folder)["database"][0] == "wrong"


def test_a_full_disk_is_said(database, folder, monkeypatch):
    monkeypatch.setattr("myproject.readiness.LEAST_FREE_BYTES", 2**70)
    level, sentence = examined(f"sqlite:///{database}", folder)["writable"]
    assert (level, "MB left" in sentence) == ("wrong", True)


@pytest.mark.parametrize(("mode", "level"), [(0o700, "ok"), (0o755, "warning"), (0o500, "warning")])
def test_a_spool_has_to_be_private_and_writable(mode, level, folder):
    (folder / "spool").mkdir()
    if os.getuid() == 0:
        os.chown(folder / "spool", NOBODY, NOBODY)
    (folder / "spool").chmod(mode)
    report = Report()
    with as_nobody():
        examine_spool(report, folder / "spool")
    assert [finding.level for finding in report.findings] == [level]
    assert report.is_ready


@postgresql_only
@pytest.mark.parametrize("word", [b"SELECT 1", b"pg_is_in_recovery", b"alembic_version", b"has_table_privilege"])
def test_a_server_that_falls_silent_is_said_in_time(word, outside, folder):
    proxy = Proxy(outside.url.port)
    proxy.lose(word, loss=SWALLOW)
    engine = probing_engine(outside.url.set(port=proxy.port))
    report = examine(engine, {"ini": "INI", "spool.folder": folder / "spool"})
    proxy.refuse()
    assert not report.is_ready
    assert "did not answer" in next(finding.sentence for finding in report.findings if finding.level == "wrong")


@pytest.mark.parametrize(
    ("settings", "most"),
    [
        ({}, 15),
        ({"sqlalchemy.pool_size": "20"}, 30),
        ({"sqlalchemy.max_overflow": "0"}, 5),
        ({"sqlalchemy.pool_size": "0"}, None),
    ],
)
def test_the_size_of_the_pool_is_that_of_the_settings(settings, most):
    assert most_connections(settings) == most
