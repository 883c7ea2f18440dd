"""A PostgreSQL server of the tests' own: made from the installed binaries, on loopback, removed at the end."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import psycopg

NOBODY = 65534
# What a standby calls itself, for `synchronous_standby_names` of its primary.
STANDBY = "standby"
# A cluster of a few dozen MB; in memory, making and removing its databases takes a third of the time.
MEMORY = "/dev/shm"


def binaries():
    """Return the folder of `initdb`, `postgres` and the others, from PATH or Debian's place, or `None`."""
    found = shutil.which("initdb")
    places = (
        [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    )
    return next((place for place in places if (place / "postgres").exists()), None)


def free_port():
    """Return a port of loopback that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """A cluster in a folder of its own; `start` and `stop` as often as a test likes, then `remove`.

    One in a `folder` that is given outlives it, and is taken up again where it stands there already. One with a
    `primary`, a running Server, is a standby of it, which calls itself `name`.
    """

    def __init__(self, folder=None, primary=None, name=STANDBY):
        self.bin = binaries()
        self.port = free_port()
        self.is_kept = folder is not None
        self.folder = Path(
            folder or tempfile.mkdtemp(prefix="myproject-postgresql-", dir=MEMORY if os.path.isdir(MEMORY) else None)
        )
        # The server refuses to run as root.
        self.user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        if self.user:
            os.chown(self.folder, NOBODY, NOBODY)
        self.name = name
        if primary is not None:
            self.copy(primary)
        elif not (self.folder / "data").exists():
            self._run("initdb", "-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")

    def _run(self, program, *arguments):
        subprocess.run(
            [self.bin / program, *arguments], cwd=self.folder, check=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}, **self.user,
        )  # fmt: skip

    def start(self, **settings):
        """Start the server with `settings` of postgresql.conf, and return when it answers."""
        chosen = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", **FAST, **settings}
        options = " ".join(f"-c {name}={value}" for name, value in chosen.items())
        self._run("pg_ctl", "-D", "data", "-l", "log", "-w", "-o", options, "start")

    def stop(self, mode="immediate"):
        """Stop the server: `immediate` as a crash does, `fast` by ending its sessions."""
        # Without the file it does not run, and pg_ctl would complain.
        if (self.folder / "data" / "postmaster.pid").exists():
            with contextlib.suppress(subprocess.CalledProcessError):
                self._run("pg_ctl", "-D", "data", "-w", "-m", mode, "stop")

    def copy(self, primary):
        """Copy the cluster of `primary`, in place of what is here, with the settings by which the copy follows it."""
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        source = f"host=127.0.0.1 port={primary.port} user=postgres application_name={self.name}"
        self._run(
            "pg_basebackup", "-D", "data", "-d", source, "--write-recovery-conf", "--checkpoint=fast", "--no-sync"
        )

    def promote(self):
        """Make a primary of a standby, and return when it takes writes."""
        self._run("pg_ctl", "-D", "data", "-w", "promote")

    def processes(self):
        """Return the ids of the server's processes, its own first."""
        first = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        return [first, *map(int, Path(f"/proc/{first}/task/{first}/children").read_text().split())]

    @contextlib.contextmanager
    def stopped(self):
        """Stop all processes of the server for the block, as SIGSTOP does: connections stay open, nothing answers."""
        stopped = self.processes()
        for process in stopped:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in stopped:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGCONT)

    def execute(self, *statements):
        """Run `statements`, which want no transaction, as the owner of everything; return the last one's first row."""
        with psycopg.connect(host="127.0.0.1", port=self.port, user="postgres", autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchone() if cursor.description else None

    def remove(self):
        """Stop the server and remove its folder, if it is its own."""
        self.stop("fast" if self.is_kept else "immediate")
        if not self.is_kept:
            shutil.rmtree(self.folder)

    def url(self, database="postgres"):
        """Return the URL of one of its databases."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"


@contextlib.contextmanager
def running_server(folder=None, **settings):
    """Make and start a Server for the block, in `folder` or in memory."""
    server = Server(folder)
    try:
        server.start(**settings)
        yield server
    finally:
        server.remove()


# Nothing has to survive the machine; a crash of the server alone loses nothing with fsync off either.
FAST = {"fsync": "off", "full_page_writes": "off", "max_connections": "100", "shared_buffers": "32MB"}
