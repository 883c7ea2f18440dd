"""What docs/logs.md says of the log of PostgreSQL."""

import re

import psycopg
import pytest

from . import DOCS

MARK = "kanarienvogel"


@pytest.fixture
def run_as(postgresql):
    """Call `run_as("myproject")`: let that role send a statement that fails; return what the server has logged."""

    def run(role):
        before = (postgresql.folder / "log").stat().st_size
        with psycopg.connect(host="127.0.0.1", port=postgresql.port, user=role, dbname="postgres") as connection:
            with pytest.raises(psycopg.errors.InvalidTextRepresentation):
                connection.execute("SELECT CAST(%s AS integer)", [MARK])
            connection.rollback()
            # The log is complete when the next statement is answered.
            connection.execute("SELECT 1")
        return (postgresql.folder / "log").read_text(encoding="utf-8")[before:]

    return run


def test_the_documented_command_keeps_values_out_of_the_log_of_postgresql(postgresql, run_as):
    command = re.search(r"`(ALTER ROLE [^`]+)`", (DOCS / "logs.md").read_text(encoding="utf-8"))[1]
    postgresql.execute("CREATE ROLE myproject LOGIN")
    try:
        assert MARK in run_as("myproject")
        postgresql.execute(command)
        assert run_as("myproject") == ""
    finally:
        postgresql.execute("DROP ROLE myproject")
