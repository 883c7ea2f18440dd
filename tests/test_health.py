"""`/healthz` and `/readyz`: alive, and able to serve pages, also while the database hangs or is of another version."""

import os
import threading
import time

import pytest
from sqlalchemy import text

from myproject.probes import SERVER_KEY, ServerState
from myproject.schema import known_revisions
from tests import sqlite_only

from .monitoring import probe_of

PATHS = ["/healthz", "/readyz", "/metrics"]


@pytest.fixture
def client(wsgi):
    """A client on this machine."""
    return probe_of(wsgi)


def checks_of(client, status):
    """Ask `/readyz`; return `{about: (level, sentence)}`."""
    answer = client.get("/readyz", status=status)
    assert answer.json["ready"] == (status == 200)
    return {check["about"]: (check["level"], check["sentence"]) for check in answer.json["checks"]}


@pytest.fixture
def set_revision(outside):
    """Call `set_revision("9999")`: let the database have this migration as its last."""

    def run(revision):
        with outside.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})

    return run


def test_a_process_is_alive_and_ready(client):
    assert client.get("/healthz").text == "alive\n"
    checks = checks_of(client, 200)
    assert {about: level for about, (level, _sentence) in checks.items()} == {
        "database": "ok",
        "migrations": "ok",
        "writable": "ok",
        "spool": "ok",
        "pool": "ok",
    }
    assert checks["pool"][1] == "connections in use: 0 of 15"


@pytest.mark.parametrize("path", PATHS)
def test_a_page_for_monitoring_is_no_page_of_the_site(path, client):
    answer = client.get(path)
    assert answer.headers.getall("Set-Cookie") == []
    assert answer.headers["Cache-Control"] == "no-store"
    assert client.head(path).body == b""
    client.post(path, status=405)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("address", ["10.0.0.5", "::2", "", "localhost", "unknown"])
def test_there_is_no_such_page_for_others(path, address, wsgi):
    elsewhere = probe_of(wsgi, address, HTTP_HOST="localhost")
    answer, unknown = elsewhere.get(path, status=404), elsewhere.get("/unknown", status=404)
    assert answer.html.h1 == unknown.html.h1


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_this_machine_may_ask_by_each_of_its_addresses(address, wsgi):
    probe_of(wsgi, address).get("/healthz", status=200)


def test_networks_may_be_let_in(settings, request):
    settings["monitoring.addresses"] = "10.0.0.0/8 2001:db8::/32"
    wsgi = request.getfixturevalue("wsgi")
    for address, status in {"10.1.2.3": 200, "2001:db8::7": 200, "11.0.0.1": 404, "127.0.0.1": 404}.items():
        probe_of(wsgi, address).get("/healthz", status=status)


def test_nobody_is_let_in_by_an_empty_setting(settings, request):
    settings["monitoring.addresses"] = ""
    probe_of(request.getfixturevalue("wsgi")).get("/healthz", status=404)


@pytest.mark.parametrize("path", PATHS)
def test_a_request_of_a_proxy_without_trust_is_that_of_a_stranger(path, wsgi):
    state = ServerState(is_stopping=False, threads=4, waiting_requests=0, is_address_of_proxy=True)
    probe_of(wsgi, **{SERVER_KEY: state}).get(path, status=404)


def test_other_pages_still_need_a_known_host(client):
    client.get("/signin", status=400)


def test_a_process_that_stops_is_not_ready(wsgi):
    state = ServerState(is_stopping=True, threads=4, waiting_requests=0, is_address_of_proxy=False)
    assert checks_of(probe_of(wsgi, **{SERVER_KEY: state}), 503)["server"] == ("wrong", "it is stopping")


def test_a_database_that_lacks_a_migration_is_not_ready(client, set_revision):
    set_revision("0001")
    level, sentence = checks_of(client, 503)["migrations"]
    assert (level, sentence) == ("wrong", "the database is not up to date; run `initialize_db INI`")
    set_revision(known_revisions()[0])
    checks_of(client, 200)


def test_a_database_that_is_newer_is_ready(client, set_revision):
    set_revision("9999")
    level, sentence = checks_of(client, 200)["migrations"]
    assert level == "ok"
    assert sentence.endswith("it has the migration 9999")
    set_revision(known_revisions()[0])


def test_an_exhausted_pool_is_no_reason_to_ask_another_process(client, wsgi):
    engine = wsgi.registry["dbsession_factory"].kw["bind"]
    connections = [engine.connect() for _ in range(15)]
    try:
        assert client.get("/healthz").text == "alive\n"
        level, sentence = checks_of(client, 200)["pool"]
    finally:
        for connection in connections:
            connection.close()
    assert (level, sentence) == ("warning", "all 15 connections are in use, so requests wait for one")


def test_a_check_that_hangs_is_answered_in_time_and_begun_once(client, monkeypatch):
    begun, end = [], threading.Event()

    def hang(*_):
        begun.append(time.monotonic())
        end.wait(30)

    monkeypatch.setattr("myproject.health.LONGEST_ANSWER_SECONDS", 0.2)
    monkeypatch.setattr("myproject.health.examine", hang)
    started = time.monotonic()
    for _ in range(3):
        assert checks_of(client, 503) == {"database": ("wrong", "a check has not ended within 0.2 seconds")}
    end.set()
    assert time.monotonic() - started < 5
    assert len(begun) == 1


def test_a_defect_of_a_check_is_an_answer(client, monkeypatch, caplog):
    monkeypatch.setattr("myproject.health.examine", lambda *_: 1 / 0)
    assert checks_of(client, 503) == {"checks": ("wrong", "a check has failed: ZeroDivisionError; see the log")}
    assert "a check of /readyz has failed" in caplog.messages


@sqlite_only
def test_a_missing_file_is_not_ready_and_not_created(client, outside, database_url):
    path = database_url.removeprefix("sqlite:///")
    outside.dispose()
    os.rename(path, f"{path}.away")
    try:
        level, sentence = checks_of(client, 503)["database"]
        assert not os.path.exists(path)
    finally:
        os.rename(f"{path}.away", path)
    assert level == "wrong"
    assert sentence.startswith(f"there is no file {path}")
