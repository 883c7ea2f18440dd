"""Two PostgreSQL servers: the second one follows the first, and takes over."""

import contextlib
import time

from .postgresql import STANDBY, Server

LONGEST_WAIT_SECONDS = 30


class Pair:
    """A primary and a standby. Each commit waits until the standby has it, too."""

    def __init__(self, **settings):
        self.settings = settings
        self.primary = Server()
        self.primary.start(**settings)
        self.standby = Server(primary=self.primary)
        self.start_standby()

    def start_standby(self):
        """Start the standby; return when commits wait for it."""
        self.standby.start(**self.settings)
        wait_until(lambda: attached(self.primary))
        # Not before the standby is there: each commit would wait for it.
        set_synchronous(self.primary, STANDBY)
        wait_until(lambda: attached(self.primary) == "sync")
        # A commit that waits for the standby to have all earlier ones.
        self.primary.execute("SELECT pg_logical_emit_message(true, '', '')")

    def take_over(self):
        """Kill the primary and promote the standby; return when it takes writes."""
        self.primary.stop("immediate")
        self.promote()

    def promote(self):
        """Make the standby the primary, whose commits wait for nobody; return when it takes writes."""
        set_synchronous(self.standby, "")
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary

    def restore(self):
        """Make the standby again, as a copy of the primary; return when commits wait for it."""
        self.standby.stop()
        self.standby.copy(self.primary)
        self.start_standby()

    def url(self, database="postgres"):
        """Return the URL of a database that names both servers, always in the same order."""
        first, second = sorted((self.primary.port, self.standby.port))
        hosts = f"host=127.0.0.1:{first}&host=127.0.0.1:{second}"
        return f"postgresql+psycopg://postgres@/{database}?{hosts}&target_session_attrs=read-write"


@contextlib.contextmanager
def running_pair(**settings):
    """Make and start a Pair for the block; both servers have `settings`."""
    pair = Pair(**settings)
    try:
        yield pair
    finally:
        pair.primary.remove()
        pair.standby.remove()


def attached(primary):
    """Return how the standby of `primary` is attached: "async" or "sync", or `None` if it is not."""
    row = primary.execute("SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'")
    return row and row[0]


def set_synchronous(primary, names):
    """Let the commits of `primary` wait for these standbys; "" for none."""
    primary.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'", "SELECT pg_reload_conf()")


def wait_until(condition, seconds=LONGEST_WAIT_SECONDS):
    """Return when `condition()` is true. Raises `TimeoutError` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)
