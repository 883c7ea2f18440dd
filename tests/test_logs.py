"""No log record contains what a request brought: marks in every part of it, for every route, are looked for in all."""

import configparser
import itertools
import json
import logging
import logging.config
import re
import shutil
import threading
import urllib.error
import urllib.request
import warnings
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest
from pyramid.request import Request
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from myproject.logs import Formatter, JsonFormatter, LineFormatter, current_request, logging_lost_errors
from myproject.models import SecurityEvent, User
from myproject.users.imports import jobs
from tests import postgresql_only
from tests.browser import SECRET, served
from tests.conftest import finish_imports, finish_writes
from tests.people import token_of
from tests.signed_in import PASSWORD
from tests.test_permissions import ADMINISTRATOR, FILLED_IN, LINK, MEMBER, STRANGER, Stage
from tests.users.imports.importing import Importing

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs/logs.md").read_text(encoding="utf-8")
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
NAMES = [
    *["User-Agent", "Accept-Language", "Authorization", "X-Request-Id", "If-None-Match", "Via", "Forwarded"],
    *["X-Forwarded-For", "X-Forwarded-Proto", "Range", "Expect"],
]
HEADERS = {**dict.fromkeys(NAMES, f"{MARK}/5.0"), "Referer": f"http://localhost/users?q={MARK}"}
COOKIES = {"theme": MARK, "__Host-language": MARK}
# What else a request may have, for which the site refuses it, and the line that tells so.
VARIANTS = {
    "a valid form": ({}, "sqlalchemy.engine"),
    "no CSRF token": ({"fields": {"csrf_token": MARK}}, '"form refused"'),
    "a form of another site": ({"Origin": f"https://{MARK}.example"}, '"form refused"'),
    "another host": ({"Host": f"{MARK}:{PASSWORD}@example.com"}, "refused the host"),
}


class Written(logging.Handler):
    """Formats each record as `production.ini` does, plain and as JSON, in the thread that has logged it."""

    def __init__(self):
        super().__init__()
        self.formatters = Formatter("%(name)s %(request)s%(message)s"), JsonFormatter()
        self.lines = []

    def emit(self, record):
        self.lines += [formatter.format(record) for formatter in self.formatters]

    def read(self):
        """Return the lines so far, as one text, and forget them."""
        text = "\n".join(self.lines)
        self.lines.clear()
        return text


@pytest.fixture
def written(caplog, monkeypatch):
    """Call `written()`: all records so far as they are written, as one text; they are forgotten."""
    for logger in ("", "myproject", "myproject.access"):
        caplog.set_level(logging.DEBUG, logger)
    # Statements; on DEBUG, SQLAlchemy shows rows to developers who ask for it.
    caplog.set_level(logging.INFO, "sqlalchemy.engine")
    # Every request is slow.
    monkeypatch.setattr("myproject.web.access.time", SimpleNamespace(perf_counter=itertools.count(0, 10).__next__))
    handler = Written()
    logging.getLogger().addHandler(handler)
    yield handler.read
    logging.getLogger().removeHandler(handler)


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
            assert "myproject.access" in lines
            assert " took 10.0 s: " in lines
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


def refused_row(dbsession):
    """Add a row that a constraint refuses; PostgreSQL quotes it in the DETAIL of its message."""
    dbsession.execute(insert(User).values(name=MARK, role=MARK))


def fail():
    """Raise an error whose message quotes a value."""
    raise ValueError(MARK)


FAILURES = {
    "in the flush before the commit": (
        lambda request: request.dbsession.add(User(name=MARK, role=MARK)),
        "sqlalchemy.exc.IntegrityError in INSERT INTO users",
    ),
    "in its own transaction": (
        lambda request: request.in_own_transaction(refused_row),
        "a write in its own transaction failed\n",
    ),
    "after the commit": (lambda request: request.after_commit(fail), "Error in hook exec"),
    "after the answer": (lambda request: request.after_answer(refused_row), "a write after the answer was dropped\n"),
}


@pytest.mark.parametrize("when", FAILURES)
def test_a_failure_is_logged_without_values_and_under_its_request(when, probe, wsgi, written):
    go_wrong, expected = FAILURES[when]

    def view(request):
        go_wrong(request)
        return "Hello"

    written()
    answer = probe(view, status="*", expect_errors=True)
    finish_writes(wsgi)
    lines = written()
    assert expected in lines
    assert MARK not in lines
    assert requests_of(lines) == {answer.headers["X-Request-Id"]}


