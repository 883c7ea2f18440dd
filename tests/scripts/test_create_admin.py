"""`create_admin INI EMAIL`: an administrator made from a shell."""

import getpass
import io
import json
import os
import subprocess
import sys

import alembic.command
import alembic.config
import pytest
import sqlalchemy
from webtest import TestApp

from myproject.models import SecurityEvent, SignIn, User
from myproject.scripts import create_admin
from myproject.settings import read_settings
from myproject.signin.passwords import make_hasher
from tests.conftest import INI
from tests.signed_in import PASSWORD

pytestmark = pytest.mark.usefixtures("nobody")


@pytest.fixture
def run(database_url, monkeypatch, capsys):
    """Call `run("ada@example.com")`: run the command with a password on standard input; return what it printed."""
    monkeypatch.setenv("DATABASE_URL", database_url)

    def main(*arguments, password=PASSWORD):
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
        create_admin.main([INI, *arguments, "--password-stdin"])
        return capsys.readouterr().out

    return main


@pytest.fixture
def can_sign_in(wsgi):
    """Call `can_sign_in(email, password)`: return whether the sign-in form accepts them."""

    def try_it(email, password=PASSWORD):
        form = TestApp(wsgi).get("/signin", status=200).forms["record"]
        form["email"], form["password"] = email, password
        return form.submit(expect_errors=True).status_int == 303

    return try_it


def test_a_new_administrator_can_sign_in(run, rows, can_sign_in):
    assert run("ada@example.com", "--name", "Ada Lovelace") == "ada@example.com can sign in as an administrator.\n"
    [user] = rows(User)
    assert (user.name, user.email, user.role, user.active) == ("Ada Lovelace", "ada@example.com", "admin", True)
    assert can_sign_in("ada@example.com")


def test_the_command_works(database_url, rows):
    command = [sys.executable, "-m", "myproject.scripts.create_admin", INI, "ada@example.com", "--password-stdin"]
    subprocess.run(command, input=PASSWORD.encode(), env={**os.environ, "DATABASE_URL": database_url}, check=True)
    assert [user.email for user in rows(User)] == ["ada@example.com"]


def test_it_closes_setup(run, wsgi):
    run("ada@example.com")
    TestApp(wsgi).get("/setup", status=404)


def test_without_a_name_the_email_is_the_name(run, rows):
    run("a" * 300 + "@example.com")
    assert [user.name for user in rows(User)] == ["a" * 200]


def test_a_locked_out_user_becomes_an_active_administrator(run, make_user, rows, can_sign_in):
    user = make_user("Ada Lovelace", email="Ada@example.com", active=False, age=36)
    run("ada@EXAMPLE.com")
    [after] = rows(User)
    assert (after.id, after.role, after.active, after.age) == (user.id, "admin", True, 36)
    assert can_sign_in("ada@example.com")


@pytest.mark.parametrize("name", ["a" * 201, "Ada\x1bLovelace", "Ada\0Lovelace"])
def test_a_name_that_the_page_refuses_is_refused(run, rows, name):
    with pytest.raises(SystemExit, match=r"Enter at most|Remove the invisible"):
        run("ada@example.com", "--name", name)
    assert rows(User) == []


def test_an_existing_user_keeps_their_name(run, make_user, rows):
    make_user("Ada Lovelace", email="ada@example.com")
    run("ada@example.com")
    assert [user.name for user in rows(User)] == ["Ada Lovelace"]


def test_the_old_password_and_all_sign_ins_end(run, make_user, rows, can_sign_in, settings):
    make_user(
        "Ada Lovelace", email="ada@example.com", password_hash=make_hasher(read_settings(settings)).hash(PASSWORD)
    )
    assert can_sign_in("ada@example.com")
    assert len(rows(SignIn)) == 1
    run("ada@example.com", password="nine green bottles hanging")
    assert rows(SignIn) == []
    assert not can_sign_in("ada@example.com")
    assert can_sign_in("ada@example.com", "nine green bottles hanging")


def test_other_users_are_not_changed(run, make_user, rows):
    make_user("Bob", email="bob@example.com")
    run("ada@example.com")
    assert [(user.name, user.role) for user in rows(User)] == [("Bob", "member"), ("ada@example.com", "admin")]


def test_the_hash_has_the_parameters_of_the_settings(run, rows):
    run("ada@example.com")
    assert rows(User)[0].password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_the_password_prompt_does_not_show_it(run, monkeypatch, rows, can_sign_in):
    asked = []
    monkeypatch.setattr("getpass.getpass", lambda prompt: asked.append(prompt) or PASSWORD)
    create_admin.main([INI, "ada@example.com"])
    assert asked == ["New password: "]
    assert can_sign_in("ada@example.com")


