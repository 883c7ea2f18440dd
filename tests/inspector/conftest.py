"""Fixtures for the tests of the inspector."""

import pytest

from tests.db.conftest import connected, engine, impatient, port, proxy, writer  # noqa: F401


@pytest.fixture
def inspected(settings):
    """Add the recording of requests to the application; request it before `wsgi`, `app` or `probe`."""
    settings["pyramid.includes"] = "tests.probe tests.inspector.around"


@pytest.fixture
def record(inspected, probe, wsgi):
    """Call `record(view, method="POST")`: run `view(request)` as a page, and return the Record of the request.

    If an error leaves the application, `record.last()` returns it.
    """

    def run(view, method="POST", **options):
        wsgi.registry["records"].clear()
        probe(view, method, **{"status": "*", "expect_errors": True, **options})
        return wsgi.registry["records"][-1]

    run.last = lambda: wsgi.registry["records"][-1]
    return run
