"""`pserve` with `use = egg:myproject`: SIGTERM closes the port, lets it answer what has been sent, and ends it."""

import http.client
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from myproject.server import make_server
from myproject.settings import SettingsError

from .postgresql import free_port
from .serving import LARGE

INI = """
[app:main]
paste.app_factory = tests.serving:main
answer = done

[server:main]
use = egg:myproject
listen = 127.0.0.1:{port}
threads = 4
stop_within_seconds = {seconds}
"""


class Server:
    """A pserve process on a port of its own."""

    def __init__(self, folder, *arguments, seconds=20, settings=""):
        self.port, self.connections = free_port(), []
        self.ini = folder / "server.ini"
        self.ini.write_text(INI.format(port=self.port, seconds=seconds) + settings)
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "pyramid.scripts.pserve", str(self.ini), *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        wait_until(self.answers)

    def connect(self):
        self.connections.append(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20))
        return self.connections[-1]

    def send(self, path="/"):
        """Send a request; return its connection."""
        connection = self.connect()
        connection.request("GET", path)
        return connection

    def answers(self, answer=b"done"):
        try:
            return self.send().getresponse().read() == answer
        except OSError:
            return False

    def listens(self):
        try:
            # Briefly: a server that stops does not answer, and gives open connections one second.
            socket.create_connection(("127.0.0.1", self.port), timeout=0.1).close()
        except OSError:
            return False
        return True

    def stop(self):
        """Send SIGTERM, and wait until the port is closed."""
        self.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not self.listens())

    def ended(self, seconds=20):
        """Return the exit status and what was printed."""
        printed, _ = self.process.communicate(timeout=seconds)
        return self.process.returncode, printed


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def start(tmp_path):
    """Call `start(*arguments, seconds=20)`: start a pserve process, which is killed at the end of the test."""
    servers = []
    # A shell that runs the tests in the background lets them ignore Ctrl-C, and a server would inherit that.
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)

    def run(*arguments, **options):
        servers.append(Server(tmp_path, *arguments, **options))
        return servers[-1]

    yield run
    signal.signal(signal.SIGINT, earlier)
    for server in servers:
        for connection in server.connections:
            connection.close()
        with server.process as process:
            process.kill()


def test_a_request_in_progress_is_answered_and_its_connection_closed(start):
    server = start()
    connection = server.send("/1.5")
    server.stop()
    response = connection.getresponse()
    assert (response.read(), response.headers["Connection"]) == (b"done", "close")
    assert server.ended()[0] == 0


def test_requests_that_wait_for_a_thread_are_answered(start):
    server = start()
    with ThreadPoolExecutor(30) as pool:
        sent = list(pool.map(server.send, ["/0.2"] * 30))
        server.stop()
        assert [connection.getresponse().read() for connection in sent] == [b"done"] * 30
    assert server.ended()[0] == 0


def test_a_large_answer_is_sent_to_its_end(start):
    server = start()
    response = server.send("/large").getresponse()
    server.stop()
    first = response.read(1000)
    time.sleep(1.5)
    assert first + response.read() == LARGE
    assert server.ended()[0] == 0


def test_an_open_connection_may_send_one_more_request_and_is_closed_then(start):
    server = start()
    connection = server.send("/")
    connection.getresponse().read()
    server.stop()
    connection.request("GET", "/0.2")
    response = connection.getresponse()
    assert (response.read(), response.headers["Connection"]) == (b"done", "close")
    assert server.ended()[0] == 0


def test_idle_connections_do_not_delay_the_end(start):
    server = start(seconds=60)
    connection = server.send("/")
    connection.getresponse().read()
    server.connect().connect()
    server.stop()
    assert server.ended(10)[0] == 0


def test_a_request_that_takes_too_long_is_cut_off(start):
    server = start(seconds=3)
    connection = server.send("/60")
    server.stop()
    status, printed = server.ended(10)
    assert (status, "stopped after 3 seconds; connections cut off: 1" in printed) == (0, True)
    with pytest.raises(ConnectionError):
        connection.getresponse()


@pytest.mark.parametrize("signals", [[signal.SIGTERM, signal.SIGTERM], [signal.SIGINT]])
def test_a_second_sigterm_or_ctrl_c_does_not_wait(start, signals):
    server = start(seconds=60)
    server.send("/60")
    for number in signals:
        server.process.send_signal(number)
        time.sleep(0.5)
    server.ended(10)


def test_a_changed_file_reloads_the_server(start):
    server = start("--reload")
    changed = server.ini.read_text().replace("answer = done", "answer = changed")
    # Until the reloader watches the file, it does not notice a change.
    time.sleep(2)
    server.ini.write_text(changed)
    wait_until(lambda: server.answers(b"changed"))
    server.process.send_signal(signal.SIGINT)
    server.ended(10)


def test_it_stops_where_the_filter_of_new_connections_is_forbidden(start):
    server = start("filters=forbidden")
    connection = server.send("/0.5")
    server.stop()
    assert connection.getresponse().read() == b"done"
    assert server.ended()[0] == 0


def test_a_port_in_use_is_one_sentence(start):
    server = start()
    second = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "pyramid.scripts.pserve", server.ini], capture_output=True, text=True
    )
    sentence = f"myproject does not start: it cannot listen on 127.0.0.1:{server.port} (Address already in use).\n"
    assert (second.returncode, second.stderr) == (1, sentence)


@pytest.mark.parametrize(
    "settings", [{"stop_within_seconds": "soon"}, {"nosuch": "1"}, {"threads": "0"}, {"channel_timeout": "-1"}]
)
def test_a_wrong_setting_of_the_server_is_one_sentence(settings):
    with pytest.raises(SettingsError, match=next(iter(settings))) as refusal:
        make_server({}, **settings)
    assert "\n" not in str(refusal.value)
