"""Each request is measured, logged and counted once, however often it is tried, also if no view has answered it."""

import logging
import time
from types import SimpleNamespace

import pytest
from pyramid.httpexceptions import HTTPConflict, HTTPFound
from pyramid.request import Request
from pyramid_retry import RetryableException

from myproject.models import Entry, User
from myproject.web.access import RequestFinished, name_route
from tests.db.test_retry import twice_failing


@pytest.fixture
def finished(wsgi, monkeypatch):
    """What the application publishes of finished requests: `(route, status, seconds)`."""
    published, registry = [], wsgi.registry
    notify = registry.notify

    def hear(*events):
        for event in events:
            if isinstance(event, RequestFinished):
                published.append((name_route(event.request), event.status, event.seconds))
        return notify(*events)

    monkeypatch.setattr(registry, "notify", hear)
    return published


@pytest.fixture
def lines(caplog):
    """Call `lines(logger)`: its records so far as `(level, fields)`, with the message; all records are forgotten."""
    caplog.set_level(logging.DEBUG, "myproject.access")

    def read(logger="myproject.access"):
        found = [
            (record.levelname, {**record.fields, "message": record.getMessage()})
            for record in caplog.records
            if record.name == logger
        ]
        caplog.clear()
        return found

    return read


def add(request):
    request.dbsession.add(User(name="Jane Doe"))


def test_every_answer_is_measured(app, stranger, finished):
    app.get("/users")
    stranger.get("/users", status=303)
    app.get("/nowhere", status=404)
    app.get("/static/site.css")
    app.get("/signin", extra_environ={"HTTP_HOST": "elsewhere.example"}, status=400)
    # WebTest could not read it either.
    assert Request.blank("/%ff").get_response(app.app).status_int == 400
    assert [(route, status) for route, status, _seconds in finished] == [
        ("users.list", 200),
        ("users.list", 303),
        ("none", 404),
        ("static", 200),
        ("none", 400),
        ("none", 400),
    ]
    assert all(0 < seconds < 60 for *_, seconds in finished)


class RetryableConflict(RetryableException, HTTPConflict):
    """An error that has a page already at the first attempt."""


@pytest.mark.parametrize("error", [RetryableException, RetryableConflict])
def test_attempts_are_one_request(error, probe, finished):
    attempts = []

    def view(request):
        attempts.append(request)
        if len(attempts) < 3:
            raise error
        return HTTPFound("/")

    probe(view, status=302)
    assert len(attempts) == 3
    assert [(route, status) for route, status, _seconds in finished] == [("probe", 302)]


def test_the_last_attempt_is_measured_if_it_fails(probe, finished):
    def view(request):
        raise RetryableException

    probe(view, status=503)
    assert [(route, status) for route, status, _seconds in finished] == [("probe", 503)]


def test_a_defect_is_measured(probe, finished):
    probe(lambda request: 1 / 0, status=500)
    assert [(route, status) for route, status, _seconds in finished] == [("probe", 500)]


def test_a_request_is_logged_with_all_that_a_program_needs(app, make_user, lines):
    user = make_user()
    app.get(f"/users/{user.id}?q=secret")
    [(level, fields)] = lines()
    assert level == "INFO"
    assert 0 < fields["ms"] < 60_000
    assert fields == {
        "method": "GET",
        "route": "/users/{id}",
        "status": 200,
        "ms": fields["ms"],
        "outcome": "read-only",
        "attempts": 1,
        "user": 0,
        "message": f"GET /users/{user.id} 200 in {fields['ms']} ms by user 0: read-only",
    }


def test_a_stranger_is_nobody(stranger, lines):
    stranger.get("/signin")
    [(_, fields)] = lines()
    assert fields["user"] is None
    assert fields["message"].startswith("GET /signin 200 in ")
    assert " by user" not in fields["message"]


def test_a_request_that_was_tried_again_is_one_line_with_the_time_of_all_attempts(probe, lines, monkeypatch):
    monkeypatch.setattr("myproject.db.retry.pause", lambda _: time.sleep(0.02))
    probe(twice_failing(add))
    [(_, fields)] = lines()
    assert fields["attempts"] == 3
    assert fields["outcome"] == "committed on attempt 3 of 5 after a lost race: 1 user added"
    assert fields["ms"] > 40


@pytest.mark.parametrize(
    ("path", "headers", "page", "status"),
    [
        ("/nowhere/secret", {}, "GET, no page", 404),
        ("/%ff", {}, "GET, no page", 400),
        ("/users", {"Host": "elsewhere.example"}, "GET, no page", 400),
        ("/users/secret", {}, "GET /users/{id}", 404),
    ],
)
def test_a_request_that_is_refused_is_logged_without_its_path(path, headers, page, status, app, lines):
    headers = {"Cookie": f"session={app.cookies['session']}", **headers}
    Request.blank(path, headers=headers).get_response(app.app)
    [(level, fields)] = lines()
    assert (level, fields["status"]) == ("INFO", status)
    assert fields["message"].startswith(f"{page} {status} in ")


