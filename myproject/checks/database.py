"""Checks of the database: what `/readyz` finds, the rights of the role, the clock, and how many may connect."""

import time
from collections.abc import Iterator

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from ..db.replication import is_standby
from ..readiness import OK, WARNING, WRONG, Finding, examine, most_connections, probing_engine
from ..schema import explain
from ..signin.models import ANY_USER_WHO_CAN_SIGN_IN
from .site import Site, is_local

# Beyond it, moments of the database and of this process come in another order than they happened.
LARGEST_CLOCK_DIFFERENCE_SECONDS = 5

ROLE = text("""
    SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls AS is_powerful,
      has_schema_privilege(current_schema(), 'CREATE') AS may_create,
      coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS is_encrypted,
      host(inet_server_addr()) AS server_address
    FROM pg_roles WHERE rolname = current_user
""")
LIMITS = text("""
    SELECT current_setting('max_connections')::integer
      - current_setting('superuser_reserved_connections')::integer AS most
""")


def readiness(site: Site) -> Iterator[Finding]:
    """Check what `/readyz` of a server checks."""
    yield from examine(probing_engine(site.settings["sqlalchemy.url"]), site.settings).findings


def details(site: Site) -> Iterator[Finding]:
    """Check what only a database that answers can tell."""
    engine = probing_engine(site.settings["sqlalchemy.url"])
    if not examine(engine, site.settings).is_ready:
        yield Finding("database", WARNING, "rights, clock and administrator cannot be checked before that")
        return
    with engine.connect().execution_options(read_only=True) as connection:
        if connection.scalar(ANY_USER_WHO_CAN_SIGN_IN) is None:
            yield Finding("administrator", WARNING, f"nobody can sign in yet; run `create_admin {site.path} EMAIL`")
        else:
            yield Finding("administrator", OK, "somebody can sign in")
        if connection.dialect.name == "sqlite":
            yield Finding("clock", OK, "the database has the clock of this machine")
        else:
            yield _clock(connection)
            yield from _rights(connection)
            yield _connections(connection, most_connections(site.settings))


def _clock(connection: Connection) -> Finding:
    before = time.time()
    stored = float(connection.scalar(text("SELECT extract(epoch FROM clock_timestamp())")) or 0)
    after = time.time()
    difference = stored - after if stored > after else min(0.0, stored - before)
    if abs(difference) <= LARGEST_CLOCK_DIFFERENCE_SECONDS:
        return Finding("clock", OK, "the database has the same time")
    direction = "ahead of" if difference > 0 else "behind"
    sentence = f"the clock of the database is {abs(difference):.0f} seconds {direction} that of this machine"
    return Finding("clock", WRONG, f"{sentence}; let both follow a time server")


def _rights(connection: Connection) -> Iterator[Finding]:
    role = connection.execute(ROLE).one()
    if role.is_powerful:
        sentence = "the role of the database may do more than its own tables need (superuser, other roles, databases)"
        yield Finding("rights", WARNING, f"{sentence}; make one as docs/running.md says")
    elif not role.may_create:
        yield Finding("rights", WARNING, "the role may create no tables: `initialize_db` needs another one")
    else:
        yield Finding("rights", OK, "the role may change its tables, and is no superuser")
    if role.server_address is None or is_local(role.server_address) or role.is_encrypted:
        yield Finding("encryption", OK, "nobody on the way reads what the database is sent")
    else:
        yield Finding("encryption", WARNING, "the database is sent everything in plain text; add ?sslmode=verify-full")


def _connections(connection: Connection, most: int | None) -> Finding:
    limit = int(connection.scalar(LIMITS) or 0)
    if most is None:
        return Finding("connections", WARNING, "the pool is not limited; set sqlalchemy.pool_size")
    processes = limit // most
    if processes < 2:
        sentence = f"PostgreSQL allows {limit} connections, and each process may have {most}"
        return Finding("connections", WARNING, f"{sentence}: too few for two processes; raise max_connections")
    return Finding("connections", OK, f"enough for {processes} processes with {most} each, if nothing else connects")


def standby(site: Site) -> Iterator[Finding]:
    """Check that pages may read from the server of `reading.url`."""
    url = site.settings["reading.url"]
    if not url:
        return
    try:
        with probing_engine(url).connect().execution_options(read_only=True) as connection:
            is_right = is_standby(connection)
    except DBAPIError as error:
        yield Finding("standby", WARNING, f"pages read from the primary: {explain(error, url)}")
        return
    if is_right:
        yield Finding("standby", OK, "reading.url is a standby")
    else:
        yield Finding("standby", WARNING, "reading.url is no standby, so pages read from the primary")


CHECKS = (readiness, details, standby)
