"""The columns that the list is searched and sorted by, the triggers that keep them, and their indexes.

It works in short steps, each in its own transaction, so that the site stays in use. If it is interrupted, run it again.
On SQLite the triggers call a function of this version of myproject: from the first step on, processes of an older
version can neither add a user nor change a name or an email.

Revision ID: 0005
Revises: 0004
Create Date: 2026-11-21 13:50:00
"""

import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.exc import OperationalError

revision = "0005"
down_revision = "0004"

BATCH_ROWS = 5000
BELOW_ALL_IDS = -(2**31) - 1
# SQLite looks for a lock only every 0.1 seconds while it waits.
PAUSE_SECONDS = 0.15

MARKS = (
    r"[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u064b-\u065f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff"
    r"\u3099\u309a\ufe20-\ufe2f]"
)
SQLITE_SEARCH_TEXT = """substr(folded({row}name), 1, 600) || char(10)
            || lower(coalesce({row}email, '')) || char(10, 10)"""
SQLITE_HAS = "UPDATE users SET has_posts = 1 WHERE id = NEW.author_id AND NOT has_posts;"
SQLITE_HAS_NONE = """UPDATE users SET has_posts = 0 WHERE id = OLD.author_id AND has_posts
            AND NOT EXISTS (SELECT 1 FROM posts WHERE author_id = OLD.author_id);"""
TRIGGERS = {
    "sqlite": (
        """
        CREATE VIRTUAL TABLE users_trigrams USING fts5(
            search_text, content='users', content_rowid='id', tokenize='trigram case_sensitive 1', detail=none,
            columnsize=0
        )
        """,
        "CREATE VIRTUAL TABLE users_trigrams_used USING fts5vocab(users_trigrams, row)",
        f"""
        CREATE TRIGGER users_search_text_insert AFTER INSERT ON users BEGIN
            INSERT INTO users_trigrams (rowid, search_text) SELECT NEW.id, NEW.search_text WHERE NEW.search_text <> '';
            UPDATE users SET search_text = {SQLITE_SEARCH_TEXT.format(row="NEW.")} WHERE id = NEW.id;
        END
        """,  # nosec B608
        f"""
        CREATE TRIGGER users_search_text_update AFTER UPDATE OF name, email ON users
        WHEN NEW.name IS NOT OLD.name OR NEW.email IS NOT OLD.email BEGIN
            UPDATE users SET search_text = {SQLITE_SEARCH_TEXT.format(row="NEW.")} WHERE id = NEW.id;
        END
        """,  # nosec B608
        """
        CREATE TRIGGER users_trigrams_update AFTER UPDATE OF id, search_text ON users
        WHEN NEW.id <> OLD.id OR NEW.search_text <> OLD.search_text BEGIN
            INSERT INTO users_trigrams (users_trigrams, rowid, search_text)
                SELECT 'delete', OLD.id, OLD.search_text WHERE OLD.search_text <> '';
            INSERT INTO users_trigrams (rowid, search_text) SELECT NEW.id, NEW.search_text WHERE NEW.search_text <> '';
        END
        """,
        """
        CREATE TRIGGER users_trigrams_delete AFTER DELETE ON users WHEN OLD.search_text <> '' BEGIN
            INSERT INTO users_trigrams (users_trigrams, rowid, search_text) VALUES ('delete', OLD.id, OLD.search_text);
        END
        """,
        f"CREATE TRIGGER posts_has_posts_insert AFTER INSERT ON posts BEGIN {SQLITE_HAS} END",
        f"""
        CREATE TRIGGER posts_has_posts_update AFTER UPDATE OF author_id ON posts BEGIN
            {SQLITE_HAS_NONE}
            {SQLITE_HAS}
        END
        """,
        f"CREATE TRIGGER posts_has_posts_delete AFTER DELETE ON posts BEGIN {SQLITE_HAS_NONE} END",
    ),
    "postgresql": (
        "CREATE EXTENSION IF NOT EXISTS pg_trgm",
        rf"""
        CREATE FUNCTION folded(value text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN
        replace(replace(
            lower(regexp_replace(normalize(value, NFKD), '{MARKS}', '', 'g') COLLATE "und-x-icu"), 'ß', 'ss'
        ), 'ς', 'σ')
        """,
        r"""
        CREATE FUNCTION users_search_text() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.search_text := left(folded(NEW.name), 600) || E'\n' || lower(coalesce(NEW.email, '')) || E'\n\n';
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER users_search_text BEFORE INSERT OR UPDATE ON users
        FOR EACH ROW EXECUTE FUNCTION users_search_text()
        """,
        """
        CREATE FUNCTION posts_has_posts() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP <> 'INSERT' THEN
                UPDATE users SET has_posts = false WHERE id = OLD.author_id AND has_posts
                    AND NOT EXISTS (SELECT 1 FROM posts WHERE author_id = OLD.author_id);
            END IF;
            IF TG_OP <> 'DELETE' THEN
                UPDATE users SET has_posts = true WHERE id = NEW.author_id AND NOT has_posts;
            END IF;
            RETURN NULL;
        END $$
        """,
        """
        CREATE TRIGGER posts_has_posts AFTER INSERT OR DELETE OR UPDATE OF author_id ON posts
        FOR EACH ROW EXECUTE FUNCTION posts_has_posts()
        """,
    ),
}
HAS_POSTS = "EXISTS (SELECT 1 FROM posts WHERE author_id = users.id)"
INDEXES = {
    "ix_users_by_name": "(search_text, id, age, created_at)",
    "ix_users_by_email": "(coalesce(lower(email), ''), id)",
    "ix_users_by_age": "(coalesce(age, -1), id, age)",
    "ix_users_by_role": "(role, id)",
    "ix_users_by_active": "(active, id)",
    "ix_users_by_joined": "(created_at, id)",
    "ix_users_kinds_by_name": "(role, active, has_posts, search_text, id, age, created_at)",
    "ix_users_kinds_by_age": "(role, active, has_posts, coalesce(age, -1), id, age)",
    "ix_users_kinds_by_joined": "(role, active, has_posts, created_at, id)",
}
POSTGRESQL_INDEXES = {
    "ix_users_trigrams": "USING gin (search_text gin_trgm_ops)",
    "ix_users_letters": "USING gin (string_to_array(search_text, NULL))",
}


