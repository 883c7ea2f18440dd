"""The commands of docs/running.md that back up and restore a database of SQLite, in a real shell."""

import re
import shutil
import subprocess
import sysconfig

import pytest

from myproject.models import User
from tests import sqlite_only

from . import DOCS, ROOT

pytestmark = [
    sqlite_only,
    pytest.mark.skipif(shutil.which("sqlite3") is None, reason="sqlite3 was not found (Debian: sqlite3)"),
]


@pytest.fixture
def shell(tmp_path, database_url, monkeypatch):
    """Call `shell("rm")`: run the documented commands for SQLite that begin so; return what they print."""
    shutil.copy(ROOT / "production.ini", tmp_path)
    monkeypatch.setenv("DATABASE_URL", database_url)

    def run(beginning):
        text = (DOCS / "running.md").read_text(encoding="utf-8")
        blocks = re.findall(r"(?<=\n\n)(?:    .*\n)+", text)
        [block] = [block for block in blocks if block.startswith(f"    {beginning}") and "sqlite3" in block]
        commands = block.replace("/srv/myproject/venv/bin", sysconfig.get_path("scripts"))
        commands = commands.replace("users.sqlite", "test.sqlite")
        return subprocess.run(["sh", "-ec", commands], cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    return run


def test_only_the_owner_can_read_a_backup(shell, tmp_path):
    shell("umask 077")
    assert (tmp_path / "copy.sqlite").stat().st_mode & 0o777 == 0o600


def test_a_backup_is_restored(shell, outside, make_user, rows):
    make_user("Before")
    shell("umask 077")
    make_user("After")
    # While the file is open, the last change is in the file beside it.
    outside.dispose()
    assert shell("rm").startswith("ok\n")
    assert [user.name for user in rows(User)] == ["Before"]
