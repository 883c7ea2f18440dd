"""`backup_db INI FILE` and `restore_db INI FILE` on both databases: under load, what they say, what they refuse."""

import os
import signal
import subprocess
import sys
import threading

import pytest
from pyramid.response import Response

from myproject.backups import sqlite
from myproject.models import User
from myproject.schema import known_revisions
from myproject.scripts import backup_db, restore_db
from tests import signed_in
from tests.conftest import INI
from tests.history.replay import apply_changes, changes_since, connected, recorded_rows

HEAD, BEFORE = known_revisions()[:2]
KINDS = [("sqlite", "sqlite"), ("postgresql", "postgresql")]
OTHER_KINDS = [("sqlite", "postgresql"), ("postgresql", "sqlite")]

pytestmark = pytest.mark.usefixtures("programs")
# From a database into a new one of the same kind, and of the other.
same_database = pytest.mark.parametrize(("database_url", "new_database"), KINDS, indirect=True)
other_database = pytest.mark.parametrize(("database_url", "new_database"), OTHER_KINDS, indirect=True)


@pytest.fixture
def backup(database_url, tmp_path, monkeypatch, capsys):
    """Call `backup(path)`: save the database; return the path and what was printed."""
    monkeypatch.setenv("DATABASE_URL", database_url)

    def run(path=tmp_path / "backup"):
        backup_db.main([INI, str(path)])
        return path, capsys.readouterr().out

    return run


@pytest.fixture
def restored(new_database, monkeypatch, capsys):
    """Call `restored(path, *options)`: restore a backup into a new database; return its URL and what was printed."""

    def run(path, *options):
        engine = new_database()
        url = engine.url.render_as_string(hide_password=False)
        monkeypatch.setenv("DATABASE_URL", url)
        restore_db.main([INI, str(path), *options])
        return url, capsys.readouterr().out

    return run


@pytest.fixture
def set_revision(outside):
    """Call `set_revision(name)`: let the database say that this was its last migration."""

    def run(revision):
        with outside.begin() as connection:
            connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")

    return run


@same_database
def test_both_commands_say_what_they_did(backup, restored, make_user):
    make_user("Kim")
    path, printed = backup()
    assert printed == f"The database was saved in {path}: {path.stat().st_size:,} bytes, with the migration {HEAD}.\n"
    url, printed = restored(path)
    assert printed == f"The database of {INI} was restored, with the migration {HEAD}.\n"
    with connected(url) as connection:
        assert [row[0] for row in connection.execute("SELECT name FROM users WHERE id > 0")] == ["Kim"]


