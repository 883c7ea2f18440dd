"""docs/running.md, followed from top to bottom, on SQLite up to the upgrade: its files, its commands, its tables."""

import configparser
import importlib.util
import inspect
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
import sqlalchemy

from myproject.models import User
from tests import nginx
from tests.signed_in import PASSWORD

from . import ROOT, recipes
from .machine import Machine

INSTALL, DATABASE, SERVERS, TLS = "1. Install", "2. The database", "3. The servers", "4. nginx and TLS"
ADMINISTRATOR, NIGHT, BACKUP = "5. The first administrator", "6. Every night", "7. Back up and restore"
WELL, UPGRADE, BACK = "8. Is it well?", "9. Upgrade, while people work", "10. Go back"
PEOPLE, EXPORTS = "Users from a file", "Exports"
HEADINGS = re.findall("^## (.*)$", recipes.TEXT, re.MULTILINE)
ROLE_PASSWORD = "p@ss%word"


@pytest.fixture
def machine(tmp_path):
    """A machine on which nothing of the guide has been done."""
    nginx.require_nginx()
    machine = Machine(tmp_path)
    yield machine
    machine.close()


@pytest.fixture
def postgresql_machine(machine, postgresql, monkeypatch, programs):
    """A machine with a PostgreSQL server, whose administrator types the commands, and which asks for passwords."""
    for name, value in {"PGHOST": "127.0.0.1", "PGPORT": str(postgresql.port), "PGUSER": "postgres"}.items():
        monkeypatch.setenv(name, value)
    rules = postgresql.folder / "data" / "pg_hba.conf"
    before = rules.read_text()
    [rule] = re.findall("`(host all myproject .*)`", recipes.TEXT)
    rules.write_text(f"{rule}\n{before}")
    postgresql.execute("SELECT pg_reload_conf()")
    yield machine
    machine.stop_all()
    for dropped in ("DATABASE IF EXISTS users", "DATABASE IF EXISTS restored", "ROLE IF EXISTS myproject"):
        postgresql.execute(f"DROP {dropped}")
    rules.write_text(before)
    postgresql.execute("SELECT pg_reload_conf()")


def test_the_guide_works_with_sqlite(machine):
    install(machine)
    use(machine)
    database = machine.folder / "var/lib/myproject/users.sqlite"
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    # Another database than that of the site, by the same wrapper.
    trial = machine.folder / "trial.sqlite"
    machine.do(
        WELL, "myproject check", **{"myproject check": f"DATABASE_URL=sqlite:///{trial} myproject initialize_db"}
    )
    assert trial.exists()
    restore(machine)
    [kept] = database.parent.glob("users.sqlite.before-*Z")
    assert names(f"sqlite:///{kept}") == {"Renamed"}


def test_the_guide_works_with_postgresql(postgresql_machine):
    machine = postgresql_machine
    install(machine)
    machine.do(DATABASE, "createuser", typed=f"{ROLE_PASSWORD}\n{ROLE_PASSWORD}\n")
    # A person types it into a terminal.
    quoted = machine.do(DATABASE, "python3", typed=f"{ROLE_PASSWORD}\n").splitlines()[-1].rpartition(":")[2].strip()
    [line] = [block for block in recipes.fragments() if block.startswith("DATABASE_URL")]
    line = line.replace("PASSWORD", quoted).replace("@localhost/", f"@127.0.0.1:{os.environ['PGPORT']}/")
    write_url(machine, line)
    use(machine)

    def name_an_empty_database():
        machine.do(BACKUP, "createdb")
        write_url(machine, line.replace("/users'", "/restored'"))

    restore(machine, name_an_empty_database)
    upgrade_and_go_back(machine)
    # Whatever can be done here has been done.
    assert [block for heading in HEADINGS for block in recipes.commands(heading) if block not in machine.done] == []


def install(machine):
    """Follow the guide up to the choice of the database."""
    for beginning in ("apt", "useradd", "python3 -m venv"):
        machine.do(INSTALL, beginning)
    ini = machine.folder / "etc/myproject/production.ini"
    assert ini.read_text() == (ROOT / "production.ini").read_text()
    ini.write_text(machine.translate(recipes.production_ini()))
    machine.do(INSTALL, "(umask")
    environment = machine.folder / "etc/myproject/environment"
    assert stat.S_IMODE(environment.stat().st_mode) == 0o600
    for name in ("var/lib/myproject", "var/backups/myproject"):
        assert stat.S_IMODE((machine.folder / name).stat().st_mode) == 0o700
    machine.write_files()


