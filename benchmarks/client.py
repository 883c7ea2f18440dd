"""An HTTP client that sends prepared bytes over one open connection, so that it costs next to nothing itself."""

import copy
import re
import socket
import uuid

from tests import signed_in

from .servers import SECRET

LIST_PATH = "/users"
OVERVIEW_PATH = "/overview"
NEW_PATH = "/users/new"


class Client:
    """A browser of the administrator, who edits `user`.

    It has the session cookie, and the CSRF token of a page of the server on `port`.
    """

    def __init__(self, port: int, user: int = 1) -> None:
        self.socket, self.edit_path = _connect(port), f"/users/{user}/edit"
        self.cookie = f"__Host-session={signed_in.cookie(SECRET)}"
        page = self.send(self.get(self.edit_path), 200).decode()
        self.token = _field_value(page, "csrf_token")
        self.name = _field_value(page, "name").replace("&#39;", "%27").replace(" ", "+")

    def at(self, port: int) -> "Client":
        """Return a client for the server on `port`, with the cookie and token of this one."""
        other = copy.copy(self)
        other.socket = _connect(port)
        return other

    def gets(self, count: int) -> list[bytes]:
        """Return `count` requests for the list."""
        return [self.get(LIST_PATH)] * count

    def get(self, path: str) -> bytes:
        """Return a request for the page at `path`."""
        return _request("GET", path, f"Cookie: {self.cookie}\r\n")

    def add(self) -> bytes:
        """Return a request that adds a user with a new email address, with a new form token."""
        new = uuid.uuid4().hex
        return self._post(NEW_PATH, f"form_token={new}&name=Zoltan+{new}&email={new}@example.org&age=30")

    def posts(self, count: int) -> list[bytes]:
        """Return `count` requests that each change the user's age, with new form tokens."""
        return [
            self._post(self.edit_path, f"form_token={uuid.uuid4().hex}&name={self.name}&age={20 + number % 2}")
            for number in range(count)
        ]

    def _post(self, path: str, form: str) -> bytes:
        form = f"csrf_token={self.token}&role=member&active=y&{form}"
        return _request("POST", path, f"Cookie: {self.cookie}\r\n", form)

    def send(self, request: bytes, expected: int) -> bytes:
        """Send `request` and return the response, both as bytes; raise if its status is not `expected`."""
        self.socket.sendall(request)
        answer = self.socket.recv(65536)
        while b"\r\n\r\n" not in answer:
            answer += self._more()
        end = answer.index(b"\r\n\r\n") + 4
        found = re.search(rb"(?i)\r\ncontent-length: (\d+)", answer[:end])
        assert found
        length = int(found[1])
        while len(answer) < end + length:
            answer += self._more()
        if int(answer[9:12]) != expected:
            raise RuntimeError(f"expected status {expected}, received {answer.decode()}")
        return answer

    def _more(self) -> bytes:
        data = self.socket.recv(65536)
        if not data:
            raise RuntimeError("the server closed the connection")
        return data


def _field_value(page: str, name: str) -> str:
    found = re.search(rf'name="{name}"[^>]* value="([^"]+)"', page)
    assert found
    return found[1]


def _connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _request(method: str, path: str, headers: str = "", form: str = "") -> bytes:
    if method == "POST":
        headers += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n"
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n{headers}\r\n{form}".encode()
