"""However a view writes: a yes keeps it, a no drops it, and a request that may only read cannot do it."""

import re

import pytest
from sqlalchemy import select

from myproject.models import User

from .writes import WRITES

pytestmark = pytest.mark.parametrize(("write", "left"), WRITES)


@pytest.fixture(autouse=True)
def john(make_user):
    """The one user that there is before the write."""
    return make_user("John Doe")


def test_a_write_is_committed(write, left, probe, names):
    probe(lambda request: write(request.dbsession), status=200)
    assert names() == left


def test_a_write_is_aborted_when_the_view_then_raises(write, left, probe, names):
    seen = []

    def view(request):
        write(request.dbsession)
        seen.extend(request.dbsession.scalars(select(User.name).order_by(User.id)))
        raise ValueError

    probe(view, status=500)
    assert (seen, names()) == (left, ["John Doe"])


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_write_is_refused_by_the_database_in_a_safe_request(write, left, method, probe, names, caplog):
    probe(lambda request: write(request.dbsession), method=method, status=500)
    assert names() == ["John Doe"]
    assert re.search("read-?only", caplog.text)
