"""A minimal browser, and a person who uses it and records every write in the ledger."""

import collections
import html
import http.client
import random
import re
import time
import urllib.parse
from http.cookies import SimpleCookie
from typing import ClassVar

from .imports import import_users
from .ledger import ACKNOWLEDGED, ADD, DELETE, EDIT, REFUSED, new_token, values_of

# Probabilities: a person sends an invalid form, uses the email of another user, hangs up before the answer, or gives up
# after "Nothing was saved".
P_INVALID, P_TAKEN, P_HANG_UP, P_GIVE_UP = 0.04, 0.04, 0.05, 0.5
IMPORT = "import"
WEIGHTS = {ADD: 18, EDIT: 18, DELETE: 4, IMPORT: 1}
BOUNDARY = "a-boundary-that-no-file-contains"
ANSWER_TIMEOUT_SECONDS = 20

TAKEN_MESSAGE = "Another user already has this address. Enter a different one."

NO_ANSWER = (OSError, http.client.HTTPException)


class Broken(Exception):
    """The connection broke, or the person hung up, after the request was sent and before the answer arrived."""


class Browser:
    """Keeps cookies and one open connection to a server; connects to another server if that one refuses."""

    headers: ClassVar = {}  # further ones of each request

    def __init__(self, ports, cookies, rng):
        self.ports, self.rng = ports, rng
        self.cookies, self.connection = dict(cookies), None
        self.statuses = collections.Counter()  # of all answers
        self.longest = 0  # seconds until an answer
        self.cut_off = 0  # number of requests without an answer, although the person waited for it

    def get(self, path):
        """Return the status and the text of a page; repeat the request until the status is below 500."""
        while True:
            try:
                status, _location, text = self.send("GET", path)
            except Broken:
                continue
            if status < 500:
                return status, text
            time.sleep(0.05)

    def form(self, path):
        """Return the fields of the form on the page at `path`, or `None` if there is no such page."""
        status, text = self.get(path)
        return self.fields_of(text) if status == 200 else None

    def fields_of(self, text):
        """Return the fields of the form on a page."""
        inside = re.search(r'<form[^>]* id="record".*?</form>', text, flags=re.DOTALL)[0]
        fields = (dict(re.findall(r'(\w+)="([^"]*)"', tag)) for tag in re.findall(r"<input[^>]*>", inside))
        return {field["name"]: html.unescape(field.get("value", "")) for field in fields}

    def until_redirect(self, path, form):
        """Send a form again and again until it is answered by a redirect; return its path."""
        while True:
            try:
                status, location, text = self.send("POST", path, form)
            except Broken:
                continue
            if status == 303:
                return urllib.parse.urlsplit(location).path
            if status < 500:
                raise AssertionError(f"{path} was answered by {status}: {text}")
            time.sleep(0.05)

    def send(self, method, path, form=None, hang_up=False):
        """Send a request; return status, location and text. Raises `Broken`."""
        self._connect()
        content_type, body = encoded(form or {})
        started = time.monotonic()
        headers = {"Cookie": self.cookie_header, "Content-Type": content_type, "Accept-Language": "en", **self.headers}
        try:
            self.connection.request(method, path, body if form else None, headers)
            if hang_up:
                raise TimeoutError
            response = self.connection.getresponse()
            for line in response.headers.get_all("Set-Cookie", ()):
                self.cookies.update({name: morsel.value for name, morsel in SimpleCookie(line).items()})
            text = self._read(response)
        except NO_ANSWER as error:
            self.cut_off += not hang_up
            self.close()
            raise Broken from error
        if response.headers["Connection"] == "close":
            self.close()
        self.statuses[response.status] += 1
        self.longest = max(self.longest, time.monotonic() - started)
        return response.status, response.headers["Location"], text

    @property
    def cookie_header(self):
        """The cookies as a request sends them."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def close(self):
        """Close the connection, if there is one."""
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def _read(self, response):
        try:
            return response.read().decode()
        except NO_ANSWER:
            response.close()
            # The head of a redirect is enough; of other answers the whole text is needed.
            if response.status != 303:
                raise
            self.close()
            return ""

    def _connect(self):
        while self.connection is None:
            connection = self._new_connection(self.rng.choice(self.ports))
            try:
                connection.connect()
            except OSError:
                connection.close()
                time.sleep(0.02)
            else:
                self.connection = connection

    def _new_connection(self, port):
        return http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_TIMEOUT_SECONDS)


def encoded(form):
    """Return the type and the body of a request with these fields; a file is a tuple of its name and its text."""
    if not any(isinstance(value, tuple) for value in form.values()):
        return "application/x-www-form-urlencoded", urllib.parse.urlencode(form)
    parts = []
    for name, value in form.items():
        filename, text = value if isinstance(value, tuple) else (None, value)
        more = f'; filename="{filename}"' if filename else ""
        parts.append(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{text}\r\n')
    return f"multipart/form-data; boundary={BOUNDARY}", f"{''.join(parts)}--{BOUNDARY}--\r\n"


class Person:
    """Adds, edits, deletes and imports users until told to stop, and then still finishes the open write.

    `new_browser(cookies, rng)` returns a Browser; `cookies` are those of an administrator who is signed in.
    """

    def __init__(self, new_browser, ledger, cookies, seed):
        self.rng, self.ledger = random.Random(seed), ledger
        self.browser = new_browser(cookies, self.rng)

    def work(self, stop):
        """Write until `stop`, an event, is set; import one more file then, however few a short storm has imported."""
        # Gives the browser its CSRF token.
        self.browser.form("/users/new")
        while not stop.is_set():
            kind = self.rng.choices(list(WEIGHTS), WEIGHTS.values())[0]
            if kind == IMPORT:
                import_users(self.browser, self.ledger, self.rng)
                continue
            user = self.rng.choice(self.ledger.users[-30:]) if self.ledger.users and kind != ADD else None
            if kind == ADD or user is not None:
                self.write(kind, user)
        import_users(self.browser, self.ledger, self.rng)

    def write(self, kind, user):
        """Fill in the form of a page and send it again until an answer tells whether it was done."""
        path = "/users/new" if kind == ADD else f"/users/{user}/{kind}"
        form = self.browser.form(path)
        if form is None:
            return
        values = {} if kind == DELETE else self._values()
        write = self.ledger.open(kind, form, values=values, user=user)
        form.update(values)
        if kind != DELETE:
            form.update(role="member", active="y")
        self._send(write, path, form)

    def _values(self):
        values = values_of(new_token())
        if self.rng.random() < P_INVALID:
            values["age"] = "151"
        elif self.rng.random() < P_TAKEN and self.ledger.users:
            other = self.browser.form(f"/users/{self.rng.choice(self.ledger.users[-30:])}/edit") or {}
            values["email"] = other.get("email", "")
        return values

    def _send(self, write, path, form):
        while True:
            try:
                status, location, text = self.browser.send("POST", path, form, self.rng.random() < P_HANG_UP)
            except Broken:
                write.unknown += 1
                continue
            if status == 303:
                return self._acknowledged(write, location)
            if status < 500:
                # After a 404, an unanswered copy may have deleted the user, or edited a user deleted since: the receipt
                # tells. And an email that is taken may be free when an earlier copy of the form arrives.
                may_be_done = status == 404 or TAKEN_MESSAGE in text
                if not (write.unknown and may_be_done):
                    write.answer = REFUSED
                return None
            if "Nothing was saved" not in text:
                write.unknown += 1
            elif not write.unknown and self.rng.random() < P_GIVE_UP:
                write.answer = REFUSED
                return None
            time.sleep(0.05)

    def _acknowledged(self, write, location):
        write.answer, write.answered_at = ACKNOWLEDGED, time.monotonic()
        if write.kind == ADD:
            write.user = int(re.search(r"/users/(\d+)", location)[1])
            self.ledger.users.append(write.user)
        if write.unknown:
            write.already = "This was already done." in self.browser.get(urllib.parse.urlsplit(location).path)[1]
