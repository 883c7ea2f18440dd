"""A machine in a folder, on which a test does what docs/running.md says.

Absolute paths of the guide are paths below the folder, its ports are free ones. What would change the real machine,
such as `useradd`, does nothing; `systemctl` starts the processes that the units describe.
"""

import contextlib
import http.client
import os
import re
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.nginx import AROUND, HOST, PATH, documented_block
from tests.postgresql import free_port

from . import ROOT, recipes

PYTHON = shlex.quote(sys.executable)
PATHS = re.compile(r"(?<![\w.])/(?=(?:srv|etc|var|usr/local)/)")
NOTHING = "exit 0"
# The folder of users and groups is the real machine's.
INSTALL = """
for argument; do
    shift
    case $argument in --owner=*|--group=*) ;; *) set -- "$@" "$argument" ;; esac
done
exec /usr/bin/install "$@"
"""
RUNUSER = 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"'
SYSTEMCTL = """
import socket, sys
with socket.socket(socket.AF_UNIX) as client:
    client.connect({socket!r})
    client.sendall("\\0".join(sys.argv[1:]).encode())
    client.shutdown(socket.SHUT_WR)
    sys.exit(client.recv(1000).decode() or None)
"""
MAKE_ENVIRONMENT = """
if [ "$1 $2" != "-m venv" ]; then exec {python} "$@"; fi
mkdir -p "$3/bin"
cp {commands}/* "$3/bin"
"""


