"""The path of a request's entry, which the panel of the debug toolbar links to."""

import pytest

from myproject.models import User


@pytest.fixture
def entry_path(probe):
    """Call `entry_path(view)`: run the view as a page, and return the path of its entry, asked for after the commit."""
    found = []

    def run(view):
        def asking(request):
            request.add_finished_callback(lambda request: found.append(request.registry["entry_path_of"](request)))
            return view(request)

        probe(asking)
        return found[-1]

    return run


def test_the_entry_of_a_request_is_found(entry_path, entries, execute_as):
    path = entry_path(lambda request: request.dbsession.add(User(name="Jane Doe")))
    execute_as("UPDATE users SET age = 31", request_id="another request")
    assert path == f"/history/{entries()[0].id}"


def test_a_request_that_changes_nothing_has_no_entry(entry_path):
    assert entry_path(lambda request: "Hello") is None
