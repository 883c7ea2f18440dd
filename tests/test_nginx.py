"""A real nginx with the lines of docs/running.md: TLS on a port other than 443, plain http, and two processes."""

import configparser
import contextlib
import http.client
import http.server
import os
import re
import shutil
import ssl
import subprocess
import threading
import urllib.parse

import pytest

from tests import signed_in
from tests.browser import ROOT, SECRET, free_port, served, wait_for

INI = f"""
[DEFAULT]
port = 6543

[app:main]
use = config:{ROOT / "production.ini"}

[server:main]
use = egg:myproject
host = 127.0.0.1
get port = port
trusted_proxy = 127.0.0.1
trusted_proxy_headers = x-forwarded-for x-forwarded-proto
clear_untrusted_proxy_headers = true
"""
CONFIGURATION = """
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
    ssl_certificate {folder}/certificate;
    ssl_certificate_key {folder}/key;
    {documented}
    {servers}
}}
"""
KEPT_AND_LOST = """
    server {{
        listen 127.0.0.1:{kept} ssl;
        listen 127.0.0.1:{plain};
        location / {{ {documented} }}
    }}
    server {{
        listen 127.0.0.1:{lost} ssl;
        location / {{ {without_port} }}
    }}
"""
TWO_PROCESSES = """
    {upstream}
    server {{
        listen 127.0.0.1:{kept} ssl;
        location / {{ {documented} }}
    }}
"""
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="module")
def folder(migrated_sqlite, tmp_path_factory):
    """A folder with a database, an ini file for `pserve`, and a certificate."""
    if shutil.which("nginx", path=os.defpath + ":/usr/sbin") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("nginx was not found (Debian: nginx-light)")
    folder = tmp_path_factory.mktemp("nginx")
    shutil.copy(migrated_sqlite, folder / "test.sqlite")
    (folder / "test.ini").write_text(INI)
    make_certificate(folder)
    return folder


@pytest.fixture(scope="module")
def nginx(folder):
    """The ports of nginx before `pserve`: `kept` and `lost`, by what becomes of the port in `Host`, and `plain`."""
    ports = {name: free_port() for name in ("kept", "lost", "plain")}
    with process(folder) as server:
        lines = documented("proxy_pass").replace(":6543", f":{port_of(server)}")
        without_port = lines.replace("$http_host", "$host")
        servers = KEPT_AND_LOST.format(documented=lines, without_port=without_port, **ports)
        with running_nginx(folder, servers, ports["kept"]):
            yield ports


def process(folder):
    """Run `pserve` with the ini file of the folder while the block runs; yield its Server."""
    environ = {"MYPROJECT_SECRET": SECRET, "PYTHONWARNINGS": "ignore"}
    return served(folder / "test.ini", f"sqlite:///{folder}/test.sqlite", folder / "printed", **environ)


def port_of(server):
    return server.url.rpartition(":")[2]


@contextlib.contextmanager
def running_nginx(folder, servers, port):
    """Run nginx with the documented lines of its `http` block, and with `servers`, one of which listens on `port`."""
    configuration = folder / "nginx.conf"
    text = CONFIGURATION.format(folder=folder, documented=documented("limit_conn_zone"), servers=servers)
    configuration.write_text(text)
    command = ["nginx", "-c", configuration, "-p", folder, "-e", folder / "errors"]
    environ = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"}
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environ) as process:
        try:
            wait_for(process, port, folder / "errors")
            yield
        finally:
            process.terminate()


def make_certificate(folder):
    """Write a certificate that nobody else has signed, and its key, into `folder`."""
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost"]
    files = ["-keyout", folder / "key", "-out", folder / "certificate"]
    subprocess.run(["openssl", "req", "-x509", *kind, *files], check=True, capture_output=True)


def documented(beginning):
    """Return the lines of docs/running.md for nginx that begin with `beginning`, up to the end of their block."""
    text = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")
    [block] = re.findall(rf"^    {beginning} .*\n(?:    .*\n)*", text, re.MULTILINE)
    return block


def connect(port, scheme):
    if scheme == "http":
        return http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)


