"""What two servers tell about how far they are; the servers of test_standby.py and test_takeover.py tell it, too."""

import pytest

from myproject.db import get_engine
from myproject.db.replication import (
    Position,
    count_synchronous_standbys,
    is_standby,
    name_server,
    read_committed,
    read_replayed,
)

from ..standby import running_pair, set_synchronous, wait_until

HERE = Position(cluster=1, database=2, timeline=3, lsn=4)


@pytest.mark.parametrize("lsn", [3, 4])
def test_a_position_includes_itself_and_earlier_ones(lsn):
    assert HERE.includes(HERE._replace(lsn=lsn))


@pytest.mark.parametrize("change", [{"lsn": 5}, {"cluster": 9}, {"database": 9}, {"timeline": 2}, {"timeline": 4}])
def test_a_position_includes_no_later_one_and_none_of_another_log(change):
    assert not HERE.includes(HERE._replace(**change))


@pytest.fixture(scope="module")
def pair(postgresql):
    """A primary, whose commits wait for its standby, and a role without any right."""
    with running_pair() as pair:
        pair.primary.execute("CREATE ROLE anybody LOGIN")
        yield pair


def asked(server, question, user="postgres"):
    """Return the answer of `question(connection)` by this server."""
    engine = get_engine(server.url().replace("postgres@", f"{user}@"))
    with engine.connect().execution_options(read_only=True) as connection:
        answer = question(connection)
    engine.dispose()
    return answer


def test_a_standby_is_told_from_a_primary(pair):
    assert [asked(server, is_standby) for server in (pair.primary, pair.standby)] == [False, True]
    assert asked(pair.standby, name_server) == f"127.0.0.1:{pair.standby.port}"


def test_how_far_they_are_can_be_asked_by_every_role(pair):
    committed = asked(pair.primary, read_committed, "anybody")
    assert committed.timeline == 1
    wait_until(lambda: asked(pair.standby, read_replayed, "anybody").includes(committed))
    assert asked(pair.primary, read_replayed) is None


def test_commits_that_do_not_wait_for_the_disk_count_as_well(pair):
    def commit_and_ask(connection):
        connection.exec_driver_sql("SET synchronous_commit = off")
        before = read_committed(connection)
        pair.primary.execute("SET synchronous_commit = off", "SELECT pg_logical_emit_message(true, '', 'x')")
        return before, read_committed(connection)

    before, after = asked(pair.primary, commit_and_ask)
    assert after.includes(before)
    assert not before.includes(after)


def test_the_standbys_that_commits_wait_for_are_counted(pair):
    assert asked(pair.primary, count_synchronous_standbys) == 1
    assert asked(pair.primary, count_synchronous_standbys, "anybody") is None
    set_synchronous(pair.primary, "")
    wait_until(lambda: asked(pair.primary, count_synchronous_standbys) == 0)


def test_after_a_takeover_the_timeline_is_another_one(pair):
    before = asked(pair.primary, read_committed)
    pair.take_over()
    after = asked(pair.primary, read_committed)
    assert (after.timeline, after.includes(before), before.includes(after)) == (2, False, False)
