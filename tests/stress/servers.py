"""pserve processes with the settings of production.ini and one database, started and killed by process id."""

import http.client
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

from myproject import main
from tests import stock
from tests.postgresql import free_port

ROOT = Path(__file__).parents[2]
SECRET = "stress-only-stress-only-stress-only"
OURS = f"use = config:{ROOT / 'production.ini'}"
STOCK = "paste.app_factory = tests.stress.servers:stock_main\nretry.attempts = 20"
INI = """
[app:main]
{application}
spool.folder = {folder}/spool

[server:main]
use = egg:myproject
listen = 127.0.0.1:{port}
threads = 4
trusted_proxy = 127.0.0.1
trusted_proxy_headers = x-forwarded-for x-forwarded-proto
"""


def stock_main(global_config, **settings):
    """Return the application with the wiring of the starter template."""
    with mock.patch("myproject.db.includeme", stock.includeme), mock.patch("myproject.tweens.ORDER", stock.TWEENS):
        return main(global_config, **settings)


class Server:
    """One process at a time, on its own port."""

    def __init__(self, folder, url, application):
        self.port = free_port()
        self.ini = folder / f"{self.port}.ini"
        self.ini.write_text(INI.format(application=application, port=self.port, folder=folder))
        self.log = folder / f"{self.port}.log"
        self.environ = {
            **os.environ,
            "DATABASE_URL": url,
            "MYPROJECT_SECRET": SECRET,
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
        }
        self.start()

    def start(self):
        """Start a process, without waiting until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pyramid.scripts.pserve", self.ini], cwd=ROOT, env=self.environ,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def kill(self):
        """Kill the process with SIGKILL."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Stop the process by SIGTERM, as an operator does. Raises `RuntimeError` if it fails or takes too long."""
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(timeout=60):
            raise RuntimeError(f"the server did not stop gracefully:\n{self.log.read_text()[-2000:]}")

    def is_ready(self):
        """Return whether the process answers requests. It takes the port before it has loaded the application."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/signin")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True

    def wait_until_ready(self, seconds=30):
        """Return when the process answers requests. Raises `RuntimeError` after `seconds`, or if it has ended."""
        deadline = time.monotonic() + seconds
        while not self.is_ready():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError(f"the server did not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.02)