@same_database
def test_a_backup_under_load_is_consistent(wsgi, backup, restored, tmp_path):
    wsgi.registry["probe"] = add_three
    stop, sent = threading.Event(), [0] * 4
    threads = [threading.Thread(target=write, args=(wsgi, stop, sent, number)) for number in range(len(sent))]
    for thread in threads:
        thread.start()
    try:
        paths = [backup(tmp_path / f"backup-{number}")[0] for number in range(3) if not stop.wait(0.3)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    found = [check_consistent(restored(path)[0]) for path in paths]
    assert 0 < found[0] < found[1] < found[2] <= sum(sent)


def add_three(request):
    """Add three users in one request."""
    request.dbsession.add_all(User(name=request.params["name"]) for _ in range(3))
    return Response()


def write(wsgi, stop, sent, number):
    """Send one request after the other until told to stop; count them in `sent`."""
    app = signed_in.browser(wsgi)
    while not stop.is_set():
        app.post("/probe", {"name": f"{number}, {sent[number]}"}, status=200)
        sent[number] += 1


def check_consistent(url):
    """Fail unless each request is in a restored database as a whole or not at all; return how many there are."""
    with connected(url) as connection:
        changes, now = changes_since(connection, 0), recorded_rows(connection)
        assert apply_changes({}, changes) == now
        entries = connection.execute("SELECT count(*) FROM history_changes WHERE id > 1 GROUP BY entry_id").fetchall()
    assert set(entries) <= {(3,)}
    return len(entries)


@same_database
def test_an_older_backup_is_restored_and_says_what_to_do(backup, restored, set_revision):
    set_revision(BEFORE)
    _url, printed = restored(backup()[0])
    assert printed.endswith(f"It is of an earlier version; run `initialize_db {INI}` before the server starts.\n")


@same_database
def test_a_newer_database_is_saved_and_not_restored(backup, restored, set_revision):
    set_revision("9999")
    path, printed = backup()
    assert "with the migration 9999" in printed
    with pytest.raises(SystemExit, match=r"^Nothing was restored: .* is newer than this version .* 9999; install the"):
        restored(path)


@other_database
def test_a_backup_of_the_other_kind_is_refused(backup, restored):
    with pytest.raises(
        SystemExit, match=r"is a backup of (SQLite|PostgreSQL), and the database of the ini file is one"
    ):
        restored(backup()[0])


@same_database
@pytest.mark.parametrize("content", [b"", b"no backup", None])
def test_a_file_that_is_no_backup_is_refused(content, restored, tmp_path, database_url):
    if content is not None:
        (tmp_path / "file").write_bytes(content)
    with pytest.raises(
        SystemExit, match=r"^Nothing was restored: .*file (is no backup of a database|cannot be read: )"
    ):
        restored(tmp_path / "file")


@same_database
@pytest.mark.parametrize("command", [backup_db, restore_db])
def test_sigterm_leaves_no_unfinished_file(command, backup, restored, tmp_path, monkeypatch, database_url):
    path, _printed = backup()
    before = signal.getsignal(signal.SIGTERM)

    class Terminated(subprocess.Popen):
        def communicate(self, *arguments, **keywords):
            os.kill(os.getpid(), signal.SIGTERM)
            return super().communicate(*arguments, **keywords)

    class Bar(sqlite.tqdm):
        def update(self, number=1):
            os.kill(os.getpid(), signal.SIGTERM)
            return super().update(number)

    monkeypatch.setattr(subprocess, "Popen", Terminated)
    monkeypatch.setattr(sqlite, "tqdm", Bar)
    with pytest.raises(SystemExit) as end:
        backup(tmp_path / "other") if command is backup_db else restored(path)
    assert end.value.code == 128 + signal.SIGTERM
    assert not [*tmp_path.glob("**/.unfinished.*")]
    assert signal.getsignal(signal.SIGTERM) == before


@same_database
def test_a_pipe_is_refused_and_not_waited_for(restored, tmp_path, database_url):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SystemExit, match=r"^Nothing was restored: .*pipe is no file\.$"):
        restored(tmp_path / "pipe")


@same_database
@pytest.mark.parametrize("content", [b"SQLite format 3\0" + b"?" * 5000, b"PGDMP" + b"?" * 5000])
def test_a_file_that_only_begins_like_a_backup_is_refused(content, restored, tmp_path, database_url):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(SystemExit, match=r"^Nothing was restored: [^\n]+\.$"):
        restored(tmp_path / "file")


def test_a_file_is_not_replaced(backup, tmp_path):
    path, _printed = backup()
    before = path.read_bytes()
    with pytest.raises(
        SystemExit, match=r"^Nothing was saved: .*backup exists already, and a backup replaces no file\.$"
    ):
        backup()
    assert path.read_bytes() == before
    with pytest.raises(SystemExit, match="cannot be written: No such file or directory"):
        backup(tmp_path / "missing" / "backup")


def test_a_database_without_tables_has_no_backup(new_database, tmp_path, monkeypatch):
    engine = new_database()
    monkeypatch.setenv("DATABASE_URL", engine.url.render_as_string(hide_password=False))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE other (id INTEGER)")
    engine.dispose()
    with pytest.raises(SystemExit, match=r"^Nothing was saved: .* contains no database of myproject\.$"):
        backup_db.main([INI, str(tmp_path / "backup")])
    assert not (tmp_path / "backup").exists()


@same_database
def test_the_commands_work(database_url, new_database, tmp_path, make_user):
    make_user("Kim")
    path = tmp_path / "backup"
    run("backup_db", path, database_url)
    assert path.stat().st_mode & 0o777 == 0o600
    url = new_database().url.render_as_string(hide_password=False)
    assert run("restore_db", path, url) == f"The database of {INI} was restored, with the migration {HEAD}.\n"


def run(command, path, url):
    """Run a command on the database of `url`; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", f"myproject.scripts.{command}", INI, path],
        env={**os.environ, "DATABASE_URL": url},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    return done.stdout
