"""A pgbouncer of the tests' own, on loopback, before one of their PostgreSQL servers."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from .postgresql import NOBODY, free_port

INI = """
[databases]
* = host=127.0.0.1 port={server} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
ignore_startup_parameters = {ignored}
"""


def binary():
    """Return the path of pgbouncer, which is often outside the PATH of people, or `None`."""
    return shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")


@contextlib.contextmanager
def pooling(server, mode, ignored=""):
    """Run a pgbouncer in `mode` for the block; yield its port."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="myproject-pgbouncer-") as folder:
        ini = Path(folder) / "pgbouncer.ini"
        ini.write_text(INI.format(server=server.port, port=port, mode=mode, ignored=ignored))
        # Like the server, it refuses to run as root.
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        if user:
            os.chown(folder, NOBODY, NOBODY)
        process = subprocess.Popen(
            [binary(), ini], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **user
        )
        try:
            wait_for(port)
            yield port
        finally:
            process.terminate()
            process.wait(10)


def wait_for(port, seconds=10):
    """Return when `port` accepts connections. Raises the error of the last try after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
