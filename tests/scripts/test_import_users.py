"""`import_users INI FILE`: what it prints, what it writes, and how it refuses."""

import csv
import json

import pytest

from myproject.models import Entry, SecurityEvent, User
from myproject.scripts import import_users
from myproject.web.busy import find_long_work
from tests.conftest import INI


@pytest.fixture
def run(database_url, monkeypatch, capsys, tmp_path):
    """Call `run(content, "--dry-run")`: import a file with this content; return what was printed."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    file, ini = tmp_path / "people.csv", tmp_path / "test.ini"
    ini.write_text(f"[app:main]\nuse = config:{INI}\nspool.folder = {tmp_path}/spool\n")

    def main(content, *options):
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        import_users.main([str(ini), str(file), *options])
        return capsys.readouterr().out

    return main


def test_a_dry_run_tells_what_the_import_does(run, make_user, rows):
    make_user("Ada", email="ada@example.com", age=36)
    file = "name,email,age\nAda,ada@example.com,37\nGrace,grace@example.com,\n"
    numbers = "1 new, 1 changed, 0 as they are already, 0 refused.\n"
    assert run(file, "--dry-run") == f"{numbers}Line 3, new: 'Grace'\nLine 2, changed: 'Ada' age 36 -> 37\n"
    assert [user.name for user in rows(User)] == ["Ada"]
    assert run(file) == f"{numbers}2 users were imported.\n"
    assert [(user.name, user.age) for user in rows(User)] == [("Ada", 37), ("Grace", None)]
    entry = rows(Entry)[-1]
    assert (entry.route, entry.actor_id, len(entry.request_id)) == ("import_users", None, 36)
    assert run(file) == "0 new, 0 changed, 2 as they are already, 0 refused.\n0 users were imported.\n"


def test_the_site_tells_those_who_wait_for_the_command(run, wsgi, rows, monkeypatch):
    told, apply = [], import_users.apply

    def ask(*arguments):
        apply(*arguments)
        told.append(find_long_work(wsgi.registry))

    monkeypatch.setattr(import_users, "apply", ask)
    run("name\nAda\nGrace\n", "--mode", "add")
    [work] = told
    assert work.sentence.interpolate().startswith("Users are being imported: 2.")
    assert find_long_work(wsgi.registry) is None
    # The folder of a site that another user runs.
    wsgi.registry.settings["spool.folder"].chmod(0o755)
    run("name\nLinus\n", "--mode", "add")
    assert told[1:] == [None]
    assert len(rows(User)) == 3


def test_a_new_role_is_a_security_event(run, make_user, rows):
    ada = make_user("Ada", email="ada@example.com")
    run("name,email,role\nAda,ada@example.com,editor\nGrace,grace@example.com,editor\n")
    [event] = rows(SecurityEvent)
    before = {"role_before": "member", "active_before": True, "email_changed": False}
    assert (event.kind, event.user_id, event.actor_id) == ("account changed", ada.id, None)
    assert json.loads(event.facts) == {"command": "import_users", "role": "editor", "active": True, **before}


def test_a_refused_line_keeps_the_file_out_unless_only_good_lines_are_wanted(run, rows, tmp_path, capsys):
    file, refused = "name,email\nAda,\nGrace,grace\n", tmp_path / "refused.csv"
    with pytest.raises(SystemExit, match=r"Nothing was imported\."):
        run(file, "--refused", str(refused))
    assert "Line 3, email 'grace': Enter an email address like name@example.com." in capsys.readouterr().err
    assert [row[:3] for row in csv.reader(refused.open(encoding="utf-8"))][1:] == [["Grace", "grace", "3"]]
    assert rows(User) == []
    assert run(file, "--good-lines").endswith("1 users were imported.\n")
    assert [user.name for user in rows(User)] == ["Ada"]


def test_the_options_say_what_is_recognised_wrongly(run, rows):
    file = "x|y|z\n김철수|kim@example.com|7\n".encode("cp949")
    with pytest.raises(SystemExit, match=r"people.csv: No column has the name."):
        run(file)
    with pytest.raises(SystemExit, match=r"there is no field 'nam'; the fields are name, email, age, role, active\."):
        run(file, "--columns", "nam,email")
    run(file, "--columns", "name,email,-", "--encoding", "cp949", "--delimiter", "|", "--mode", "add")
    assert [(user.name, user.email, user.age) for user in rows(User)] == [("김철수", "kim@example.com", None)]


@pytest.mark.parametrize("content", ["", "name,email\n", b"\x89PNG\r\n\x1a\n\0", '"name'])
def test_a_file_that_cannot_be_imported_ends_with_one_sentence(run, content):
    with pytest.raises(SystemExit, match=r"people.csv: [A-Z][^\n]*\.$"):
        run(content)


def test_a_file_that_is_not_there_is_named(database_url, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", database_url)
    with pytest.raises(SystemExit, match=r"There is no file /.*/nowhere\.csv\."):
        import_users.main([INI, "nowhere.csv"])


def test_a_file_that_this_user_may_not_read_is_named(database_url, monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE_URL", database_url)
    (tmp_path / "people.csv").write_text("name\n")
    # root may read everything.
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(SystemExit, match=r"people\.csv cannot be read: Permission denied\."):
        import_users.main([INI, str(tmp_path / "people.csv")])
