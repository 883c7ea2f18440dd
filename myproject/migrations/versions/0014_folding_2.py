"""Fold all names again: letters with a stroke, quotation marks, dashes and what cannot be seen, as searches read them.

The text by which people are searched also gets a space before the name and the initial consonants of Korean syllables.

The migration consists of short steps, each in its own transaction, so that the site can work meanwhile. If it is
interrupted, run it again. On SQLite the triggers call functions of this version of myproject: from the first step on, a
process of an older version can neither add a user nor change a name or an email. On PostgreSQL it can, and the row is
folded in the new way.

Revision ID: 0014
Revises: 0013
Create Date: 2026-11-30 18:00:00
"""

import re
import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.exc import OperationalError

from myproject.db.folding import POSTGRESQL_FOLDED, POSTGRESQL_INITIALS

revision = "0014"
down_revision = "0013"

BATCH = 5000
FIRST = -(2**31) - 1
# Seconds. A connection that waits for SQLite's lock tries it only every 0.1 seconds.
PAUSE = 0.15
NAME_LENGTH = 100
# What a trigger writes into the column.
WRITTEN = re.compile("SET search_text = .* WHERE", re.DOTALL)
SQLITE_NEW = """' ' || substr(folded_2({row}name), 1, 600) || char(10)
            || ' ' || initials(substr(folded_2({row}name), 1, 600)) || char(10)
            || substr(folded_2(coalesce({row}email, '')), 1, 320) || char(10, 10)"""
SQLITE_OLD = "substr(folded({row}name), 1, 600) || char(10) || lower(coalesce({row}email, '')) || char(10, 10)"
POSTGRESQL_NEW = """
    CREATE OR REPLACE FUNCTION users_search_text() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE folded_name text := left(folded_2(NEW.name), 600);
    BEGIN
        NEW.search_text := ' ' || folded_name || E'\\n ' || initials(folded_name) || E'\\n'
            || left(folded_2(coalesce(NEW.email, '')), 320) || E'\\n\\n';
        RETURN NEW;
    END $$
"""
POSTGRESQL_OLD = """
    CREATE OR REPLACE FUNCTION users_search_text() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.search_text := left(folded(NEW.name), 600) || E'\\n' || lower(coalesce(NEW.email, '')) || E'\\n\\n';
        RETURN NEW;
    END $$
"""


def upgrade() -> None:
    connection = op.get_bind()
    is_sqlite = connection.dialect.name == "sqlite"
    if not is_begun(connection, is_sqlite):
        if is_sqlite:
            replace_sqlite_triggers(SQLITE_NEW)
        else:
            # What others have written and not committed yet is folded in the old way, and the steps would not see it.
            op.execute("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE")
            for statement in (POSTGRESQL_FOLDED, POSTGRESQL_INITIALS, POSTGRESQL_NEW):
                op.execute(sa.DDL(statement))
        name_views_by(connection, "folded_2")
    with op.get_context().autocommit_block():
        fold_all(connection, SQLITE_NEW.format(row="") if is_sqlite else None)
        index = "ix_users_kinds_by_added ON users (role, active, has_posts, id)"
        if is_sqlite:
            let_others_write_after(op.execute, f"CREATE INDEX IF NOT EXISTS {index}")
        else:
            create_index(connection, index)


def downgrade() -> None:
    """Fold all names in the old way, in one transaction; nobody can write meanwhile."""
    op.drop_index("ix_users_kinds_by_added", "users")
    connection = op.get_bind()
    name_views_by(connection, "folded")
    if connection.dialect.name == "sqlite":
        replace_sqlite_triggers(SQLITE_OLD)
        op.execute(f"UPDATE users SET search_text = {SQLITE_OLD.format(row='')}")  # nosec B608
    else:
        op.execute(sa.DDL(POSTGRESQL_OLD))
        op.execute("UPDATE users SET search_text = ''")
        op.execute("DROP FUNCTION folded_2")
        op.execute("DROP FUNCTION initials")


def is_begun(connection: sa.Connection, is_sqlite: bool) -> bool:
    """Return whether an interrupted run has replaced the triggers already."""
    if is_sqlite:
        found = "SELECT 1 FROM sqlite_master WHERE name = 'users_search_text_insert' AND instr(sql, 'folded_2')"
    else:
        found = "SELECT 1 FROM pg_proc WHERE proname = 'folded_2' AND pg_function_is_visible(oid)"
    return connection.exec_driver_sql(found).first() is not None