class Machine:
    """A folder with the commands that the guide needs, and with the processes that it starts."""

    def __init__(self, folder):
        self.folder = folder
        self.ports = {name: str(free_port()) for name in ("6543", "6544", "443", "80")}
        self.processes, self.done = {}, []
        self.bin = folder / "bin"
        for name in (
            "bin",
            "commands",
            "release",
            "etc/systemd/system",
            "etc/nginx/conf.d",
            "var/log/nginx",
            "usr/local/sbin",
        ):
            (folder / name).mkdir(parents=True)
        # It is where all this has to be done, and contains what is installed.
        shutil.copy(ROOT / "production.ini", folder / "release")
        shutil.copytree(ROOT / "requirements", folder / "release" / "requirements")
        self._write_commands()
        self._listen()

    def _write_commands(self):
        for name, script in {"apt": NOTHING, "useradd": NOTHING, "install": INSTALL, "runuser": RUNUSER}.items():
            write_script(self.bin / name, script)
        write_script(self.bin / "nginx", f'exec {shutil.which("nginx", path=PATH)} -c {self.folder}/nginx.conf "$@"')
        environment = MAKE_ENVIRONMENT.format(python=PYTHON, commands=self.folder / "commands")
        write_script(self.bin / "python3", environment)
        self.socket = str(self.folder / "socket")
        write_script(self.bin / "systemctl", SYSTEMCTL.format(socket=self.socket), sys.executable)
        write_script(self.folder / "commands" / "pip", NOTHING)
        modules = {path.stem: f"myproject.scripts.{path.stem}" for path in ROOT.glob("myproject/scripts/[a-z]*.py")}
        for name, module in {**modules, "pserve": "pyramid.scripts.pserve"}.items():
            write_script(self.folder / "commands" / name, f'exec {PYTHON} -W ignore -m {module} "$@"')

    def translate(self, text):
        """Return a text of the guide for this machine."""
        for name, port in self.ports.items():
            text = re.sub(rf"(?<![\w.]){name}\b", port, text)
        return PATHS.sub(f"{self.folder}/", text)

    def write_files(self):
        """Write each whole file of the guide where it belongs."""
        for path, content in recipes.files().items():
            place = self.folder / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(self.translate(content))
        (self.folder / "usr/local/sbin/myproject").chmod(0o755)
        processes = [self.ports["6543"], self.ports["6544"]]
        block = documented_block(
            self.folder / "etc/myproject", https=self.ports["443"], http=self.ports["80"], processes=processes
        )
        (self.folder / "etc/nginx/conf.d/myproject.conf").write_text(block)
        around = AROUND.replace("include {folder}/myproject.conf", "include {folder}/etc/nginx/conf.d/*.conf")
        (self.folder / "nginx.conf").write_text(around.format(folder=self.folder))

    def do(self, heading, beginning="", typed="", **changes):
        """Run the commands of a block below a heading, the first one that begins so; return what they print.

        `typed` is what a person types, `changes` are what they write in place of a word of the guide.
        """
        block = next(block for block in recipes.commands(heading) if block.startswith(beginning))
        self.done.append(block)
        commands = self.translate(block)
        for word, replacement in changes.items():
            commands = commands.replace(word, replacement)
        done = subprocess.run(
            ["sh", "-ec", commands],
            cwd=self.folder / "release",
            env={**os.environ, "PATH": f"{self.bin}:{self.folder}/usr/local/sbin:{PATH}", "PYTHONPATH": str(ROOT)},
            input=typed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            # Without a terminal, from which programs would read a password.
            start_new_session=True,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}"
        return done.stdout

    def _listen(self):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.socket)
        listener.listen()

        def answer():
            with contextlib.suppress(OSError):
                while True:
                    client, _address = listener.accept()
                    with client:
                        words = client.makefile().read().split("\0")
                        try:
                            self.systemctl(*words)
                        except Exception as error:
                            client.sendall(f"systemctl {' '.join(words)}: {error!r}".encode()[:1000])

        self.listener, self.thread = listener, threading.Thread(target=answer)
        self.thread.start()

    def systemctl(self, act, *units):
        """Do as systemctl does, with the units of the guide and with nginx."""
        for unit in units:
            if act == "reload":
                self._start("nginx", [str(self.bin / "nginx"), "-p", str(self.folder)], {})
            elif unit.endswith(".timer"):
                assert self._unit(unit)["OnCalendar"]
                assert self._unit(unit.replace(".timer", ".service"))["ExecStart"]
            elif unit.endswith(".service"):
                self._run_once(unit)
            elif unit != "--now":
                if act in ("stop", "restart"):
                    self.stop(unit)
                if act in ("enable", "start", "restart"):
                    [command] = self._commands(unit)
                    self._start(unit, command, self._environ(unit))

    def _unit(self, name):
        """Return `{setting: values}` of a unit file."""
        text = (self.folder / "etc/systemd/system" / re.sub("@.*", "@.service", name)).read_text()
        found = {}
        for key, value in re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE):
            found.setdefault(key, []).append(value)
        return found

    def _commands(self, name):
        """Return the words of each command that a unit starts."""
        instance = name.partition("@")[2]
        words = (shlex.split(command) for command in self._unit(name)["ExecStart"])
        return [
            [re.sub("%(.)", lambda m: {"%": "%", "i": instance}[m[1]], word).replace("$$", "$") for word in line]
            for line in words
        ]

    def _environ(self, name):
        """Return the variables of a unit's environment file, and what the tests need."""
        [file] = self._unit(name)["EnvironmentFile"]
        lines = shlex.split(Path(file).read_text(), comments=True)
        return {**dict(line.split("=", 1) for line in lines), "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}

    def _start(self, name, command, environ):
        if name not in self.processes:
            with (self.folder / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    command, env=environ, cwd=self.folder / "var/lib/myproject", umask=0o077,
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                )  # fmt: skip

    def _run_once(self, name):
        for command in self._commands(name):
            subprocess.run(command, env=self._environ(name), umask=0o077, check=True, timeout=60)

    def stop(self, name):
        """End a process as systemd does."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) in (0, -signal.SIGTERM)

    def log(self, name):
        """Return what a process has printed."""
        return (self.folder / f"{name}.log").read_text()

    @property
    def database_url(self):
        """The URL of the database in the environment file."""
        return self._environ("myproject@6543")["DATABASE_URL"]

    def wait_for_page(self, port):
        """Wait until the process on the documented `port` shows a page."""

        def answers():
            with (
                contextlib.suppress(OSError, http.client.HTTPException),
                contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.ports[port], timeout=20)) as client,
            ):
                client.request("GET", "/signin", headers={"Host": HOST})
                return client.getresponse().status == 200

        wait_until(answers)

    def open_site(self):
        """Return the page for signing in, over TLS with the documented certificate and name, which are checked."""
        context = ssl.create_default_context(cafile=self.folder / "etc/myproject/certificate.pem")
        port = self.ports["443"]
        with contextlib.closing(http.client.HTTPConnection(HOST)) as client:
            client.sock = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname=HOST)
            client.request("GET", "/signin", headers={"Host": f"{HOST}:{port}", "Accept-Language": "en"})
            return client.getresponse().read().decode()

    def stop_all(self):
        """End all processes."""
        for name in list(self.processes):
            self.stop(name)

    def close(self):
        """End all processes, also the thread that answers systemctl."""
        self.stop_all()
        # Closing it alone does not end `accept`.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()


def write_script(path, script, interpreter="/bin/sh"):
    """Write an executable file."""
    path.write_text(f"#!{interpreter}\n{script}")
    path.chmod(0o755)


def wait_until(condition, seconds=30):
    """Wait until `condition()` is true. Raises `AssertionError` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
