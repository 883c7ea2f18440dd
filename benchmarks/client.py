"""A browser reduced to bytes: requests made beforehand, one after the other over one open connection."""

import copy
import re
import socket
import uuid

from tests import signed_in

from .servers import SECRET

LIST = "/users"
EDIT = "/users/1/edit"
NEW = "/users/new"


class Client:
    """The administrator at the server on `port`, with the session cookie and the CSRF token of a page."""

    def __init__(self, port):
        self.socket = _connect(port)
        self.cookie = f"__Host-session={signed_in.cookie(SECRET)}"
        page = self.send(self.get(EDIT), 200).decode()
        self.token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', page)[1]
        self.name = re.search(r'name="name"[^>]* value="([^"]+)"', page)[1].replace("&#39;", "%27").replace(" ", "+")

    def at(self, port):
        """Return the same person at another server, one that gives no page to read."""
        other = copy.copy(self)
        other.socket = _connect(port)
        return other

    def gets(self, count):
        """Return `count` requests for the list."""
        return [self.get(LIST)] * count

    def get(self, path):
        """Return a request for the page at `path`."""
        return _request("GET", path, f"Cookie: {self.cookie}\r\n")

    def add(self):
        """Return a request that adds a user whose address nobody has, from a form not sent before."""
        new = uuid.uuid4().hex
        return self._post(NEW, f"form_token={new}&name=Zoltan+{new}&email={new}@example.org&age=30")

    def posts(self, count):
        """Return `count` requests that each set another age than the one before, from forms not sent before."""
        return [
            self._post(EDIT, f"form_token={uuid.uuid4().hex}&name={self.name}&age={20 + number % 2}")
            for number in range(count)
        ]

    def _post(self, path, form):
        form = f"csrf_token={self.token}&role=member&active=y&{form}"
        return _request("POST", path, f"Cookie: {self.cookie}\r\n", form)

    def send(self, request, expected):
        """Send the bytes `request`; return those of the answer, whose status is `expected`."""
        self.socket.sendall(request)
        answer = self.socket.recv(65536)
        while b"\r\n\r\n" not in answer:
            answer += self._more()
        end = answer.index(b"\r\n\r\n") + 4
        length = int(re.search(rb"(?i)\r\ncontent-length: (\d+)", answer[:end])[1])
        while len(answer) < end + length:
            answer += self._more()
        if int(answer[9:12]) != expected:
            raise RuntimeError(f"{expected} was expected, not {answer.decode()}")
        return answer

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise RuntimeError("the server has closed the connection")
        return data


def _connect(port):
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _request(method, path, headers="", form=""):
    if method == "POST":
        headers += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n"
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n{headers}\r\n{form}".encode()
