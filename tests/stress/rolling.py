"""A rolling upgrade: people write through the documented nginx while its two servers are restarted, one by one."""

import contextlib
import http.client
import ssl
import time
from functools import partial

from tests.nginx import documented_block, make_certificate, running_nginx
from tests.postgresql import free_port

from .clients import ANSWER_TIMEOUT_SECONDS, Browser
from .storm import run

# nginx lets each address ask 20 times a second.
SECONDS_BETWEEN_REQUESTS = 0.05


def run_rolling(url, *, restarts, clients, seconds=1, seed=None):
    """Return the Outcome of graceful restarts behind nginx, during which no request may fail."""
    outcome = run(url, kills=0, restarts=restarts, clients=clients, seconds=seconds, seed=seed, reach=behind_nginx)
    if outcome.failures:
        outcome.errors.append(f"{outcome.failures} requests failed: {dict(outcome.statuses)}")
    return outcome


@contextlib.contextmanager
def behind_nginx(folder, servers):
    """Run the documented nginx before two servers; give the block the function that makes the browser of a person."""
    make_certificate(folder)
    port = free_port()
    block = documented_block(folder, https=port, http=free_port(), processes=[server.port for server in servers])
    context = ssl.create_default_context(cafile=folder / "certificate.pem")
    # People ask for localhost here.
    context.check_hostname = False
    with running_nginx(folder, block, port):
        yield partial(BrowserOverTLS, context, port)


class BrowserOverTLS(Browser):
    """A browser with one open connection to nginx, from an address of loopback that nobody else has."""

    addresses = 0

    def __init__(self, context, port, cookies, rng):
        super().__init__([port], cookies, rng)
        here = f"localhost:{port}"
        self.headers = {"Host": here, "Origin": f"https://{here}"}
        self.context, self.asked_at = context, 0
        BrowserOverTLS.addresses += 1
        self.address = f"127.1.0.{BrowserOverTLS.addresses % 250 + 1}"

    def send(self, *arguments, **options):
        """Send a request, not too soon after the one before."""
        time.sleep(max(0, self.asked_at + SECONDS_BETWEEN_REQUESTS - time.monotonic()))
        self.asked_at = time.monotonic()
        return super().send(*arguments, **options)

    def _new_connection(self, port):
        return http.client.HTTPSConnection(
            "127.0.0.1",
            port,
            timeout=ANSWER_TIMEOUT_SECONDS,
            source_address=(self.address, 0),
            context=self.context,
        )
