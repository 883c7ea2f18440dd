"""Requests for `/healthz` and the like have threads of their own, and are told what only the server knows."""

import http.client
import json
import time
import urllib.request
from types import SimpleNamespace

import pytest

from myproject.logs import current_request
from myproject.probes import tell_state

from . import postgresql_only
from .db.proxy import SWALLOW, Proxy
from .monitoring import samples_of
from .stress.servers import OURS
from .stress.servers import Server as StressServer
from .test_stopping import Server

TRUSTED = "trusted_proxy = 127.0.0.1\ntrusted_proxy_headers = {}\n"
WARNING = "the proxy at 127.0.0.1 is not trusted"


@pytest.fixture
def start(tmp_path):
    """Call `start(settings)`: start a pserve process, which is killed at the end of the test."""
    servers = []

    def run(settings=""):
        servers.append(Server(tmp_path, settings=settings))
        return servers[-1]

    yield run
    for server in servers:
        for connection in server.connections:
            connection.close()
        with server.process as process:
            process.kill()


def ask(server, **headers):
    """Ask `/readyz`; return what the application was told, and the seconds until it answered."""
    started = time.monotonic()
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}/readyz", headers=headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read().decode().split(), time.monotonic() - started


def test_a_probe_does_not_wait_for_threads_that_are_busy(start):
    server = start()
    for _ in range(6):
        server.send("/5")
    time.sleep(0.5)
    told, seconds = ask(server)
    assert told == ["False", "4", "2", "False"]
    assert seconds < 2


def test_a_probe_over_an_open_connection_is_told_that_the_server_stops(start):
    server = start()
    busy = server.send("/3")
    # Until a thread has taken it, it waits.
    time.sleep(0.5)
    connection = server.send("/readyz")
    assert connection.getresponse().read() == b"False 4 0 False"
    server.stop()
    connection.request("GET", "/readyz")
    assert connection.getresponse().read() == b"True 4 0 False"
    assert busy.getresponse().read() == b"done"
    assert server.ended()[0] == 0


@pytest.mark.parametrize(
    ("settings", "headers", "is_address_of_proxy"),
    [
        ("", {}, False),
        ("", {"X-Forwarded-For": "192.0.2.1"}, True),
        ("", {"Forwarded": "for=192.0.2.1"}, True),
        ("", {"X-Forwarded-Proto": "https"}, True),
        ("clear_untrusted_proxy_headers = false", {"X-Forwarded-For": "192.0.2.1"}, True),
        (TRUSTED.format("x-forwarded-for x-forwarded-proto"), {}, False),
        (TRUSTED.format("x-forwarded-for x-forwarded-proto"), {"X-Forwarded-For": "192.0.2.1"}, False),
        # The proxy is trusted, but has not said who the client is.
        (TRUSTED.format("x-forwarded-for x-forwarded-proto"), {"X-Forwarded-Proto": "https"}, True),
        (TRUSTED.format("x-forwarded-proto"), {"X-Forwarded-For": "192.0.2.1"}, True),
        (TRUSTED.format("forwarded"), {"Forwarded": "for=192.0.2.1"}, False),
        (TRUSTED.replace("127.0.0.1", "192.0.2.9").format("x-forwarded-for"), {"X-Forwarded-For": "192.0.2.1"}, True),
    ],
)
def test_a_proxy_behind_which_clients_hide_is_noticed(start, settings, headers, is_address_of_proxy):
    server = start(settings)
    for _ in range(2):
        told, _seconds = ask(server, **headers)
        assert told[3] == str(is_address_of_proxy)
    server.stop()
    assert server.ended()[1].count(WARNING) == int(is_address_of_proxy)


def test_a_line_before_the_application_does_not_name_the_request_before(caplog):
    listener = SimpleNamespace(
        adj=SimpleNamespace(trusted_proxy=None, trusted_proxy_headers=None),
        application=lambda _environ, _start: current_request.get(),
    )
    telling = tell_state(listener, SimpleNamespace(threads=(), queue=()), ())
    token = current_request.set("5da4")
    try:
        assert telling({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "192.0.2.1"}, None) == ""
        assert WARNING in caplog.text
    finally:
        current_request.reset(token)


@postgresql_only
def test_a_server_whose_threads_all_wait_for_the_database_is_alive_and_not_ready(outside, tmp_path):
    proxy = Proxy(outside.url.port)
    server = StressServer(tmp_path, outside.url.set(port=proxy.port).render_as_string(), OURS)
    waiting = []
    try:
        server.wait_until_ready()
        # Whatever is asked of the database from now on is not answered.
        proxy.lose(b"S", times=1000, loss=SWALLOW)
        for _ in range(6):
            waiting.append(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20))
            waiting[-1].request("GET", "/setup")
        for _ in range(9):
            waiting.append(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20))
            waiting[-1].request("GET", "/readyz")
        time.sleep(0.5)
        status, _text, seconds = answer_of(server, "/healthz")
        assert status == 200
        assert seconds < 1
        for connection in waiting[6:]:
            assert connection.getresponse().status == 503
        status, text, seconds = answer_of(server, "/readyz")
        assert status == 503
        assert not json.loads(text)["ready"]
        assert seconds < 6
        status, text, _seconds = answer_of(server, "/metrics")
        assert status == 200
        assert samples_of(text)["myproject_server_waiting_requests",] == 2
    finally:
        server.kill()
        proxy.refuse()
        for connection in waiting:
            connection.close()


def answer_of(server, path):
    """Return the status and the text of a page, and the seconds until it was answered."""
    started = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", path)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text, time.monotonic() - started
