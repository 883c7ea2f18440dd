"""`pshell INI` with commands on its standard input."""

import os
import subprocess
import sys

import pytest

from myproject.models import User
from tests.conftest import INI


@pytest.fixture
def pshell(database_url):
    """Call `pshell(commands)`: run them in the shell; return its output."""

    def run(commands):
        command = [sys.executable, "-m", "pyramid.scripts.pshell", INI, "--python-shell", "python"]
        environ = {**os.environ, "DATABASE_URL": database_url, "PYTHONSTARTUP": ""}
        return subprocess.run(
            command,
            input=commands,
            env=environ,
            text=True,
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ).stdout

    return run


def test_the_session_the_transaction_and_the_models_are_defined(pshell, make_user):
    make_user(name="John Doe", age=30)
    printed = pshell("dbsession.get(User, 1).age\nPost.__tablename__\nmodels.Base.metadata is Base.metadata\n")
    assert "30" in printed
    assert "'posts'" in printed
    assert "True" in printed
    assert "Traceback" not in printed


def test_a_user_is_added_and_committed(pshell, rows):
    printed = pshell("dbsession.add(User(name='John Doe', age=30))\ntm.commit()\n")
    assert "Traceback" not in printed
    assert [(user.name, user.age) for user in rows(User)] == [("John Doe", 30)]


def test_the_session_joins_each_new_transaction(pshell, rows):
    add = "dbsession.add(User(name='{}'))\n"
    core = "dbsession.execute(User.__table__.insert(), {'name': 'Core'})\n"
    pshell(add.format("One") + "tm.commit()\ntm.begin()\n" + core + "tm.commit()\ntm.begin()\n" + add.format("Two"))
    assert [user.name for user in rows(User)] == ["One", "Core"]


def test_an_aborted_transaction_leaves_nothing_and_the_next_one_works(pshell, rows):
    pshell(
        "dbsession.add(User(name='One'))\ndbsession.flush()\ntm.abort()\n"
        "tm.begin()\ndbsession.add(User(name='Two'))\ntm.commit()\n"
    )
    assert [user.name for user in rows(User)] == ["Two"]


@pytest.mark.parametrize("leave", ["", "exit()\n"])
def test_uncommitted_changes_are_not_stored_at_the_end(pshell, rows, leave):
    pshell("dbsession.add(User(name='John Doe'))\ndbsession.flush()\n" + leave)
    assert rows(User) == []


def test_between_two_transactions_the_session_refuses_to_be_used(pshell, rows):
    printed = pshell("tm.commit()\ndbsession.add(User(name='John Doe'))\n")
    assert "InvalidRequestError" in printed
    assert rows(User) == []
