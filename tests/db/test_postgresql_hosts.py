"""The order in which the servers of a URL are tried."""

from types import SimpleNamespace

import pytest

from myproject.db.postgresql_hosts import LastHostFirst


def last(host, port):
    """Return the hosts after a connection to this one."""
    hosts = LastHostFirst()
    hosts.remember(SimpleNamespace(info=SimpleNamespace(host=host, port=port)))
    return hosts


def test_at_first_the_order_is_that_of_the_url():
    assert LastHostFirst().order({"host": "a,b", "port": "1,2"}) == {"host": "a,b", "port": "1,2"}


@pytest.mark.parametrize(
    ("host", "port", "given", "tried"),
    [
        ("b", 2, ("a,b,c", "1,2,3"), ("b,a,c", "2,1,3")),
        ("a", 1, ("a,b", "1,2"), ("a,b", "1,2")),
        ("a", 2, ("a,a", "1,2"), ("a,a", "2,1")),
        ("b", 5432, ("a,b", "1,"), ("b,a", ",1")),
        ("b", 7, ("a,b", "7"), ("b,a", "7,7")),
        ("gone", 1, ("a,b", "1,2"), ("a,b", "1,2")),
    ],
)
def test_the_last_server_is_tried_first_on_its_own_port(host, port, given, tried):
    arguments = {"host": given[0], "port": given[1], "user": "ada"}
    assert last(host, port).order(arguments) == {"host": tried[0], "port": tried[1], "user": "ada"}


@pytest.mark.parametrize(
    "arguments", [{"host": "a", "port": 1}, {"port": 1}, {}, {"host": "a,b", "hostaddr": "127.0.0.1,127.0.0.2"}]
)
def test_everything_else_is_left_as_it_is(arguments):
    assert last("b", 2).order(arguments) == arguments


def test_hosts_without_ports_keep_the_default_port():
    assert last("b", 5432).order({"host": "a,b"}) == {"host": "b,a", "port": ","}
