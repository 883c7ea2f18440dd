"""A real nginx with the block of docs/running.md: TLS on a port other than 443, limits, compression, two processes."""

import configparser
import contextlib
import http.client
import http.server
import re
import shutil
import ssl
import threading
import urllib.parse

import pytest

from tests import signed_in
from tests.browser import ADMINISTRATOR, ROOT, SECRET, free_port, served
from tests.docs import recipes
from tests.nginx import BLOCK, documented_block, make_certificate, require_nginx, running_nginx

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="module")
def folder(migrated_sqlite, tmp_path_factory):
    """A folder with a database, the documented ini file for `pserve`, and the documented certificate."""
    require_nginx()
    folder = tmp_path_factory.mktemp("nginx")
    shutil.copy(migrated_sqlite, folder / "test.sqlite")
    (folder / "test.ini").write_text(recipes.production_ini().replace("/var/lib/myproject", str(folder)))
    make_certificate(folder)
    return folder


@pytest.fixture(scope="module")
def nginx(folder):
    """The ports of nginx before `pserve`: `kept` and `lost`, by what becomes of the port in `Host`, `http` and `plain`.

    `http` is the documented one that redirects; `plain` is what the guide warns of, the site without TLS.
    """
    ports = {name: free_port() for name in ("kept", "lost", "http", "plain")}
    environ = {"MYPROJECT_SECRET": SECRET, "PYTHONWARNINGS": "ignore"}
    with served(folder / "test.ini", f"sqlite:///{folder}/test.sqlite", folder / "printed", **environ) as server:
        port = int(server.url.rpartition(":")[2])
        block = documented_block(folder, https=ports["kept"], http=ports["http"], processes=[port, port])
        # The server with TLS once more, with $host in place of $http_host.
        lost = block[block.rindex("\nserver {") :].replace("$http_host", "$host")
        lost = lost.replace(f"listen 127.0.0.1:{ports['kept']} ssl", f"listen 127.0.0.1:{ports['lost']} ssl")
        block = block.replace(" ssl;", f" ssl; listen 127.0.0.1:{ports['plain']};")
        with running_nginx(folder, block + lost, ports["kept"]):
            yield ports


def connect(port, scheme, address="127.0.0.1"):
    if scheme == "http":
        return http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    source = (address, 0)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=20, source_address=source, context=context)


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


def get(port, path, scheme="https", **headers):
    """Return the response to a GET of the administrator, its body read, and the body."""
    with contextlib.closing(connect(port, scheme)) as client:
        headers = {"Host": f"localhost:{port}", "Cookie": f"__Host-session={ADMINISTRATOR}", **headers}
        client.request("GET", path, headers=headers)
        response = client.getresponse()
        return response, response.read()


def test_http_leads_to_https_on_the_same_port_as_the_site(nginx):
    response, _body = get(nginx["http"], "/users?q=Kim", "http")
    expected = (301, f"https://users.example.com:{nginx['kept']}/users?q=Kim")
    assert (response.status, response.headers["Location"]) == expected


def test_style_and_exports_are_compressed_and_nothing_else(nginx):
    def encoding(path, status=200):
        response, _body = get(nginx["kept"], path, **{"Accept-Encoding": "gzip"})
        assert response.status == status
        return response.headers["Content-Encoding"]

    style = re.search('href="(/static/[^"]+)"', get(nginx["kept"], "/users")[1].decode())[1]
    assert [encoding(path) for path in (style, "/users/export.csv", "/posts/export.csv")] == ["gzip"] * 3
    assert [encoding(path) for path in ("/users", "/users/new", "/history")] == [None] * 3
    assert encoding("/users/export.csv?q=role:boss&sort=" + "x" * 3000, 400) is None


def test_the_log_has_neither_searches_nor_links_that_set_passwords(nginx, folder):
    for path in ("/users?q=Kim", "/set-password/secret", "/users/export.csv?q=Kim"):
        get(nginx["kept"], path, Referer="https://localhost/set-password/secret")
    lines = (folder / "myproject.log").read_text()
    assert '200 "GET /users/export.csv"' in lines
    assert ("Kim" in lines, "secret" in lines) == (False, False)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_what_a_process_says_of_itself_is_for_this_machine(nginx, path):
    assert get(nginx["kept"], path)[0].status == 404


def test_a_client_that_asks_too_much_is_told_so(nginx):
    [burst] = re.findall(r"burst=(\d+)", BLOCK)
    with contextlib.closing(connect(nginx["kept"], "https", "127.1.1.1")) as client:
        found = set()
        for _ in range(2 * int(burst)):
            client.request("GET", "/static/icon.svg")
            response = client.getresponse()
            response.read()
            found.add(response.status)
    assert found == {200, 429}


def test_uploads_of_any_size_that_the_server_takes_come_through(nginx):
    [megabytes] = re.findall(r"client_max_body_size (\d+)m;", BLOCK)
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
    block = documented_block(folder, https=port, http=free_port(), processes=[first, second])
    with running_nginx(folder, block, port):
        for running in [first, second], [second], [first, second], [first], [first, second]:
            with contextlib.ExitStack() as stack:
                for each in running:
                    stack.enter_context(answering(each))
                assert (running, statuses(port)) == (running, {200})
