"""`prune_history INI`: what is older than the settings say is deleted in short steps."""

import datetime
import os
import subprocess
import sys

import pytest
import sqlalchemy
from transaction.interfaces import TransientError

from myproject.db.base import utcnow
from myproject.models import Change, Entry, SecurityEvent, User
from myproject.scripts import prune_history
from tests.conftest import INI


@pytest.fixture
def run(database_url, monkeypatch, capsys):
    """Call `run()`: run the command; return what it printed."""
    monkeypatch.setenv("DATABASE_URL", database_url)

    def main():
        prune_history.main([INI])
        return capsys.readouterr().out

    return main


def store(outside, *days):
    """Store an event of each of these numbers of days ago."""
    values = {"kind": "signed in", "address": "", "request_id": "", "facts": "{}"}
    moments = [utcnow() - datetime.timedelta(days=each, minutes=1) for each in days]
    with outside.begin() as connection:
        connection.execute(sqlalchemy.insert(SecurityEvent), [{**values, "happened_at": each} for each in moments])


def test_old_events_are_deleted(run, outside, rows):
    store(outside, 0, 399, 400, 500)
    nothing = "Older than 3650 days (history.keep_days): 0 changes and entries were deleted.\n"
    assert run() == f"{nothing}Older than 400 days (events.keep_days): 2 security events were deleted.\n"
    assert len(rows(SecurityEvent)) == 2
    assert run() == f"{nothing}Older than 400 days (events.keep_days): 0 security events were deleted.\n"


@pytest.mark.passes_ledger_by
def test_old_entries_are_deleted(run, outside, make_user, rows):
    make_user()
    with outside.begin() as connection:
        connection.execute(sqlalchemy.update(Entry).values(created_at=utcnow() - datetime.timedelta(days=3651)))
    before = len(rows(Entry)) + len(rows(Change))
    assert run().startswith(f"Older than 3650 days (history.keep_days): {before} changes and entries were deleted.\n")
    assert (rows(Entry), rows(Change), len(rows(User))) == ([], [], 1)


def test_the_setting_decides(run, outside, rows, monkeypatch):
    store(outside, 0, 399)
    read = prune_history.read_ini
    monkeypatch.setattr(prune_history, "read_ini", lambda ini: {**read(ini), "events.keep_days": "30"})
    assert run().endswith("\nOlder than 30 days (events.keep_days): 1 security events were deleted.\n")
    assert len(rows(SecurityEvent)) == 1


def test_it_works_in_steps_of_their_own(run, outside, rows, monkeypatch):
    monkeypatch.setattr(prune_history, "ROWS_PER_STEP", 2)
    monkeypatch.setattr(prune_history, "PAUSE_SECONDS", 0)
    store(outside, *range(500, 505))
    left = []
    monkeypatch.setattr(prune_history.time, "sleep", lambda _: left.append(len(rows(SecurityEvent))))
    assert "5 security events" in run()
    # The first step deletes nothing of the ledger, the last one finds nothing more.
    assert left == [5, 3, 1, 0, 0]


def test_a_step_that_loses_to_a_request_is_tried_again(run, outside, rows, monkeypatch):
    store(outside, 500)
    factory_of_session, lost = prune_history.get_tm_session, []

    def lose_once(*arguments, **options):
        dbsession = factory_of_session(*arguments, **options)
        if not options and not lost:
            lost.append(dbsession)
            raise TransientError()
        return dbsession

    monkeypatch.setattr(prune_history, "get_tm_session", lose_once)
    assert "1 security events" in run()
    assert (len(lost), rows(SecurityEvent)) == (1, [])


def test_the_command_works(database_url, outside, rows):
    store(outside, 500)
    command = [sys.executable, "-m", "myproject.scripts.prune_history", INI]
    subprocess.run(command, env={**os.environ, "DATABASE_URL": database_url}, check=True)
    assert rows(SecurityEvent) == []
