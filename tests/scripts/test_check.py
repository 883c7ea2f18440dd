"""`check INI` says what is still wrong before strangers come, and exits with 0 only if nothing is."""

import os
import time

import pytest
import sqlalchemy
from sqlalchemy.pool import NullPool

from myproject.checks.settings import PUBLIC_SECRET
from myproject.scripts import check
from tests import postgresql_only, sqlite_only
from tests.browser import ROOT

INI = f"""
[DEFAULT]
port = 6543

[app:main]
use = config:{ROOT / "production.ini"}

[server:main]
use = egg:myproject
host = localhost
get port = port
threads = 8
trusted_proxy = 127.0.0.1
trusted_proxy_headers = x-forwarded-for x-forwarded-proto

[formatters]
keys = generic

[formatter_generic]
class = myproject.logs.Formatter
"""
SECRET = "3f1c5b7a9d8e2046f1c3b5a79d8e2064"


@pytest.fixture
def check_site(tmp_path, monkeypatch, capsys, database_url):
    """Call `check_site((old, new), …, NAME=value)`: check a site that is right but for this; return what is printed.

    The pairs replace text of the ini file, the names are variables of the environment. The answer is the exit status
    and `{about: [(level, sentence)]}`.
    """
    ini = tmp_path / "site.ini"

    def run(*changes, **variables):
        environ = {
            "DATABASE_URL": database_url,
            "MYPROJECT_SECRET": SECRET,
            "MYPROJECT_HOSTS": "users.example.com",
            **variables,
        }
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        text = INI
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        ini.write_text(text, encoding="utf-8")
        with pytest.raises(SystemExit) as end:
            check.main([str(ini)])
        printed = capsys.readouterr().out
        assert SECRET not in printed
        *lines, unknown, _rest = printed.splitlines()
        assert unknown.startswith("Not checked")
        found = {}
        for line in lines:
            level, about, sentence = line[:8].strip(), *line[9:].split(": ", 1)
            assert level in ("ok", "warning", "wrong")
            found.setdefault(about, []).append((level, sentence))
        assert any(level == "wrong" for each in found.values() for level, _sentence in each) == bool(end.value.code)
        return end.value.code, found

    return run


def test_nothing_is_wrong_with_a_site_that_follows_the_guide(check_site):
    status, found = check_site()
    wrong = {about: lines for about, lines in found.items() if any(level == "wrong" for level, _sentence in lines)}
    assert (status, wrong) == (0, {})
    assert {"secret", "hosts", "proxy", "database", "migrations", "writable", "spool", "clock", "port"} <= found.keys()


@pytest.mark.parametrize(
    ("about", "level", "sentence", "changes", "variables"),
    [
        ("secret", "wrong", "the one of development.ini", [], {"MYPROJECT_SECRET": PUBLIC_SECRET}),
        ("secret", "wrong", "only 1 different characters", [], {"MYPROJECT_SECRET": "x" * 40}),
        ("hosts", "wrong", "set MYPROJECT_HOSTS", [], {"MYPROJECT_HOSTS": "localhost [::1]"}),
        ("development", "wrong", "remove it", [("[server", "myproject.development = true\n[server")], {}),
        ("tools", "wrong", "debugtoolbar", [("[server", "pyramid.includes = pyramid_debugtoolbar\n[server")], {}),
        ("tools", "warning", "reload_templates", [("[server", "pyramid.reload_templates = true\n[server")], {}),
        ("log", "wrong", "[formatter_generic]", [("class = myproject.logs.Formatter", "format = %(message)s")], {}),
        ("log", "wrong", "[formatter_generic]", [("myproject.logs.Formatter", "logging.Formatter")], {}),
        ("log", "warning", "statements", [("[server", "sqlalchemy.echo = true\n[server")], {}),
        ("port", "wrong", "listens on 0.0.0.0", [("host = localhost\n", ""), ("trusted_", "#")], {}),
        ("port", "warning", "listens on 192.0.2.1", [("host = localhost", "host = 192.0.2.1")], {}),
        ("proxy", "wrong", "trusted_proxy is not set", [("trusted_", "#")], {}),
        ("proxy", "wrong", "any client may choose", [("trusted_proxy = 127.0.0.1", "trusted_proxy = *")], {}),
        ("proxy", "wrong", "lacks x-forwarded-for", [("x-forwarded-for ", "")], {}),
        ("monitoring", "wrong", "everybody", [("[server", "monitoring.addresses = 0.0.0.0/0\n[server")], {}),
        ("server", "wrong", "threads is '0'", [("threads = 8", "threads = 0")], {}),
        ("server", "wrong", "Unknown adjustment 'threadz'", [("threads = 8", "threadz = 8")], {}),
        ("threads", "warning", "need 16 connections", [("threads = 8", "threads = 12")], {}),
        ("stopping", "warning", "is 0", [("threads", "stop_within_seconds = 0\nthreads")], {}),
        ("stopping", "warning", "TimeoutStopSec", [("threads", "stop_within_seconds = 90\nthreads")], {}),
        ("stopping", "warning", "egg:myproject", [("egg:myproject", "egg:waitress")], {}),
        ("threads", "wrong", "could not be checked: ValueError", [("threads = 8", "threads = many")], {}),
    ],
)
@sqlite_only
def test_what_is_wrong_is_said(about, level, sentence, changes, variables, check_site):
    _status, found = check_site(*changes, **variables)
    assert [each for each in found[about] if each[0] == level and sentence in each[1]]