def write_url(machine, line):
    """Replace the line DATABASE_URL of the environment file."""
    environment = machine.folder / "etc/myproject/environment"
    environment.write_text(re.sub("DATABASE_URL=.*\n", lambda _: line, environment.read_text()))


def use(machine):
    """Follow the guide from the empty database up to the night."""
    assert "The database was created." in machine.do(DATABASE, "myproject initialize_db")
    machine.do(SERVERS, "systemctl")
    machine.do(TLS, "openssl")
    key = machine.folder / "etc/myproject/key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    machine.do(TLS, "nginx -t")
    typed = f"{PASSWORD}\n{PASSWORD}\n"
    machine.do(ADMINISTRATOR, "myproject create_admin", typed, **{"create_admin ": "create_admin --password-stdin "})
    for port in ("6543", "6544"):
        machine.wait_for_page(port)
    assert "<h1>Sign in</h1>" in machine.open_site()
    (machine.folder / "release" / "people.csv").write_text("name,email\nKim,kim@example.com\n")
    machine.do(PEOPLE, "install")
    machine.do(EXPORTS, "myproject export_users")
    assert "Kim" in (machine.folder / "var/lib/myproject/users.csv").read_text()
    assert "wrong" not in machine.do(WELL, "myproject check")
    machine.do(NIGHT, "systemctl")
    [backup] = (machine.folder / "var/backups/myproject").glob("*.backup")
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


def restore(machine, prepare=lambda: None):
    """Save the database, rename everybody in it, and restore it."""
    machine.do(BACKUP, "myproject backup_db")
    rename_everybody(machine.database_url)
    prepare()
    assert "was restored" in machine.do(BACKUP, "systemctl stop")
    assert names(machine.database_url) == {"Kim", "ada@example.com"}


def rename_everybody(url):
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.update(User).values(name="Renamed"))
    engine.dispose()


def names(url):
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        found = set(connection.scalars(sqlalchemy.select(User.name)))
    engine.dispose()
    return found


def upgrade_and_go_back(machine):
    """Follow the guide to another version, which is the same, and back."""
    machine.do(UPGRADE, "myproject backup_db")
    link = machine.folder / "srv/myproject/venv"
    assert link.readlink().name == "venv-0.2.0"
    before = dict(machine.processes)
    machine.do(UPGRADE, "for port")
    assert all(machine.processes[name] is not process for name, process in before.items() if "@" in name)
    machine.do(BACK, "ln")
    assert link.readlink().name == "venv-0.1.0"
    assert "<h1>Sign in</h1>" in machine.open_site()
    assert "ERROR" not in "".join(machine.log(name) for name in machine.processes)


def test_the_units_are_valid(tmp_path):
    if shutil.which("systemd-analyze") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("systemd-analyze was not found (Debian: systemd)")
    units = [tmp_path / Path(path).name for path in recipes.files() if path.startswith("/etc/systemd/system/")]
    for unit in units:
        text = recipes.files()[f"/etc/systemd/system/{unit.name}"]
        # It looks whether the commands can be executed.
        unit.write_text(re.sub(r"/srv/myproject/venv/bin/\w+", "/bin/true", text))
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_unit_waits_longer_than_the_server_needs_to_stop():
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "production.ini")
    [seconds] = re.findall(r"TimeoutStopSec=(\d+)", recipes.files()["/etc/systemd/system/myproject@.service"])
    assert int(seconds) > int(parser["server:main"]["stop_within_seconds"])


def test_the_table_of_sizes_follows_from_its_rules():
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "production.ini")
    defaults = inspect.signature(sqlalchemy.QueuePool).parameters
    kept, more = defaults["pool_size"].default, defaults["max_overflow"].default
    connections = kept + more
    assert f"({kept} + {more})" in recipes.TEXT
    assert int(parser["server:main"]["threads"]) + 4 <= connections
    rows = re.findall(r"^\| ([\d,]+) \| (\d+) \| (\d+) \| (\d+) \| ([\d.]+) GB \|$", recipes.TEXT, re.MULTILINE)
    assert len(rows) == 4
    for people, pages, processes, most, memory in rows:
        assert int(people.replace(",", "")) == 10 * int(pages)
        # Half of what the processes can do.
        assert int(processes) >= 2
        assert 50 * int(processes) >= int(pages)
        assert int(most) == connections * int(processes) + 10
        assert float(memory) == round(0.4 * int(processes), 1)


def test_every_command_of_the_wrapper_exists(subtests):
    for command in sorted(set(re.findall(r"(?:^    |`)myproject (\w+)", recipes.TEXT, re.MULTILINE))):
        with subtests.test(command=command):
            assert importlib.util.find_spec(f"myproject.scripts.{command}")