def requests_of(lines):
    """Return the ids of requests that JSON lines name."""
    return {json.loads(line)["request"] for line in lines.splitlines() if line.startswith("{")}


QUOTED_BY_POSTGRESQL = {
    "a text that is no number": (["SELECT CAST(:value AS integer)"], "DataError in SELECT CAST"),
    "a key that is there twice, at the COMMIT": (
        [
            "CREATE TABLE canary (name text UNIQUE DEFERRABLE INITIALLY DEFERRED)",
            "INSERT INTO canary VALUES (:value), (:value)",
        ],
        "sqlalchemy.exc.IntegrityError",
    ),
    "the details of an unavailable database": (
        [
            "SELECT set_config('canary.value', :value, true)",
            "DO $$ BEGIN RAISE 'no room' USING ERRCODE = '53100', DETAIL = current_setting('canary.value'); END $$",
        ],
        "the database is unavailable: no room",
    ),
    "the details of a deadlock": (
        [
            "SELECT set_config('canary.value', :value, true)",
            "DO $$ BEGIN RAISE 'dead' USING ERRCODE = '40P01', DETAIL = current_setting('canary.value'); END $$",
        ],
        "the database is unavailable: dead",
    ),
}


@postgresql_only
@pytest.mark.parametrize("what", QUOTED_BY_POSTGRESQL)
def test_what_postgresql_quotes_is_not_logged(what, probe, written):
    statements, expected = QUOTED_BY_POSTGRESQL[what]

    def view(request):
        for statement in statements:
            request.dbsession.execute(text(statement), {"value": MARK} if ":value" in statement else {})

    written()
    probe(view, status="*", expect_errors=True)
    lines = written()
    assert expected in lines
    assert MARK not in lines


@postgresql_only
def test_the_traceback_of_an_unavailable_database_has_the_first_line_of_its_message(probe, written):
    statements, _ = QUOTED_BY_POSTGRESQL["the details of an unavailable database"]

    def write(dbsession):
        for statement in statements:
            dbsession.execute(text(statement), {"value": MARK} if ":value" in statement else {})

    written()
    probe(lambda request: request.after_answer(write) or "Hello")
    lines = written()
    assert "sqlalchemy.exc.OperationalError: no room in DO $$" in lines
    assert MARK not in lines


def test_an_import_that_fails_is_logged_without_values_and_under_its_key(app, wsgi, written, monkeypatch):
    importing = Importing(app)
    importing.upload(f"name,email\n{MARK},{EMAIL}\n".encode(), filename=f"{MARK}.csv")
    monkeypatch.setattr(jobs, "apply", lambda dbsession, *_: refused_row(dbsession))
    written()
    importing.page.forms["record"].submit(status=303)
    finish_imports(wsgi)
    lines = written()
    assert "an import has failed\n" in lines
    assert MARK not in lines
    failed = [json.loads(line) for line in lines.splitlines() if '"an import has failed"' in line]
    assert [line["request"] for line in failed] == [importing.job.key]


def test_neither_a_file_nor_its_name_is_logged(app, written):
    importing = Importing(app)
    written()
    for content in f"name,email\n{MARK},{MARK}\n".encode(), b"PK" + MARK.encode(), MARK.encode():
        importing.upload(content, filename=f"{MARK}.csv", status="*")
    boundary = {"Content-Type": f'multipart/form-data; boundary="{MARK}"'}
    app.post("/users/import", f"--{MARK}\r\n{MARK}", headers=boundary, status=400)
    lines = written()
    assert "POST /users/import 400" in lines
    assert MARK not in lines