@sqlite_only
def test_every_missing_setting_is_said_at_once(check_site):
    status, found = check_site(DATABASE_URL="", MYPROJECT_SECRET="")
    assert status == 1
    sentences = " ".join(sentence for _level, sentence in found["settings"])
    assert "sqlalchemy.url is missing" in sentences
    assert "myproject.secret is missing" in sentences


def test_the_public_secret_is_that_of_development():
    assert f"myproject.secret = {PUBLIC_SECRET}\n" in (ROOT / "development.ini").read_text()


@sqlite_only
def test_files_that_everybody_can_read_are_said(check_site, database_url, tmp_path):
    os.chmod(database_url.removeprefix("sqlite:///"), 0o644)
    (tmp_path / "site.ini").touch(0o644)
    _status, found = check_site(("[server", f"myproject.secret = {SECRET}\n[server"))
    assert found["database file"][0][0] == "wrong"
    assert found["ini file"][0][0] == "wrong"
    assert "chmod o-rwx" in found["ini file"][0][1]


@sqlite_only
def test_a_spool_that_others_can_read_keeps_the_server_from_starting(check_site, tmp_path):
    (tmp_path / "spool").mkdir(mode=0o755)
    status, found = check_site(("[server:main]", f"spool.folder = {tmp_path}/spool\n\n[server:main]"))
    assert status == 1
    assert ["wrong" for _level, sentence in found["settings"] if "the server does not start" in sentence] == ["wrong"]


def test_a_missing_file_is_said_and_not_created(check_site, tmp_path):
    status, found = check_site(DATABASE_URL=f"sqlite:///{tmp_path}/missing.sqlite")
    assert (status, found["database"][0][0]) == (1, "wrong")
    assert not (tmp_path / "missing.sqlite").exists()


def test_a_database_that_lacks_a_migration_is_said(check_site, outside):
    with outside.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    status, found = check_site()
    assert (status, found["migrations"][0][0]) == (1, "wrong")


@postgresql_only
def test_a_database_that_is_away_is_said_without_its_password(check_site):
    url = "postgresql+psycopg://myproject:hunter2@127.0.0.1:1/users"
    status, found = check_site(DATABASE_URL=url)
    assert (status, found["database"][0][0]) == (1, "wrong")
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(("ahead", "direction"), [(60, "behind"), (-60, "ahead of")])
@postgresql_only
def test_a_clock_that_differs_is_said(ahead, direction, check_site, monkeypatch):
    now = time.time
    monkeypatch.setattr("myproject.checks.database.time.time", lambda: now() + ahead)
    [(level, sentence)] = check_site()[1]["clock"]
    assert level == "wrong"
    assert sentence.startswith(f"the clock of the database is 60 seconds {direction}")


@pytest.fixture
def role(outside, postgresql):
    """Call `role("CREATEDB")`: make a role of PostgreSQL with these rights; return its URL of the database."""
    name = f"check_{outside.url.database}"

    def make(rights=""):
        with outside.begin() as connection:
            connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN {rights}")
            connection.exec_driver_sql(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}")
        return name, outside.url.set(username=name).render_as_string()

    yield make
    with outside.begin() as connection:
        connection.exec_driver_sql(f"DROP OWNED BY {name}")
        connection.exec_driver_sql(f"DROP ROLE {name}")


@postgresql_only
def test_the_rights_of_the_role_are_said(role, check_site, outside):
    name, url = role("CREATEDB")
    assert "superuser" in check_site(DATABASE_URL=url)[1]["rights"][0][1]
    with outside.begin() as connection:
        connection.exec_driver_sql(f"ALTER ROLE {name} NOCREATEDB")
    assert "may create no tables" in check_site(DATABASE_URL=url)[1]["rights"][0][1]
    with outside.begin() as connection:
        connection.exec_driver_sql(f"GRANT CREATE ON SCHEMA public TO {name}")
    assert check_site(DATABASE_URL=url)[1]["rights"][0][0] == "ok"


@postgresql_only
def test_a_missing_privilege_is_said(role, check_site, outside):
    name, url = role()
    with outside.begin() as connection:
        connection.exec_driver_sql(f"REVOKE DELETE ON posts FROM {name}")
    status, found = check_site(DATABASE_URL=url)
    assert (status, found["writable"]) == (1, [("wrong", "this role lacks privileges: posts (DELETE).")])


@postgresql_only
def test_a_read_only_database_is_said(check_site, outside):
    with sqlalchemy.create_engine(
        outside.url, isolation_level="AUTOCOMMIT", poolclass=NullPool
    ).connect() as connection:
        name = outside.url.database
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        status, found = check_site()
        connection.exec_driver_sql("SET default_transaction_read_only = off")
        connection.exec_driver_sql(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    assert (status, found["writable"]) == (1, [("wrong", "default_transaction_read_only is on.")])


@postgresql_only
def test_a_reading_url_that_is_no_standby_is_said(check_site, database_url):
    assert check_site(DATABASE_URL_READING=database_url)[1]["standby"][0][0] == "warning"
    away = "postgresql+psycopg://127.0.0.1:1/users"
    assert "pages read from the primary" in check_site(DATABASE_URL_READING=away)[1]["standby"][0][1]


@postgresql_only
def test_too_few_connections_are_said(check_site):
    _status, found = check_site(("[server", "sqlalchemy.pool_size = 90\n[server"))
    assert found["connections"][0][0] == "warning"


@sqlite_only
def test_a_site_without_administrator_is_said(check_site, nobody):
    assert "create_admin" in check_site()[1]["administrator"][0][1]
