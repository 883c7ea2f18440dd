"""No request causes a 500, an unescaped value, a write without a token, or a redirect to another site.

The tests send the same few thousand requests each time, and of the systematic ones every other one to each database.
`make fuzz FUZZ=20000` sends all of them to both, and 20,000 new random ones.
"""

import os
import re
import sqlite3
from collections import Counter
from http.cookiejar import CookieJar

import pytest
import sqlalchemy
from hypothesis import HealthCheck, Phase, given, settings

from myproject.web.headers import HEADERS

from .sent import COMPUTED, HTML, SAFE, plain, requests
from .surface import HERE, browse, discover

# Random requests over both databases. The systematic test sends about as many.
ASKED = int(os.environ.get("FUZZ") or 0)
REQUESTS = ASKED or 1200
# Tables that a 4xx may write to: they record refused attempts.
COUNTERS = frozenset({"failed_sign_ins", "security_events"})
SURFACES = []
# Attributes that a browser would follow to another site, or run.
FOLLOWED = re.compile(rb"""(?:href|src|action)\s*=\s*["']?\s*(?:javascript:|data:text|//|/\\|https?://(?!localhost))""")
LAYOUT = re.compile(
    rb'<html lang="[a-z]+">.*<title>.+ \xc2\xb7 myproject</title>.*<nav .*<main .*<h1.*</html>\s*\Z', re.S
)


class Stored:
    """The rows of every table, also of those without a model, read and restored over the second connection."""

    def __init__(self, outside):
        self.outside = outside
        self.inspector = sqlalchemy.inspect(outside)
        self.tables = sorted(self.inspector.get_table_names())
        self.is_sqlite = outside.dialect.name == "sqlite"
        self.save()
        self.before, self.seen = self.rows(), self.version()

    def rows(self):
        """Return the rows by table, sorted."""
        with self.outside.connect() as connection:
            select = [(name, connection.exec_driver_sql(f'SELECT * FROM "{name}"')) for name in self.tables]
            return {name: sorted(map(tuple, found), key=repr) for name, found in select}

    def version(self):
        """Return a number that is another one after any other connection has committed a change."""
        with self.outside.connect() as connection:
            return connection.exec_driver_sql(
                "PRAGMA data_version" if self.is_sqlite else "SELECT pg_snapshot_xmax(pg_current_snapshot())::text"
            ).scalar_one()

    def changed(self):
        """Return the names of the tables whose rows have changed."""
        if self.seen == (version := self.version()):
            return set()
        self.seen, now = version, self.rows()
        return {name for name in self.tables if now[name] != self.before[name]}

    def save(self):
        """Save a copy of all rows."""
        if self.is_sqlite:
            self.kept = sqlite3.connect(":memory:")
            self._copy(to=self.kept)
            return
        with self.outside.begin() as connection:
            connection.exec_driver_sql("CREATE SCHEMA kept")
            for name in self.tables:
                connection.exec_driver_sql(f'CREATE TABLE kept."{name}" AS TABLE "{name}"')

    def put_back(self):
        """Restore the saved rows."""
        if self.is_sqlite:
            self._copy(of=self.kept)
            return
        with self.outside.begin() as connection:
            # Without triggers and foreign keys: the saved rows are consistent.
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            for name in self.tables:
                columns = [column for column in self.inspector.get_columns(name) if "computed" not in column]
                listed = ", ".join(f'"{column["name"]}"' for column in columns)
                connection.exec_driver_sql(f'DELETE FROM "{name}"')
                connection.exec_driver_sql(
                    f'INSERT INTO "{name}" ({listed}) OVERRIDING SYSTEM VALUE SELECT {listed} FROM kept."{name}"'
                )

    def _copy(self, of=None, to=None):
        live = self.outside.raw_connection()
        (of or live.driver_connection).backup(to or live.driver_connection)
        live.close()

    def close(self):
        """Delete the saved copy."""
        if self.is_sqlite:
            self.kept.close()


@pytest.fixture
def stored(app, outside, make_user, make_post):
    """Users and posts for two pages each, with names that need escaping, as Stored."""
    for number, text in enumerate([*HTML, "{{31337*31337}}", *["Ada"] * 22]):
        user = make_user(text, email=f"user{number}@example.com", age=number)
        make_post(text, text, author=user)
    stored = Stored(outside)
    yield stored
    stored.close()


