"""`pserve` with each ini file, against clients that try to keep the server busy or its connections occupied."""

import configparser
import contextlib
import random
import shutil
import socket
import time
import urllib.request

import pytest

from tests import signed_in
from tests.browser import ROOT, SECRET, served
from tests.stress.clients import Browser, encoded

INIS = ["development.ini", "production.ini"]
LIMITS = {
    "max_request_body_size": "106954752",
    "max_request_header_size": "8192",
    "connection_limit": "500",
    "channel_timeout": "30",
    "cleanup_interval": "10",
}


@pytest.fixture(params=INIS)
def server(request, migrated_sqlite, tmp_path):
    """A running server with the settings of the ini file."""
    url = f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'test.sqlite')}"
    environ = {"MYPROJECT_SECRET": SECRET, "PYTHONWARNINGS": "ignore"}
    with served(ROOT / request.param, url, tmp_path / "printed", cwd=ROOT, **environ) as server:
        assert seconds_to_open(server) < 10
        yield server


def seconds_to_open(server):
    """Return in how many seconds the server answers a page to somebody else."""
    started = time.monotonic()
    with urllib.request.urlopen(f"{server.url}/signin", timeout=10) as response:
        assert response.status == 200
    return time.monotonic() - started


def connect(server, sent):
    """Return a new connection to the server, on which `sent` was sent."""
    client = socket.create_connection(("localhost", int(server.url.rpartition(":")[2])), timeout=10)
    client.sendall(sent)
    return client


@pytest.mark.parametrize("ini", INIS)
def test_each_ini_limits_what_a_client_can_occupy(ini):
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / ini)
    assert parser["server:main"].items() >= LIMITS.items()


@pytest.mark.parametrize("ini", INIS)
def test_requests_that_wait_for_a_thread_do_not_fill_the_log(ini):
    parser = configparser.RawConfigParser()
    parser.read(ROOT / ini)
    levels = {parser[name].get("qualname"): parser[name]["level"] for name in parser if name.startswith("logger_")}
    assert levels["waitress.queue"] == "ERROR"


@pytest.mark.parametrize("ini", INIS)
def test_each_line_of_the_log_has_its_level_in_full(ini):
    parser = configparser.RawConfigParser()
    parser.read(ROOT / ini)
    assert " %(levelname)s " in parser["formatter_generic"]["format"]


def test_the_log_says_where_the_site_is_served(server):
    address = server.url.replace("localhost", "127.0.0.1")
    assert f"INFO [myproject.server] serving on {address}" in server.printed.read_text()


def test_headers_full_of_blanks_do_not_stop_the_server(server):
    blanks = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b" " * 32_000 + b"\0\r\n\r\n"
    started = time.monotonic()
    for _ in range(4):
        with contextlib.closing(connect(server, blanks)) as client:
            assert client.recv(100).split()[1] == b"431"
    assert seconds_to_open(server) < 2
    assert time.monotonic() - started < 2


def test_requests_sent_by_half_do_not_keep_others_out(server):
    with contextlib.ExitStack() as clients:
        for _ in range(130):
            clients.enter_context(contextlib.closing(connect(server, b"GET / HTTP/1.1\r\nHost: loc")))
        assert seconds_to_open(server) < 2


@pytest.mark.parametrize("server", ["production.ini"], indirect=True)
def test_an_upload_that_is_cut_off_leaves_nothing_behind(server, tmp_path):
    spool = tmp_path / "test.sqlite-imports"
    browser = Browser([int(server.url.rpartition(":")[2])], {"__Host-session": signed_in.cookie(SECRET)}, random)
    # Beyond what waitress keeps in memory.
    lines = "name\n" + "Ada\n" * 500_000
    form = {**browser.form("/users/import"), "upload": ("people.csv", lines), "mode": "add", "lines": "all"}
    content_type, body = encoded(form)
    # More than there are threads.
    for _ in range(8):
        head = f"Cookie: {browser.cookie_header}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}"
        sent = f"POST /users/import HTTP/1.1\r\nHost: localhost\r\n{head}\r\n\r\n{body[: len(body) // 2]}"
        connect(server, sent.encode()).close()
    assert seconds_to_open(server) < 2
    assert not spool.exists()
    # All of it is taken.
    assert browser.send("POST", "/users/import", form)[0] == 303
    assert spool.exists()
    browser.close()