def upgrade() -> None:
    dialect = op.get_context().dialect.name
    if "search_text" not in [column["name"] for column in sa.inspect(op.get_bind()).get_columns("users")]:
        # Quick for any number of rows: neither database rewrites the table.
        collation = {"sqlite": None, "postgresql": "und-x-icu"}[dialect]
        op.add_column(
            "users", sa.Column("search_text", sa.Text(collation=collation), server_default="", nullable=False)
        )
        op.add_column("users", sa.Column("has_posts", sa.Boolean(), server_default=sa.false(), nullable=False))
        for statement in TRIGGERS[dialect]:
            op.execute(sa.DDL(statement))
    with op.get_context().autocommit_block():
        {"sqlite": upgrade_sqlite, "postgresql": upgrade_postgresql}[dialect](op.get_bind())


def upgrade_sqlite(connection: sa.Connection) -> None:
    fill = fill_statement(SQLITE_SEARCH_TEXT.format(row=""))
    last = BELOW_ALL_IDS
    while (following := next_batch(connection, last)) is not None:
        pause_after(connection.execute, fill, {"last": last, "next": following})
        last = following
    for name, what in INDEXES.items():
        pause_after(op.execute, f"CREATE INDEX IF NOT EXISTS {name} ON users {what}")
    op.execute("DROP INDEX IF EXISTS ix_users_name")


def pause_after(execute: Callable[..., Any], *arguments: Any) -> None:
    """Execute a statement; if it took long, pause, so that waiting requests get the write lock."""
    started = time.monotonic()
    execute(*arguments)
    if time.monotonic() - started > PAUSE_SECONDS / 10:
        time.sleep(PAUSE_SECONDS)


def upgrade_postgresql(connection: sa.Connection) -> None:
    # Like the application's transactions: a batch either sees a concurrent change of posts, or fails and is repeated.
    op.execute("SET default_transaction_isolation = 'serializable'")
    # The trigger replaces the value that is written.
    fill = fill_statement("''")
    last = BELOW_ALL_IDS
    while (following := next_batch(connection, last)) is not None:
        try:
            connection.execute(fill, {"last": last, "next": following})
        except OperationalError as error:
            # A conflict with the site: a serialization failure, a deadlock or a lock timeout.
            if not str(getattr(error.orig, "sqlstate", "")).startswith(("40", "55P03")):
                raise
        else:
            last = following
    op.execute("RESET default_transaction_isolation")
    # CREATE INDEX CONCURRENTLY waits for all transactions, even long exports, but blocks none.
    op.execute("SET lock_timeout = 0")
    invalid = "SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE NOT indisvalid"
    broken = connection.scalars(sa.text(invalid)).all()
    for name, what in {**INDEXES, **POSTGRESQL_INDEXES}.items():
        if name in broken:
            op.execute(f"DROP INDEX CONCURRENTLY {name}")
        op.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON users {what}")
    op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_users_name")
    op.execute("RESET lock_timeout")
    op.execute("ANALYZE users")


def fill_statement(search_text: str) -> sa.TextClause:
    """Return the statement that fills the columns of a batch of rows."""
    return sa.text(f"""
        UPDATE users SET has_posts = {HAS_POSTS}, search_text = {search_text}
        WHERE id > :last AND id <= :next AND (search_text = '' OR has_posts <> {HAS_POSTS})
    """)  # nosec B608


def next_batch(connection: sa.Connection, last: int) -> int | None:
    """Return the last id of the batch after the id `last`, or `None` if there is none."""
    batch = f"SELECT id FROM users WHERE id > :last ORDER BY id LIMIT {BATCH_ROWS}"  # nosec B608
    return connection.scalar(sa.text(f"SELECT max(id) FROM ({batch}) batch"), {"last": last})  # nosec B608


def downgrade() -> None:
    """Remove all of it in one transaction, during which nobody else can write."""
    op.create_index("ix_users_name", "users", [sa.text("lower(name)"), "id"])
    if op.get_context().dialect.name == "sqlite":
        for name in ("users_search_text_insert", "users_search_text_update", "users_trigrams_update",
                     "users_trigrams_delete", "posts_has_posts_insert", "posts_has_posts_update",
                     "posts_has_posts_delete"):  # fmt: skip
            op.execute(f"DROP TRIGGER {name}")
        op.execute("DROP TABLE users_trigrams_used")
        op.execute("DROP TABLE users_trigrams")
        indexes = INDEXES
    else:
        # The extension stays: other programs may use it.
        op.execute("DROP FUNCTION users_search_text CASCADE")
        op.execute("DROP FUNCTION posts_has_posts CASCADE")
        op.execute("DROP FUNCTION folded")
        indexes = {**INDEXES, **POSTGRESQL_INDEXES}
    for name in indexes:
        op.execute(f"DROP INDEX {name}")
    op.drop_column("users", "has_posts")
    op.drop_column("users", "search_text")
