"""A server that is killed while it works on an import: the page says what has become of it, and cleans up."""

import subprocess
import sys

import pytest

from myproject.models import User
from myproject.users.imports import spool

from .killed import POINTS

SAVED = ("after commit", "cleaning")


@pytest.mark.parametrize("point", POINTS)
def test_what_a_killed_server_has_left_is_said_and_cleaned(importing, settings, rows, point):
    importing.upload(b"name,email\nAda,ada@example.com\nGrace,grace@example.com\n")
    job = importing.job
    killed = [settings["sqlalchemy.url"], settings["spool.folder"], job.key, point]
    process = subprocess.run([sys.executable, "-W", "ignore", "-m", "tests.users.imports.killed", *killed], check=False)
    assert process.returncode == -9
    assert importing.spool.read(job.key).state in spool.WORKING
    page = importing.ended()
    if point in SAVED:
        page.mustcontain("The users were imported", "Undo")
        assert [user.name for user in rows(User)] == ["Ada", "Grace"]
    else:
        page.mustcontain("The server was stopped during the import. Nothing was imported.")
        assert rows(User) == []
        assert not importing.spool.staged(job.key).exists()
        page.forms["reading"].submit(status=303)
        importing.ended()
        importing.save().mustcontain("The users were imported")
        assert len(rows(User)) == 2