def test_a_warning_is_logged_without_its_text(caplog):
    logging.captureWarnings(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            formatter = Formatter("%(name)s %(message)s")
            warnings.warn(f"no such {MARK}\n{MARK}: {MARK}", stacklevel=1)
        [record] = caplog.records
        line = formatter.format(record)
        assert re.fullmatch(rf"py\.warnings .*{Path(__file__).name}:\d+: UserWarning", line)
    finally:
        logging.captureWarnings(False)


def test_what_python_would_print_is_logged_without_values(written, capsys):
    class Failing:
        def __del__(self):
            int(MARK)

    with logging_lost_errors():
        thread = threading.Thread(target=int, args=[MARK], name="import")
        thread.start()
        thread.join()
        Failing()
    lines = written()
    assert "import has failed" in lines
    assert "Failing.__del__ was ignored" in lines
    assert "builtins.ValueError" in lines
    assert MARK not in lines + "".join(capsys.readouterr())


def test_an_error_that_is_its_own_cause_is_logged_once(written):
    try:
        error = ValueError(MARK)
        raise error from error
    except ValueError:
        logging.getLogger("myproject").exception("failed")
    assert written().count("builtins.ValueError") == 2  # One for each format.


QUOTED_BY_WAITRESS = {
    f"Exception while serving /set-password/{MARK}\n{MARK}": "Exception while serving a request",
    f"Client disconnected while serving /{MARK}": "Client disconnected while serving a request",
    f'Malformed proxy header "Forwarded" from "{MARK}": {MARK} value: {MARK}': "Malformed proxy header",
    f"Unknown Forwarded token: {MARK}": "Unknown Forwarded token",
    f"uncaptured python exception, closing channel <x> (<class 'ValueError'>:{MARK} [/a.py|f|1])": (
        "uncaptured python exception <class 'ValueError'>"
    ),
    "Task queue depth is 3": "Task queue depth is 3",
}


@pytest.mark.parametrize("message", QUOTED_BY_WAITRESS)
def test_the_server_logs_nothing_of_a_request(message, written):
    try:
        fail()
    except ValueError:
        logging.getLogger("waitress").exception(message)
    lines = written()
    # One that works for no request.
    assert re.search(rf"^waitress (request \w+: )?{re.escape(QUOTED_BY_WAITRESS[message])}$", lines, re.MULTILINE)
    assert MARK not in lines


def formatted(formatter, message, *arguments, **values):
    """Return `message` as the formatter writes it."""
    return formatter.format(logging.makeLogRecord({"name": "a", "msg": message, "args": arguments, **values}))


@pytest.mark.parametrize("formatter", [LineFormatter("%(name)s %(message)s"), Formatter("%(name)s %(message)s")])
def test_no_text_in_a_record_looks_like_another_record(formatter):
    text = formatted(formatter, "%s", "Hello\na forged\r\x1b[31m\x85\u2028\u202e\x00\ttab 김철수 é")
    assert text == "a Hello\n    a forged\\r\\x1b[31m\\x85\\u2028\\u202e\\x00\ttab 김철수 é"


def test_a_record_is_one_line_of_json_in_ascii():
    text = formatted(JsonFormatter(), "%s", "Hello\na\r\x1b\u2028 김철수")
    assert text.isascii()
    assert text.isprintable()
    assert json.loads(text)["message"] == "Hello\na\r\x1b\u2028 김철수"


def test_the_time_of_json_is_in_utc_with_milliseconds():
    assert json.loads(formatted(JsonFormatter(), "", created=1_796_117_412.3456))["time"] == "2026-12-01T09:30:12.345Z"


def test_json_has_the_keys_of_a_request_and_of_an_event(app, make_user, caplog):
    caplog.set_level(logging.INFO, "myproject.access")
    user = make_user()
    form = app.get(f"/users/{user.id}/edit").forms["record"]
    form["role"] = "editor"
    caplog.clear()
    answer = form.submit(status=303)
    lines = {record.name: json.loads(JsonFormatter().format(record)) for record in caplog.records}
    basic = {"level": "INFO", "request": answer.headers["X-Request-Id"]}
    assert lines["myproject.access"].items() >= {**basic, "route": "/users/{id}/edit", "status": 303, "user": 0}.items()
    event = {**basic, "message": "account changed", "event": "account changed", "by": 0, "user": user.id}
    assert lines["myproject.security"].items() >= event.items()


@pytest.mark.parametrize("formatter", [Formatter("%(name)s %(message)s"), JsonFormatter()])
def test_a_message_that_cannot_be_formatted_is_named_by_its_place(formatter, capsys):
    text = formatted(formatter, "%d", MARK, pathname="some.py", lineno=7)
    assert "a message of some.py:7 that cannot be formatted" in text
    assert MARK not in text


def test_outside_of_a_request_a_line_names_none():
    with_request = LineFormatter("%(request)s%(message)s")
    token = current_request.set("")
    try:
        assert formatted(with_request, "Hello") == "Hello"
        assert json.loads(formatted(JsonFormatter(), "Hello"))["request"] is None
    finally:
        current_request.reset(token)


def test_an_event_the_answer_and_the_log_have_the_same_request(stranger, wsgi, outside, written):
    form = stranger.get("/signin").forms["record"]
    form["email"], form["password"] = EMAIL, MARK
    written()
    number = form.submit(status=422).headers["X-Request-Id"]
    finish_writes(wsgi)
    with Session(outside) as session:
        assert session.scalars(select(SecurityEvent.request_id)).all() == [number]
    assert requests_of(written()) == {number}


@pytest.fixture
def json_server(migrated_sqlite, tmp_path):
    """A running server with production.ini, in which the line that docs/logs.md names is changed."""
    documented = re.search(r"^    (class = .*)$", DOCUMENT, re.MULTILINE)[1]
    ini = (ROOT / "production.ini").read_text(encoding="utf-8")
    assert f"# {documented}\n" in ini
    changed = re.sub(r"^class = myproject\.logs\..*$", documented, ini, flags=re.MULTILINE)
    assert sum(a != b for a, b in zip(ini.splitlines(), changed.splitlines(), strict=True)) == 1
    (tmp_path / "production.ini").write_text(changed, encoding="utf-8")
    url = f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'test.sqlite')}"
    environ = {"MYPROJECT_SECRET": SECRET}
    with served("production.ini", url, tmp_path / "printed", cwd=tmp_path, **environ) as server:
        yield server