def test_static_files_are_logged_for_developers_only(app, lines):
    app.get("/static/site.css")
    app.get("/static/missing.css", status=404)
    assert [(level, fields["status"]) for level, fields in lines()] == [("DEBUG", 200), ("INFO", 404)]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_are_logged_for_developers_only(path, wsgi, lines):
    request = Request.blank(path, environ={"REMOTE_ADDR": "127.0.0.1"})
    assert request.get_response(wsgi).status_int == 200
    stranger = Request.blank(path, environ={"REMOTE_ADDR": "192.0.2.1"})
    status = stranger.get_response(wsgi).status_int
    assert status >= 400
    assert [(level, fields["status"]) for level, fields in lines()] == [("DEBUG", 200), ("INFO", status)]


def test_a_defect_is_logged_with_what_became_of_its_transaction(probe, lines):
    def view(request):
        add(request)
        raise KeyError("a value")

    probe(view, status=500)
    [(_, fields)] = lines()
    assert (fields["status"], fields["outcome"]) == (500, "rolled back: an exception, KeyError")


def test_an_error_that_leaves_all_tweens_is_logged_as_500(app, lines, monkeypatch):
    # The tween of the headers is around the exception views.
    monkeypatch.setattr("myproject.web.headers.add_security_headers", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        app.get("/users")
    [(_, fields)] = lines()
    assert (fields["status"], fields["route"]) == (500, "/users")


def test_an_error_of_those_who_count_does_not_replace_the_answer(app, wsgi, monkeypatch, caplog):
    notify = wsgi.registry.notify

    def fail(*events):
        if isinstance(events[0], RequestFinished):
            raise RuntimeError
        return notify(*events)

    monkeypatch.setattr(wsgi.registry, "notify", fail)
    app.get("/users", status=200)
    assert "a request was answered, but not logged or counted" in caplog.messages


@pytest.fixture
def slow(settings):
    """The application takes requests for slow after a second, its default."""
    assert "requests.slow_seconds" not in settings


def pretend(monkeypatch, *seconds):
    """Let the clock of the tween show these `seconds`, one after the other."""
    monkeypatch.setattr("myproject.web.access.time", SimpleNamespace(perf_counter=iter(seconds).__next__))


@pytest.mark.usefixtures("slow")
def test_a_slow_request_is_a_warning_with_what_became_of_it(app, lines, monkeypatch, log_lines):
    pretend(monkeypatch, 100, 102.34)
    answer = app.get("/users")
    assert f"request {answer.headers['X-Request-Id']}: GET /users took 2.3 s: read-only" in log_lines()
    [(level, fields)] = lines("myproject.web.access")
    assert (level, fields["route"], fields["ms"]) == ("WARNING", "/users", 2340)


@pytest.mark.usefixtures("slow")
def test_a_slow_request_tells_the_time_of_its_failed_attempts(probe, lines, monkeypatch):
    pretend(monkeypatch, 100, 101, 103, 103.4)
    probe(twice_failing(add))
    [(_, fields)] = lines("myproject.web.access")
    assert fields["message"] == (
        "POST /probe took 3.4 s, 3.0 s of it before the last attempt: "
        "committed on attempt 3 of 5 after a lost race: 1 user added"
    )


@pytest.mark.usefixtures("slow")
def test_a_request_of_a_second_is_not_slow(app, lines, monkeypatch):
    pretend(monkeypatch, 100, 101)
    app.get("/users")
    assert lines("myproject.web.access") == []


def test_a_setting_says_what_is_slow(settings, request, lines, monkeypatch):
    settings["requests.slow_seconds"] = "3"
    app = request.getfixturevalue("app")
    lines()
    pretend(monkeypatch, 100, 103, 200, 203.1)
    app.get("/users")
    assert lines("myproject.web.access") == []
    app.get("/users")
    assert [level for level, _ in lines("myproject.web.access")] == ["WARNING"]


@pytest.mark.parametrize("path", ["/users", "/", "/nowhere", "/static/site.css", "/users?cursor=broken"])
def test_every_answer_names_its_request(path, app):
    first, second = (app.get(path, expect_errors=True).headers["X-Request-Id"] for _ in range(2))
    assert len(first) == len(second) == 32
    assert first != second


def test_the_id_of_a_request_is_never_the_client_s(app):
    assert app.get("/users", headers={"X-Request-Id": "mine"}).headers["X-Request-Id"] != "mine"


@pytest.mark.parametrize("path", ["/%ff", "/users"])
def test_an_answer_that_is_refused_early_names_its_request(path, wsgi):
    answer = Request.blank(path, headers={"Host": "elsewhere.example"}).get_response(wsgi)
    assert (answer.status_int, len(answer.headers["X-Request-Id"])) == (400, 32)


def test_the_answer_the_log_and_the_history_have_the_same_id(app, rows, caplog, log_lines):
    caplog.set_level(logging.INFO, "myproject.access")
    form = app.get("/users/new").forms["record"]
    form["name"] = "Jane Doe"
    saved = form.submit(status=303).headers["X-Request-Id"]
    assert [line for line in log_lines() if line.startswith(f"request {saved}: POST /users/new 303 in ")]
    assert rows(Entry)[-1].request_id == saved
