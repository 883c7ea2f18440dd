"""No log record contains what a request brought: marks in every part of it, for every route, are looked for in all."""

import configparser
import itertools
import logging
from pathlib import Path
from urllib.parse import urlencode

import pytest
from pyramid.request import Request
from sqlalchemy import insert

from myproject.logs import Formatter
from myproject.models import User
from tests.people import token_of
from tests.signed_in import PASSWORD
from tests.test_permissions import ADMINISTRATOR, FILLED_IN, LINK, MEMBER, STRANGER, Stage

ROOT = Path(__file__).parents[1]
MARK = "kanarienvogel"
EMAIL = f"{MARK}@example.com"
# Valid values with the mark, so that forms are applied and the events of that are logged.
FIELDS = {
    **FILLED_IN,
    **dict.fromkeys(["name", "title", "body", "password", "query", "end", "token", MARK], f"{MARK} seven llamas"),
    **dict.fromkeys(["email", "q"], EMAIL),
    **dict.fromkeys(["page", "next"], f"/users?q={EMAIL}"),
}
QUERY = {"q": EMAIL, "next": f"/set-password/{MARK}", MARK: MARK}
NAMES = ["User-Agent", "Accept-Language", "Authorization", "X-Request-Id", "If-None-Match", "Via", "Forwarded"]
HEADERS = dict.fromkeys(NAMES, f"{MARK}/5.0")
COOKIES = {"theme": MARK, "__Host-language": MARK}
# What else a request may have, for which the site refuses it, and the line that tells so.
VARIANTS = {
    "a valid form": ({}, "sqlalchemy.engine"),
    "no CSRF token": ({"fields": {"csrf_token": MARK}}, '"form refused"'),
    "a form of another site": ({"Origin": f"https://{MARK}.example"}, '"form refused"'),
    "another host": ({"Host": f"{MARK}:{PASSWORD}@example.com"}, "refused the host"),
}


@pytest.fixture
def written(caplog):
    """Call `written()`: all records so far as `production.ini` writes them, as one text, and forget them."""
    caplog.set_level(logging.DEBUG)
    # Statements; on DEBUG, SQLAlchemy shows rows to developers who ask for it.
    caplog.set_level(logging.INFO, "sqlalchemy.engine")
    formatter = Formatter("%(name)s %(message)s")

    def read():
        lines = [formatter.format(record) for record in caplog.records]
        caplog.clear()
        return "\n".join(lines)

    return read


def paths_of(stage, pattern):
    """Return paths of a route: of a row and of a valid link, and with the mark in place of them."""
    return {stage.path(pattern), pattern.format(id=MARK, key=MARK, token=MARK).replace("*subpath", MARK)}


def send(stage, path, method, fields=None, **headers):
    """Send a request with the mark in all its parts; `fields` and `headers` are those of a variant."""
    body = {"csrf_token": token_of(stage.app), **FIELDS, **(fields or {})} if method == "POST" else {}
    cookies = {**stage.app.cookies, **COOKIES}
    headers = {**HEADERS, "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()), **headers}
    request = Request.blank(f"{path}?{urlencode(QUERY)}", method=method, POST=urlencode(body).encode(), headers=headers)
    return request.get_response(stage.app.app)


@pytest.fixture
def routes(wsgi):
    """The patterns of all routes."""
    found = wsgi.registry.introspector.get_category("routes")
    patterns = {route["introspectable"]["pattern"] for route in found}
    return sorted("/" + pattern.removeprefix("/") for pattern in patterns if pattern != "/probe")


def visit_all(stage, routes, written, subtests, **variant):
    """Send requests to all routes, check that no record has the mark, and return all records as one text."""
    everything = ""
    for pattern in [*routes, f"/{MARK}"]:
        with subtests.test(pattern):
            current = stage()
            for path, method in itertools.product(paths_of(current, pattern), ["GET", "POST", MARK.upper()]):
                send(current, path, method, **variant)
            lines = written()
            assert [word for word in (MARK, PASSWORD, LINK) if word.lower() in lines.lower()] == []
            everything += lines
    return everything


@pytest.fixture
def stage(wsgi, outside, make_post, make_view):
    """Call `stage(role)`: return a new Stage."""
    return lambda role: Stage(wsgi, outside, make_post, make_view, role)


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_record_contains_what_a_request_brought(variant, stage, routes, written, subtests):
    options, expected = VARIANTS[variant]
    assert expected in visit_all(lambda: stage(ADMINISTRATOR), routes, written, subtests, **options)


def test_no_record_contains_what_a_stranger_sent(stage, routes, written, subtests):
    assert '"sign-in failed"' in visit_all(lambda: stage(STRANGER), routes, written, subtests)


def test_a_refusal_logs_no_path(stage, routes, written, subtests):
    assert '"refused"' in visit_all(lambda: stage(MEMBER), routes, written, subtests)


@pytest.mark.passes_ledger_by
def test_defects_and_a_missing_database_log_no_values(stage, routes, outside, written, subtests):
    visitor = stage(ADMINISTRATOR)
    with outside.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE users RENAME TO people")
    lines = visit_all(lambda: visitor, routes, written, subtests)
    assert "POST /users/new failed" in lines
    assert "sqlalchemy.exc" in lines
    assert "SELECT users.id" in lines


def test_the_message_of_a_defect_is_not_logged(probe, written):
    def view(request):
        try:
            int(MARK)
        except ValueError as error:
            raise RuntimeError(MARK) from error

    probe(view, status=500)
    lines = written()
    assert "builtins.RuntimeError" in lines
    assert "builtins.ValueError" in lines
    assert "int(MARK)" in lines
    assert MARK not in lines


@pytest.mark.parametrize("values", [{"name": MARK, "role": MARK}, {"name": MARK, "email": EMAIL.upper()}])
def test_a_row_that_a_constraint_refuses_is_not_logged(values, probe, make_user, written):
    make_user(email=EMAIL)
    written()
    probe(lambda request: request.dbsession.execute(insert(User).values(values)), status=500)
    lines = written()
    assert "INSERT INTO users" in lines
    assert "IntegrityError" in lines
    assert MARK not in lines.lower()


def test_the_server_logs_no_path(written):
    try:
        raise RuntimeError(MARK)
    except RuntimeError:
        logging.getLogger("waitress").exception(f"Exception while serving /set-password/{MARK}\n{MARK}")
    lines = written()
    assert lines.startswith("waitress Exception while serving a request\n")
    assert MARK not in lines


def test_production_writes_its_log_without_values():
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "production.ini")
    names = parser["handlers"]["keys"].replace(" ", "").split(",")
    formatters = [parser[f"formatter_{parser[f'handler_{name}']['formatter']}"] for name in names]
    assert [formatter.get("class") for formatter in formatters] == ["myproject.logs.Formatter"]
