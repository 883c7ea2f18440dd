"""`export_users INI`: what the export of the list has, to standard output or a file."""

import json
import os
import stat
import subprocess
import sys

import pytest
from sqlalchemy import insert

from myproject.models import SecurityEvent, User
from myproject.scripts import export_users
from tests.conftest import INI

pytestmark = pytest.mark.usefixtures("nobody")


@pytest.fixture
def run(database_url, monkeypatch, capfdbinary, outside):
    """Call `run(*options)`: run the command; return what it wrote. There are Kim, an editor, and Lee."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    with outside.begin() as connection:
        connection.execute(
            insert(User.__table__), [{"name": "Kim", "role": "editor"}, {"name": "=Lee", "role": "member"}]
        )

    def main(*options):
        export_users.main([INI, *options])
        return capfdbinary.readouterr().out.decode()

    return main


@pytest.fixture
def told(rows):
    """Call `told()`: the facts of each export."""
    return lambda: [json.loads(event.facts) for event in rows(SecurityEvent)]


def test_users_are_written_as_the_page_sends_them(run, told):
    assert run() == "name,email,age,role,active\r\n'=Lee,,,member,true\r\nKim,,,editor,true\r\n"
    assert told() == [{"command": "export_users", "what": "users", "rows": 2, "complete": True}]


def test_a_query_chooses_as_the_address_of_the_list_does(run):
    assert (
        run("--query", "?role=editor&sort=-name", "--bom")
        == "\ufeffname,email,age,role,active\r\nKim,,,editor,true\r\n"
    )
    assert run("--columns", "all", "--query", "q=kim").startswith(
        "name,email,age,role,active,joined,last_sign_in\r\nKim"
    )


@pytest.mark.parametrize(
    ("query", "said"), [("q=role:boss", "Unknown role “boss”"), ("sort=phone", "cannot be sorted")]
)
def test_a_mistyped_query_writes_nothing(run, told, query, said):
    with pytest.raises(SystemExit, match=said):
        run("--query", query)
    assert told() == []


def test_a_file_is_complete_and_for_its_owner_alone(run, tmp_path):
    path = tmp_path / "users.csv"
    assert run("--output", str(path)) == ""
    assert path.read_text(encoding="utf-8").count("\n") == 3
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_failed_export_leaves_the_file_as_it_was_and_says_so(run, told, tmp_path, monkeypatch):
    path = tmp_path / "users.csv"
    path.write_text("before", encoding="utf-8")

    def failing(*_):
        yield [("Kim",)]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export_users, "stream_cells", failing)
    with pytest.raises(SystemExit, match=r"users\.csv cannot be written: No space left on device"):
        run("--output", str(path))
    assert path.read_text(encoding="utf-8") == "before"
    assert list(tmp_path.glob(".export_users*")) == []
    assert told() == [{"command": "export_users", "what": "users", "rows": 1, "complete": False}]


@pytest.mark.usefixtures("run")
def test_a_reader_that_has_enough_ends_the_command(database_url):
    command = [sys.executable, "-m", "myproject.scripts.export_users", INI]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "DATABASE_URL": database_url}
    ) as process:
        process.stdout.close()
        errors = process.stderr.read().decode()
    assert (process.returncode, "Error" in errors) == (1, False)