@pytest.mark.parametrize("problem", [EOFError, getpass.GetPassWarning])
def test_without_a_terminal_it_names_the_option(run, monkeypatch, rows, problem):
    def ask(prompt):
        raise problem

    monkeypatch.setattr("getpass.getpass", ask)
    with pytest.raises(SystemExit, match=r"There is no terminal to ask for the password; .*--password-stdin"):
        create_admin.main([INI, "ada@example.com"])
    assert rows(User) == []


def test_the_new_administrator_is_logged_by_id(database_url, rows):
    command = [sys.executable, "-m", "myproject.scripts.create_admin", INI, "ada@example.com", "--password-stdin"]
    done = subprocess.run(
        command, input=PASSWORD, env={**os.environ, "DATABASE_URL": database_url}, capture_output=True, text=True
    )
    [line] = [line for line in done.stderr.splitlines() if "myproject.security" in line]
    event = {"event": "administrator made", "by": None, "command": "create_admin", "user": rows(User)[0].id}
    assert json.loads(line[line.index("{") :]) == event


def test_the_new_administrator_is_a_security_event(run, rows):
    run("ada@example.com")
    [event] = rows(SecurityEvent)
    assert (event.kind, event.user_id, event.actor_id) == ("administrator made", rows(User)[0].id, None)
    assert event.load_facts() == {"command": "create_admin"}


def test_a_security_event_that_cannot_be_stored_makes_no_administrator(run, rows, outside):
    with outside.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE security_events RENAME TO events_of_others")
    with pytest.raises(sqlalchemy.exc.DBAPIError):
        run("ada@example.com")
    assert rows(User) == []


def test_the_password_is_not_printed(run, capsys):
    assert PASSWORD not in run("ada@example.com")
    assert PASSWORD not in capsys.readouterr().err


def test_a_korean_password_works_on_the_page(run, can_sign_in):
    run("ada@example.com", password="비밀스러운 문장 하나 더하기 둘")
    assert can_sign_in("ada@example.com", "비밀스러운 문장 하나 더하기 둘")


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("", "Enter at least 12 characters"),
        ("short", "Enter at least 12 characters"),
        ("password1234", "This password is too common"),
        ("ada@example.com", "too similar to your name, your email or the name of this site"),
        ("Ada   Lovelace", "too similar to your name, your email or the name of this site"),
        ("a" * 1025, "Enter at most 1024 characters"),
        ("correct horse\x00 battery", "control characters"),
    ],
)
def test_a_password_that_the_page_refuses_is_refused(run, rows, password, said):
    with pytest.raises(SystemExit, match=said):
        run("ada@example.com", "--name", "Ada Lovelace", password=password)
    assert rows(User) == []


@pytest.mark.parametrize("email", ["ada", "@example.com", "ada@", "a b@example.com", "", "é@x.com"])
def test_an_invalid_email_is_refused(run, rows, email):
    with pytest.raises(SystemExit, match="is no address like name@"):
        run(email)
    assert rows(User) == []


def test_an_email_that_is_too_long_is_refused(run, rows):
    with pytest.raises(SystemExit, match="is no address"):
        run("a" * 309 + "@example.com")
    assert rows(User) == []


def test_a_file_that_does_not_exist_is_refused_and_not_created(tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'new.sqlite'}")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    with pytest.raises(SystemExit, match=r"there is no file .*new.sqlite; run `initialize_db .*` first"):
        create_admin.main([INI, "ada@example.com", "--password-stdin"])
    assert not (tmp_path / "new.sqlite").exists()


def test_a_database_without_tables_is_refused_with_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "new.sqlite").touch()
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'new.sqlite'}")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    with pytest.raises(SystemExit, match=r"is not up to date; run `initialize_db .*` first\.$"):
        create_admin.main([INI, "ada@example.com", "--password-stdin"])


@pytest.mark.passes_ledger_by
@pytest.mark.parametrize("revision", ["0001", "0004", "-1"])
def test_a_database_that_lacks_a_migration_is_refused_until_it_is_upgraded(run, rows, revision):
    config = alembic.config.Config(INI)
    alembic.command.downgrade(config, revision)
    with pytest.raises(SystemExit, match=r"is not up to date; run `initialize_db .*` first\.$"):
        run("ada@example.com")
    alembic.command.upgrade(config, "head")
    run("ada@example.com")
    assert [user.role for user in rows(User)] == ["admin"]


def test_the_second_run_adds_no_row(run, rows, outside):
    run("ada@example.com")
    run("ADA@example.com", password="nine green bottles hanging")
    assert [user.email for user in rows(User)] == ["ada@example.com"]
    with outside.connect() as connection:
        assert connection.scalar(sqlalchemy.select(sqlalchemy.func.count()).select_from(User)) == 1
