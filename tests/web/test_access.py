"""Each request is measured once, however often it is tried, and whoever answers it."""

import pytest
from pyramid.httpexceptions import HTTPFound
from pyramid.request import Request
from pyramid_retry import RetryableException

from myproject.web.access import RequestFinished, name_route


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


def test_attempts_are_one_request(probe, finished):
    attempts = []

    def view(request):
        attempts.append(request)
        if len(attempts) < 3:
            raise RetryableException
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
