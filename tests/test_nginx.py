"""Forms behind a real nginx, with TLS on a port other than 443, and over plain http."""

import http.client
import os
import re
import shutil
import ssl
import subprocess
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
    server {{
        listen 127.0.0.1:{kept} ssl;
        listen 127.0.0.1:{plain};
        location / {{ {documented} }}
    }}
    server {{
        listen 127.0.0.1:{lost} ssl;
        location / {{ {without_port} }}
    }}
}}
"""
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="module")
def nginx(migrated_sqlite, tmp_path_factory):
    """The ports of nginx before `pserve`: `kept` and `lost`, by what becomes of the port in `Host`, and `plain`."""
    if shutil.which("nginx", path=os.defpath + ":/usr/sbin") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("nginx was not found (Debian: nginx-light)")
    folder = tmp_path_factory.mktemp("nginx")
    shutil.copy(migrated_sqlite, folder / "test.sqlite")
    (folder / "test.ini").write_text(INI)
    make_certificate(folder)
    environ = {"MYPROJECT_SECRET": SECRET, "PYTHONWARNINGS": "ignore"}
    with served(folder / "test.ini", f"sqlite:///{folder}/test.sqlite", folder / "printed", **environ) as server:
        ports = {name: free_port() for name in ("kept", "lost", "plain")}
        configuration = folder / "nginx.conf"
        lines = documented_lines(server.url)
        without_port = lines.replace("$http_host", "$host")
        configuration.write_text(
            CONFIGURATION.format(folder=folder, documented=lines, without_port=without_port, **ports)
        )
        command = ["nginx", "-c", configuration, "-p", folder, "-e", folder / "errors"]
        environ = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"}
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environ) as process:
            try:
                wait_for(process, ports["kept"], folder / "errors")
                yield ports
            finally:
                process.terminate()


def make_certificate(folder):
    """Write a certificate that nobody else has signed, and its key, into `folder`."""
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost"]
    files = ["-keyout", folder / "key", "-out", folder / "certificate"]
    subprocess.run(["openssl", "req", "-x509", *kind, *files], check=True, capture_output=True)


def documented_lines(url):
    """Return the lines for nginx in docs/running.md, for the server at `url`."""
    lines = re.findall("^    (proxy_.*;)$", (ROOT / "docs" / "running.md").read_text(encoding="utf-8"), re.MULTILINE)
    port = url.rpartition(":")[2]
    return " ".join(lines).replace(":6543", f":{port}")


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