class Forgetful(CookieJar):
    """A cookie jar that stays empty: each request brings its own cookies."""

    def add_cookie_header(self, request):
        """Add nothing."""

    def extract_cookies(self, response, request):
        """Keep nothing."""


@pytest.fixture
def surface(app, stored):
    """Everything to fuzz. It is discovered once in each process: both databases have the same rows and pages."""
    if not SURFACES:
        SURFACES.append(discover(app, stored.before))
        assert stored.changed() <= COUNTERS
        stored.put_back()
    app.cookiejar = Forgetful()
    return SURFACES[0]


def test_discovery_finds_every_route_form_and_parameter(surface):
    assert {surface.route_of(page.path.partition("?")[0]) for page in surface.pages} >= surface.routes.keys()
    assert {surface.route_of(form.path) for form in surface.forms} >= {"users.new", "posts.edit", "language"}
    assert {"cursor", "author_id"} <= surface.parameters.keys()
    assert {"named", "shown_name", "choice_name", "entered_body", "restored"} <= {
        field.name for form in surface.forms for field in form.fields
    }


def test_every_method_and_odd_value_in_every_field_is_answered_soundly(app, stored, surface):
    first = int(not stored.is_sqlite)
    for sent in plain(surface) if ASKED else plain(surface)[first::2]:
        try:
            exchange(app, stored, sent)
        except AssertionError as error:
            error.add_note(repr(sent))
            raise


def test_random_requests_are_answered_soundly(app, stored, surface):
    routes, answers = Counter(), Counter()

    def send(sent):
        answer, has_written = exchange(app, stored, sent)
        routes[surface.route_of(sent.path.decode("latin-1"))] += 1
        answers["written" if has_written else answer.status_int] += 1

    strategies = requests(surface)
    shares = sum(share for share, _strategy in strategies)
    for share, strategy in strategies:
        chosen = settings(
            max_examples=max(1, share * REQUESTS // 2 // shares),
            deadline=None,
            derandomize=not ASKED,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
        )
        chosen(given(strategy)(send))()
    # The fuzzing reaches every route, and the code behind valid forms.
    assert routes.keys() >= surface.routes.keys()
    assert answers["written"] > REQUESTS / 50


def exchange(app, stored, sent):
    """Send a request and check its response; return the response, and whether it wrote."""
    app.reset()
    answer = app.request(sent.request(), expect_errors=True)
    changed = stored.changed()
    try:
        assert_sound(answer, sent.method)
        refused = answer.status_int >= 400
        if sent.method in SAFE or refused or not has_token(sent):
            # A download is a security event, written when it has ended.
            told = COUNTERS if refused else {"security_events"} if answer.content_type == "text/csv" else set()
            assert changed - told == set(), "it wrote"
        if 300 <= answer.status_int < 400 and answer.location:
            assert_sound(browse(app, path_here(answer), sent.cookies), "GET")
    finally:
        if changed:
            stored.put_back()
    return answer, bool(changed)


def has_token(sent):
    """Return whether the request has a CSRF token of a form of ours, with the mark of a person or without."""
    return any(name == b"csrf_token" and len(value.partition(b".")[0]) == 40 for name, value in sent.fields)


def assert_sound(answer, method):
    """Check all that holds for every response."""
    assert answer.status_int < 500
    assert {name: answer.headers.getall(name) for name in HEADERS} == {name: [value] for name, value in HEADERS.items()}
    if method == "HEAD":
        assert answer.body == b""
    elif answer.content_type == "text/html" and answer.body:
        # Browsers do not show the page that Pyramid puts into a redirect.
        assert 300 <= answer.status_int < 400 or LAYOUT.search(answer.body), "an answer without the layout of the site"
        assert [text for text in HTML if text.encode() in answer.body] == []
        assert FOLLOWED.findall(answer.body) == []
        assert COMPUTED.encode() not in answer.body
    elif answer.status_int >= 400:
        raise AssertionError(f"an error without a page: {answer.content_type} {answer.body[:100]!r}")
    if 300 <= answer.status_int < 400 and answer.status_int != 304:
        path_here(answer)


def path_here(answer):
    """Return the path that a redirect leads to; fail if it leads to another site."""
    # The host of the request, or SERVER_NAME if it had none.
    here = next((site for site in (answer.request.host_url, HERE) if answer.location.startswith(site + "/")), None)
    assert here, f"it leads to {answer.location}"
    path = answer.location[len(here) :]
    assert re.fullmatch(r"/(?![/\\])[!-~]*", path), f"it leads to {answer.location}"
    return path
