"""What PostgreSQL servers that replicate each other tell: how far each one is, and which one a connection leads to."""

from typing import Any, NamedTuple

from sqlalchemy import Connection, text

# Commits that do not wait for the disk (synchronous_commit = off) are not in what is flushed yet.
COMMITTED = """
    SELECT system_identifier, (SELECT oid FROM pg_database WHERE datname = current_database()),
        pg_walfile_name(lsn), lsn - '0/0'
    FROM pg_control_system(), (SELECT CASE current_setting('synchronous_commit')
        WHEN 'off' THEN pg_current_wal_insert_lsn() ELSE pg_current_wal_flush_lsn() END AS lsn) AS now
"""
REPLAYED = """
    SELECT system_identifier, (SELECT oid FROM pg_database WHERE datname = current_database()),
        timeline_id, pg_last_wal_replay_lsn() - '0/0'
    FROM pg_control_system(), pg_control_checkpoint() WHERE pg_is_in_recovery()
"""
# `sync_state` is null without the right to see it, which pg_read_all_stats has.
SYNCHRONOUS_STANDBYS = """
    SELECT count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')), count(*) FILTER (WHERE sync_state IS NULL)
    FROM pg_stat_replication
"""


class Position(NamedTuple):
    """A place in the write-ahead log of one database; the log is that of a cluster, since a certain promotion."""

    cluster: int
    database: int
    timeline: int
    lsn: int

    def includes(self, other: "Position") -> bool:
        """Return whether everything before `other` is before this position, too."""
        return self[:3] == other[:3] and self.lsn >= other.lsn


def read_committed(connection: Connection) -> Position:
    """Return a position after everything that the primary server of `connection` has committed."""
    cluster, database, name, lsn = connection.execute(text(COMMITTED)).one()
    # The name of a file of the log begins with the timeline.
    return Position(cluster, database, int(name[:8], 16), int(lsn))


def read_replayed(connection: Connection) -> Position | None:
    """Return the position up to which a standby shows the commits of its primary; `None` if it is no standby.

    The timeline is that of its last restartpoint: the new one is told up to `checkpoint_timeout` after a promotion.
    """
    row = connection.execute(text(REPLAYED)).one_or_none()
    if row is None:
        return None
    cluster, database, timeline, lsn = row
    return Position(cluster, database, timeline, int(lsn))


def name_server(connection: Connection) -> str:
    """Return the server of `connection` as `host:port`."""
    driver: Any = connection.connection.dbapi_connection
    return f"{driver.info.host}:{driver.info.port}"


def is_standby(connection: Connection) -> bool:
    """Return whether the server of `connection` follows another one, and takes no writes."""
    return bool(connection.scalar(text("SELECT pg_is_in_recovery()")))


def count_synchronous_standbys(connection: Connection) -> int | None:
    """Return for how many standbys the commits of a primary wait, or could; `None` if this role may not see it."""
    known, unknown = connection.execute(text(SYNCHRONOUS_STANDBYS)).one()
    return known if known or not unknown else None
