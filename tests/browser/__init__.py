"""The application as people meet it: a real server, and for its pages a real browser."""

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
# What the cookie holds in the browsers of the administrator and of a member, the fixture `member`.
TOKEN_OF_MEMBER = "of a member"
ADMINISTRATOR, MEMBER = signed_in.cookie(SECRET), signed_in.cookie(SECRET, TOKEN_OF_MEMBER)

# Seconds until a server has to take connections, and until it has to be gone.
PATIENCE = 30


@dataclass(frozen=True)
class Server:
    """A running server: the address of its pages, the URL of its database, the file with all that it printed."""

    url: str
    database_url: str
    printed: Path


@contextlib.contextmanager
def served(ini, database_url, printed, *, scripts=SCRIPTS, cwd=None, **environ):
    """Run `pserve INI` on a free port of this machine while the block runs; give the Server.

    `printed` is the file for its output, `scripts` the folder of the environment's commands, `cwd` where it starts,
    and `environ` what is set for it besides DATABASE_URL.
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
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port():
    """Return a port of this machine that nobody listens on."""
    with socket.create_server(("localhost", 0)) as listener:
        return listener.getsockname()[1]


def wait_for(process, port, printed):
    """Return when `process` takes connections on `port`. Raises `AssertionError` with what it printed instead."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("localhost", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError(f"the server takes no connections; it printed:\n{printed.read_text()}")
