"""Tests with a real server and a real browser."""

import contextlib
import os
import socket
import subprocess
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path

from tests import signed_in

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(sysconfig.get_path("scripts"))
SECRET = signed_in.SECRET
# Session cookies of the administrator and of the member of the fixture `member`.
TOKEN_OF_MEMBER = "of a member"
ADMINISTRATOR, MEMBER = signed_in.cookie(SECRET), signed_in.cookie(SECRET, TOKEN_OF_MEMBER)

# Seconds for a server to accept connections, and to stop.
SERVER_TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Server:
    """A running server: its URL, the URL of its database, and the file with its output."""

    url: str
    database_url: str
    printed: Path


@contextlib.contextmanager
def served(ini, database_url, printed, *, scripts=SCRIPTS, cwd=None, **environ):
    """Run `pserve INI` on a free port while the block runs; yield the Server.

    `printed` is the file for its output, `scripts` the folder of the environment's commands, `cwd` where it starts,
    and `environ` further environment variables.
    """
    port = free_port()
    with open(printed, "wb") as output:
        process = subprocess.Popen(
            [scripts / "pserve", ini, f"port={port}"],
            cwd=cwd,
            env={**os.environ, "DATABASE_URL": database_url, **environ},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(process, port, printed)
        yield Server(f"http://localhost:{port}", database_url, printed)
    finally:
        process.terminate()
        try:
            process.wait(SERVER_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port():
    """Return a free port of this machine."""
    with socket.create_server(("localhost", 0)) as listener:
        return listener.getsockname()[1]


def wait_for(process, port, printed):
    """Wait until `process` accepts connections on `port`. Raises `AssertionError` with its output otherwise."""
    deadline = time.monotonic() + SERVER_TIMEOUT_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("localhost", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError(f"the server takes no connections; it printed:\n{printed.read_text()}")
