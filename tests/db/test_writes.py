"""Every way to write is committed after a success, rolled back after an error, and refused in a safe request."""

import re

import pytest
from sqlalchemy import select

from myproject.models import User
from tests import postgresql_only

from .writes import WRITES

each_write = pytest.mark.parametrize(("write", "left"), WRITES)


@pytest.fixture(autouse=True)
def john(nobody, make_user):
    """The only user before the write."""
    return make_user("John Doe")


@each_write
def test_a_write_is_committed(write, left, probe, names):
    probe(lambda request: write(request.dbsession), status=200)
    assert names() == left


@each_write
def test_a_write_is_rolled_back_when_the_view_then_raises(write, left, probe, names):
    seen = []

    def view(request):
        write(request.dbsession)
        seen.extend(request.dbsession.scalars(select(User.name).order_by(User.id)))
        raise ValueError

    probe(view, status=500)
    assert (seen, names()) == (left, ["John Doe"])


@each_write
def test_the_database_refuses_a_write_in_a_get_request(write, left, probe, names, caplog):
    probe(lambda request: write(request.dbsession), method="GET", status=500)
    assert names() == ["John Doe"]
    assert re.search("read-?only", caplog.text)


@postgresql_only
def test_the_write_of_a_selected_function_is_committed(probe, writing_function, names):
    probe(lambda request: str(request.dbsession.scalar(writing_function)), status=200)
    assert names() == ["John Doe", "Jane Doe"]


@postgresql_only
def test_the_write_of_a_selected_function_is_rolled_back_when_the_view_then_raises(probe, writing_function, names):
    def view(request):
        request.dbsession.execute(writing_function)
        raise ValueError

    probe(view, status=500)
    assert names() == ["John Doe"]


@postgresql_only
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_selected_function_cannot_write_in_a_safe_request(method, probe, writing_function, names):
    probe(lambda request: str(request.dbsession.scalar(writing_function)), method=method, status=500)
    assert names() == ["John Doe"]
