"""How many users of each kind there are, kept by triggers, on SQLite.

Whoever writes waits while they are counted for the first time: two seconds for ten million users.

Revision ID: 0007
Revises: 0006
Create Date: 2026-11-21 20:50:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

ONE_MORE = """INSERT INTO users_kinds (role, active, has_posts, number)
            VALUES (NEW.role, NEW.active, NEW.has_posts, 1)
            ON CONFLICT (role, active, has_posts) DO UPDATE SET number = number + 1;"""
ONE_LESS = """UPDATE users_kinds SET number = number - 1
            WHERE role = OLD.role AND active = OLD.active AND has_posts = OLD.has_posts;"""
SQLITE = (
    """
    CREATE TABLE users_kinds (
        role VARCHAR(20) NOT NULL, active BOOLEAN NOT NULL, has_posts BOOLEAN NOT NULL, number INTEGER NOT NULL,
        PRIMARY KEY (role, active, has_posts)
    ) WITHOUT ROWID
    """,
    f"CREATE TRIGGER users_kinds_insert AFTER INSERT ON users BEGIN {ONE_MORE} END",
    f"""
    CREATE TRIGGER users_kinds_update AFTER UPDATE OF role, active, has_posts ON users
    WHEN (NEW.role, NEW.active, NEW.has_posts) <> (OLD.role, OLD.active, OLD.has_posts) BEGIN
        {ONE_LESS}
        {ONE_MORE}
    END
    """,
    f"CREATE TRIGGER users_kinds_delete AFTER DELETE ON users BEGIN {ONE_LESS} END",
)


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        for statement in SQLITE:
            op.execute(sa.DDL(statement))
        op.execute("INSERT INTO users_kinds SELECT role, active, has_posts, count(*) FROM users GROUP BY 1, 2, 3")


def downgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        for name in ("users_kinds_insert", "users_kinds_update", "users_kinds_delete"):
            op.execute(f"DROP TRIGGER {name}")
        op.execute("DROP TABLE users_kinds")
