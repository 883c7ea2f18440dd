"""The commands of docs/standby.md, in a real shell, on two real servers."""

import os
import re
import shutil
import subprocess

import pytest
import sqlalchemy
from sqlalchemy.pool import NullPool

from myproject.db import get_engine
from tests.postgresql import FAST, Server
from tests.standby import wait_until

from . import DOCS

TEXT = (DOCS / "standby.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"(?<=\n\n)(?:    .*\n)+", TEXT)
[URL] = re.findall(r'DATABASE_URL="(.*)"', TEXT)
# The rest of postgresql.conf, for servers of a test on loopback. pg_rewind needs whole pages in the WAL.
LOCAL = {**FAST, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "full_page_writes": "on"}


@pytest.fixture
def servers(postgresql):
    """Two hosts by their names: `db1` has a running server with the settings of the page, `db2` an empty folder."""
    db1 = Server()
    settings = block("listen_addresses = '*'")
    with (db1.folder / "data" / "postgresql.conf").open("a") as file:
        file.write(settings.replace("    ", ""))
        file.writelines(f"{name} = '{value}'\n" for name, value in LOCAL.items())
    db1.start(full_page_writes="on")
    db2 = Server(primary=db1)
    shutil.rmtree(db2.folder / "data")
    yield {"db1": db1, "db2": db2}
    for server in (db1, db2):
        server.remove()


@pytest.fixture
def shell(servers):
    """Call `shell("db1", "psql")`: run, on that host, the block that begins so; return what it prints."""

    def run(host, beginning):
        server, commands = servers[host], block(beginning)
        commands = commands.replace("/srv/postgresql", f"{server.folder}/data").replace("/tmp", str(server.folder))
        for name, each in servers.items():
            commands = commands.replace(f"host={name}", f"host=127.0.0.1 port={each.port}")
        # What a socket and the port of postgresql.conf are elsewhere.
        environ = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": "postgres", "LC_ALL": "C.UTF-8"}
        environ["PATH"] = f"{server.bin}:{os.environ['PATH']}"
        return subprocess.run(
            ["sh", "-ec", commands], cwd=server.folder, env=environ, check=True, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, **server.user,
        ).stdout  # fmt: skip

    return run


def block(beginning):
    """Return the block of commands that begins so; the first one, if it is there more than once."""
    return next(each for each in BLOCKS if each.startswith(f"    {beginning}"))


def test_the_commands_make_a_standby_promote_it_and_bring_the_old_primary_back(servers, shell):
    db1, db2 = servers.values()
    hosts = URL.replace("db1:5432", f"127.0.0.1:{db1.port}").replace("db2:5432", f"127.0.0.1:{db2.port}")
    engine = get_engine(hosts.replace("myproject:PASSWORD@/users", "postgres@/postgres"), poolclass=NullPool)

    def write(number):
        with engine.begin() as connection:
            connection.exec_driver_sql(f"INSERT INTO notes VALUES ({number})")
            return connection.connection.dbapi_connection.info.port

    def read():
        with engine.connect() as connection:
            return connection.scalars(sqlalchemy.text("SELECT number FROM notes ORDER BY number")).all()

    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE notes (number INTEGER)")
    shell("db1", 'psql --command="CREATE ROLE')
    shell("db2", "pg_basebackup")
    shell("db1", "psql --command=\"ALTER SYSTEM SET synchronous_standby_names = 'db2'\"")
    wait_until(lambda: state_of(db1, "db2") == ("streaming", "sync"))
    assert write(1) == db1.port
    db1.stop()
    shell("db2", "psql --command=\"ALTER SYSTEM SET synchronous_standby_names = ''\"\n    pg_ctl")
    assert write(2) == db2.port
    shell("db1", "pg_rewind")
    shell("db2", "psql --command=\"ALTER SYSTEM SET synchronous_standby_names = 'db1'\"")
    wait_until(lambda: state_of(db2, "db1") == ("streaming", "sync"))
    assert write(3) == db2.port
    db2.stop()
    # And back again.
    shell("db1", "psql --command=\"ALTER SYSTEM SET synchronous_standby_names = ''\"\n    psql")
    db1.promote()
    assert read() == [1, 2, 3]
    assert write(4) == db1.port


def state_of(primary, name):
    """Return the state of the standby with this name, as the page shows it."""
    return primary.execute(f"SELECT state, sync_state FROM pg_stat_replication WHERE application_name = '{name}'")
