"""The database raises the version of users, posts and saved views, whichever program changes them.

Revision ID: 0010
Revises: 0009
Create Date: 2026-11-30 14:30:00
"""

from alembic import op

from myproject.db.version import replacement_triggers, update_trigger

revision = "0010"
down_revision = "0009"

TABLES = {
    "users": ("name", "email", "age", "role", "active"),
    "posts": ("title", "body", "author_id"),
    "saved_views": ("user_id", "name", "query", "for_all"),
}


def upgrade() -> None:
    dialect = op.get_context().dialect.name
    for table, columns in TABLES.items():
        for statement in [*replacement_triggers(dialect, table), update_trigger(dialect, table, columns)]:
            op.execute(statement)


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION raise_version CASCADE")
        return
    for table in TABLES:
        for name in ("version", "version_replaced", "version_insert"):
            op.execute(f"DROP TRIGGER {table}_{name}")
        op.execute(f"DROP TABLE {table}_replaced")