def replace_sqlite_triggers(search_text: str) -> None:
    """Let the triggers write `search_text`. The order in which SQLite fires them depends on when they were created."""
    names = ["users_search_text_insert", "users_search_text_update", "users_trigrams_update", "users_trigrams_delete"]
    find = sa.text("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = :name")
    statements = [op.get_bind().scalar(find, {"name": name}) for name in names]
    for name in names:
        op.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        op.execute(sa.DDL(WRITTEN.sub(f"SET search_text = {search_text.format(row='NEW.')} WHERE", statement)))


def name_views_by(connection: sa.Connection, folded: str) -> None:
    """Let the SQL function `folded` decide which names of a user's saved views are the same."""
    op.drop_index("uq_saved_views_name", "saved_views")
    key = f"substr({folded}(name), 1, 300)"
    number_equal_names(connection, key)
    op.create_index("uq_saved_views_name", "saved_views", ["user_id", sa.text(key)], unique=True)


def number_equal_names(connection: sa.Connection, key: str) -> None:
    """Append a number to each name that is the same as that of an older view of the same user."""
    views = connection.execute(sa.text(f"SELECT id, user_id, name, {key} FROM saved_views ORDER BY user_id, id")).all()  # nosec B608
    key_of = sa.text(f"SELECT {key} FROM (SELECT CAST(:name AS VARCHAR) AS name) one")  # nosec B608
    taken = {(user_id, old_key) for _, user_id, _, old_key in views}
    seen = set()
    for view_id, user_id, name, old_key in views:
        new_key, number = old_key, 2
        while (user_id, new_key) in seen:
            # Not one that another view has, which may come later.
            suffix = f" ({number})"
            numbered, number = name[: NAME_LENGTH - len(suffix)] + suffix, number + 1
            candidate = connection.scalar(key_of, {"name": numbered})
            if (user_id, candidate) not in taken:
                change = sa.text("UPDATE saved_views SET name = :name WHERE id = :id")
                connection.execute(change, {"name": numbered, "id": view_id})
                new_key = candidate
                taken.add((user_id, candidate))
        seen.add((user_id, new_key))


def fold_all(connection: sa.Connection, search_text: str | None) -> None:
    """Write the text of all rows, in short steps: `search_text`, or with `None` what PostgreSQL's trigger makes."""
    if search_text is None:
        # As the application's transactions: what others change meanwhile is either seen, or makes the batch fail.
        op.execute("SET default_transaction_isolation = 'serializable'")
        is_old = "search_text NOT LIKE ' ' || left(folded_2(name), 600) || E'\\n %'"
        fill = sa.text(f"UPDATE users SET search_text = '' WHERE id > :last AND id <= :next AND {is_old}")  # nosec B608
    else:
        is_old = f"search_text <> {search_text}"
        fill = sa.text(f"UPDATE users SET search_text = {search_text} WHERE id > :last AND id <= :next AND {is_old}")  # nosec B608
    last = FIRST
    while (following := next_batch(connection, last)) is not None:
        try:
            let_others_write_after(connection.execute, fill, {"last": last, "next": following})
        except OperationalError as error:
            # A lost race against the site: a serialization failure, a deadlock, or a lock held for long.
            if not str(getattr(error.orig, "sqlstate", "")).startswith(("40", "55P03")):
                raise
        else:
            last = following
    if search_text is None:
        op.execute("RESET default_transaction_isolation")


def next_batch(connection: sa.Connection, last: int) -> int | None:
    """Return the id that ends the batch after the id `last`, or `None`."""
    batch = f"SELECT id FROM users WHERE id > :last ORDER BY id LIMIT {BATCH}"  # nosec B608
    return connection.scalar(sa.text(f"SELECT max(id) FROM ({batch}) batch"), {"last": last})  # nosec B608


def let_others_write_after(execute: Callable[..., Any], *arguments: Any) -> None:
    """Execute a statement, then leave the lock free for a while, for those who wait for it."""
    started = time.monotonic()
    execute(*arguments)
    if time.monotonic() - started > PAUSE / 10:
        time.sleep(PAUSE)


def create_index(connection: sa.Connection, index: str) -> None:
    """Create an index of PostgreSQL while others write; one that an interrupted run has left invalid is replaced."""
    # CREATE INDEX CONCURRENTLY waits for every transaction, also an export, and nobody waits for it.
    op.execute("SET lock_timeout = 0")
    invalid = "SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE NOT indisvalid"
    name = index.partition(" ")[0]
    if name in connection.scalars(sa.text(invalid)).all():
        op.execute(f"DROP INDEX CONCURRENTLY {name}")
    op.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {index}")
    op.execute("RESET lock_timeout")
    op.execute("ANALYZE users")
