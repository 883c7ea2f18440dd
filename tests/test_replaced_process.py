"""Two processes of one site, scraped by their ports, of which one is replaced: the increases are exact."""

import random

import pytest

from myproject.models import User
from tests import signed_in
from tests.stress.clients import Browser
from tests.stress.servers import OURS, SECRET, Server

from .monitoring import samples_of

PAGE = ("myproject_requests_total", ("method", "GET"), ("route", "users.new"), ("status", "200"))
SAVED = ("myproject_requests_total", ("method", "POST"), ("route", "users.new"), ("status", "303"))
REFUSED = ("myproject_requests_total", ("method", "POST"), ("route", "users.new"), ("status", "422"))
COMMITTED = ("myproject_transactions_total", ("outcome", "committed"), ("reason", ""))
ROLLED_BACK = ("myproject_transactions_total", ("outcome", "rolled back"), ("reason", "status"))
COUNTERS = (PAGE, SAVED, REFUSED, COMMITTED, ROLLED_BACK)


@pytest.fixture
def start(database_url, tmp_path):
    """Call `start()`: start a process on the database of the test, which is killed at its end."""
    servers = []

    def run():
        servers.append(Server(tmp_path, database_url, OURS))
        servers[-1].wait_until_ready()
        return servers[-1]

    yield run
    for server in servers:
        server.kill()


def browser_of(server):
    return Browser([server.port], {"__Host-session": signed_in.cookie(SECRET)}, random)


def scrape(server):
    """Return the counters of a process, as Prometheus asks for them: by its address and port."""
    browser = Browser([server.port], {}, random)
    status, _location, text = browser.send("GET", "/metrics")
    browser.close()
    assert status == 200
    samples = samples_of(text)
    return [samples.get(counter, 0) for counter in COUNTERS]


def visit(server, saved, refused):
    """Send `saved` forms that are valid, and `refused` ones that are not."""
    browser = browser_of(server)
    for number in range(saved + refused):
        form = {**browser.form("/users/new"), "name": "Ada" if number < saved else ""}
        assert browser.send("POST", "/users/new", form)[0] == (303 if number < saved else 422)
    browser.close()


def test_increases_are_exact_across_a_replaced_process(start, rows):
    first, second = start(), start()
    visit(first, saved=3, refused=2)
    visit(second, saved=1, refused=0)
    assert scrape(first) == [5, 3, 2, 3, 2]
    before = scrape(second)
    assert before == [1, 1, 0, 1, 0]
    visit(second, saved=2, refused=1)
    grown = scrape(second)
    assert [after - earlier for after, earlier in zip(grown, before, strict=True)] == [3, 2, 1, 2, 1]
    first.stop()
    first.start()
    first.wait_until_ready()
    # It has not counted the requests of the process before it, and nothing twice.
    assert scrape(first) == [0, 0, 0, 0, 0]
    visit(first, saved=4, refused=1)
    assert scrape(first) == [5, 4, 1, 4, 1]
    assert scrape(second) == grown
    assert len(rows(User)) == 3 + 1 + 2 + 4