def test_one_line_of_the_ini_file_makes_the_log_json(json_server):
    with urllib.request.urlopen(f"{json_server.url}/signin?{urlencode(QUERY)}") as answer:
        number = answer.headers["X-Request-Id"]
    for path, headers in {"/nowhere": {}, "/signin": {"Host": "elsewhere.example"}, "/%ff": {}}.items():
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(urllib.request.Request(f"{json_server.url}{path}", headers=headers))
    urllib.request.urlopen(f"{json_server.url}/static/site.css").close()
    printed = json_server.printed.read_text(encoding="utf-8")
    # pserve itself prints one line, to standard output.
    lines = [json.loads(line) for line in printed.splitlines() if not line.startswith("Starting server in PID")]
    assert MARK not in printed
    assert [line["message"].partition(" on ")[0] for line in lines if line["request"] is None] == ["serving"]
    answered = [line for line in lines if line["logger"] == "myproject.access"]
    assert [(line["route"], line["status"]) for line in answered] == [
        ("/signin", 200),
        (None, 404),
        (None, 400),
        (None, 400),
    ]
    first = answered[0]
    assert (first["request"], first["method"], first["attempts"], first["user"]) == (number, "GET", 1, None)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["time"])


@pytest.mark.parametrize("ini", ["development.ini", "production.ini"])
def test_each_line_of_both_ini_files_has_its_request(ini):
    parser = configparser.RawConfigParser()
    parser.read(ROOT / ini)
    assert "%(request)s%(message)s" in parser["formatter_generic"]["format"]
    assert parser["formatter_generic"]["class"].startswith("myproject.logs.")


@pytest.mark.parametrize("ini", ["development.ini", "production.ini"])
def test_one_block_of_the_ini_file_turns_the_lines_of_requests_off(ini, restored_levels):
    documented = re.search(r"^    \[(logger_access)\]\n    level = (.*)$", DOCUMENT, re.MULTILINE)
    parser = configparser.RawConfigParser()
    parser.read(ROOT / ini)
    access, others = logging.getLogger("myproject.access"), logging.getLogger("myproject.web.access")
    configure(parser)
    assert (access.isEnabledFor(logging.DEBUG), access.isEnabledFor(logging.INFO)) == (False, True)
    parser[documented[1]]["level"] = documented[2]
    configure(parser)
    assert (access.isEnabledFor(logging.INFO), others.isEnabledFor(logging.WARNING)) == (False, True)


@pytest.fixture
def restored_levels():
    """The configuration of the log is restored at the end."""
    loggers = [logging.getLogger(name) for name in ("", "myproject", "myproject.access", "waitress.queue")]
    before = [(logger, logger.level, list(logger.handlers), logger.propagate) for logger in loggers]
    yield
    for logger, level, handlers, propagate in before:
        logger.setLevel(level)
        logger.handlers[:], logger.propagate = handlers, propagate


def configure(parser):
    """Configure the log as the ini file says."""
    logging.config.fileConfig(parser, disable_existing_loggers=False)


def test_production_writes_its_log_without_values():
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "production.ini")
    names = parser["handlers"]["keys"].replace(" ", "").split(",")
    formatters = [parser[f"formatter_{parser[f'handler_{name}']['formatter']}"] for name in names]
    assert [formatter.get("class") for formatter in formatters] == ["myproject.logs.Formatter"]
