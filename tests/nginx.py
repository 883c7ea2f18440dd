"""A real nginx with the block of docs/running.md, on ports and with files of a test."""

import contextlib
import os
import re
import shutil
import subprocess

import pytest

from .browser import wait_for
from .docs import recipes

PATH = os.pathsep.join([os.environ["PATH"], "/usr/sbin"])
HOST = "users.example.com"
BLOCK = recipes.files()["/etc/nginx/conf.d/myproject.conf"]
# What a distribution has in its nginx.conf around the block.
AROUND = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/errors;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/myproject.conf;
}}
"""


def is_installed():
    """Return whether there is an nginx on this machine."""
    return shutil.which("nginx", path=PATH) is not None


def require_nginx():
    """Skip the test if there is no nginx on this machine; fail in CI."""
    if not is_installed():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("nginx was not found (Debian: nginx-light)")


def documented_block(folder, *, https, http, processes):
    """Return the documented block with these ports of loopback, and with certificate and log in `folder`."""
    block = re.sub(r"^ *listen \[::\].*\n", "", BLOCK, flags=re.MULTILINE)
    block = block.replace("listen 443 ssl", f"listen 127.0.0.1:{https} ssl").replace(
        "listen 80", f"listen 127.0.0.1:{http}"
    )
    # As the guide says for another port than 443.
    block = block.replace("https://$server_name$", f"https://$server_name:{https}$")
    for documented, port in zip((6543, 6544), processes, strict=True):
        block = block.replace(f"127.0.0.1:{documented} ", f"127.0.0.1:{port} ")
    return block.replace("/etc/myproject/", f"{folder}/").replace("/var/log/nginx/", f"{folder}/")


@contextlib.contextmanager
def running_nginx(folder, block, port):
    """Run nginx with this block, in which a server listens on `port`, while the block of the caller runs."""
    (folder / "myproject.conf").write_text(block)
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder))
    command = ["nginx", "-c", folder / "nginx.conf", "-p", folder, "-e", folder / "errors"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, env={**os.environ, "PATH": PATH}) as process:
        try:
            wait_for(process, port, folder / "errors")
            yield
        finally:
            process.terminate()


def make_certificate(folder):
    """Write a certificate and its key into `folder`, by the documented command."""
    [command] = [block for block in recipes.commands("4. nginx and TLS") if block.startswith("openssl")]
    command = command.replace("/etc/myproject/", f"{folder}/")
    subprocess.run(["sh", "-ec", command], check=True, capture_output=True)