def sign_in(port, headers, scheme="https"):
    """Sign in as a browser does, with `headers`; return the status, the address to go to, and the page."""
    client, host = connect(port, scheme), f"localhost:{port}"
    client.request("GET", "/signin", headers={"Host": host})
    response = client.getresponse()
    page, cookie = response.read().decode(), response.headers["Set-Cookie"].partition(";")[0]
    fields = dict(re.findall('type="hidden" name="([^"]+)" value="([^"]*)"', page))
    fields.update(email=signed_in.EMAIL, password=signed_in.PASSWORD)
    headers = {"Host": host, "Content-Type": "application/x-www-form-urlencoded", **headers}
    if scheme == "https":  # The cookie is `Secure`.
        headers["Cookie"] = cookie
    client.request("POST", "/signin", urllib.parse.urlencode(fields), headers)
    response = client.getresponse()
    page = response.read().decode()
    client.close()
    return response.status, response.headers["Location"], page


@pytest.mark.parametrize("headers", [{}, SAME_ORIGIN])
def test_the_documented_lines_take_forms_on_any_port(nginx, headers):
    here = f"https://localhost:{nginx['kept']}"
    status, address, _page = sign_in(nginx["kept"], {"Origin": here, **headers})
    assert (status, address) == (303, f"{here}/")


def test_a_lost_port_is_no_obstacle_to_a_browser_that_names_its_site(nginx):
    origin = {"Origin": f"https://localhost:{nginx['lost']}"}
    assert sign_in(nginx["lost"], {**origin, **SAME_ORIGIN})[0] == 303
    assert sign_in(nginx["lost"], origin)[0] == 400


@pytest.mark.parametrize("port", ["kept", "lost"])
@pytest.mark.parametrize("headers", [{}, SAME_ORIGIN, {"Sec-Fetch-Site": "cross-site"}])
def test_forms_of_other_sites_are_refused(nginx, port, headers):
    assert sign_in(nginx[port], {"Origin": "https://evil.example", **headers})[0] == 400
    assert sign_in(nginx[port], {**headers})[0] == 400


def test_plain_http_says_that_it_needs_https(nginx):
    status, _address, page = sign_in(nginx["plain"], {"Origin": f"http://localhost:{nginx['plain']}"}, "http")
    assert (status, "This site needs HTTPS" in page) == (400, True)


def test_uploads_of_any_size_that_the_server_takes_come_through(nginx):
    [megabytes] = re.findall(r"client_max_body_size (\d+)m;", documented("limit_conn_zone"))
    parser = configparser.RawConfigParser()
    parser.read(ROOT / "production.ini")
    assert int(parser["server:main"]["max_request_body_size"]) == int(megabytes) * 2**20
    # nginx by itself takes 1 MB.
    with contextlib.closing(connect(nginx["kept"], "https")) as client:
        headers = {"Host": f"localhost:{nginx['kept']}", "Content-Type": "application/x-www-form-urlencoded"}
        client.request("POST", "/signin", b"x" * 2_000_000, {**headers, **SAME_ORIGIN})
        response = client.getresponse()
        assert (response.status, b"Nothing was saved" in response.read()) == (413, True)


@contextlib.contextmanager
def answering(port):
    """Answer each request to `port` by a page while the block runs, as one of two processes of `pserve` does."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            """Print nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Page) as server:
        threading.Thread(target=server.serve_forever, args=[0.01]).start()
        try:
            yield
        finally:
            server.shutdown()


def statuses(port, requests=6):
    """Return the different statuses that requests to nginx are answered with."""
    with contextlib.closing(connect(port, "https")) as client:
        found = set()
        for _ in range(requests):
            client.request("GET", "/")
            response = client.getresponse()
            response.read()
            found.add(response.status)
        return found


def test_two_processes_are_restarted_one_after_the_other_without_a_gap(folder):
    port, first, second = free_port(), free_port(), free_port()
    upstream = documented("upstream").replace(":6543", f":{first}").replace(":6544", f":{second}")
    lines = documented("proxy_pass").replace("127.0.0.1:6543", "myproject")
    servers = TWO_PROCESSES.format(upstream=upstream, documented=lines, kept=port)
    with running_nginx(folder, servers, port):
        for running in [first, second], [second], [first, second], [first], [first, second]:
            with contextlib.ExitStack() as stack:
                for each in running:
                    stack.enter_context(answering(each))
                assert (running, statuses(port)) == (running, {200})
