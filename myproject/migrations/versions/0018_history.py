"""The ledger: each change of a user, a post or a saved view, with the values before and after. It begins now.

Revision ID: 0018
Revises: 0017
Create Date: 2026-12-01 01:30:00
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from myproject.history.recording import Recorded, ledger_statements, recording_statements

revision = "0018"
down_revision = "0017"

# The recorded columns, and whether each is a boolean.
TABLES: dict[str, tuple[dict[str, bool], Recorded]] = {
    "users": (
        {
            "name": False,
            "email": False,
            "age": False,
            "role": False,
            "active": True,
            "created_at": False,
            "time_zone": False,
        },
        Recorded("id", ["lower(email) = lower(NEW.email)"]),
    ),
    "posts": (
        {"title": False, "body": False, "author_id": False, "created_at": False},
        Recorded("author_id"),
    ),
    "saved_views": (
        {"user_id": False, "name": False, "query": False, "for_all": True, "created_at": False},
        Recorded(
            "user_id",
            ["user_id = NEW.user_id AND substr(folded_2(name), 1, 300) = substr(folded_2(NEW.name), 1, 300)"],
        ),
    ),
}


def upgrade() -> None:
    op.create_table(
        "history_entries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.Column("route", sa.String(100), nullable=True),
        sa.Column("request_id", sa.String(100), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=True),
        sa.Column("undoes_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "length(route) <= 100 AND length(request_id) <= 100", name=op.f("ck_history_entries_lengths")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_history_entries")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "history_changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("entry_id", sa.Integer(), nullable=False),
        sa.Column("table_name", sa.String(63), nullable=False),
        sa.Column("record_id", sa.Integer(), nullable=False),
        sa.Column("record_version", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("before", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=True),
        sa.Column("after", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=True),
        sa.CheckConstraint("length(table_name) <= 63", name=op.f("ck_history_changes_lengths")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_history_changes")),
        sa.UniqueConstraint(
            "entry_id", "table_name", "record_id", name=op.f("uq_history_changes_entry_id_table_name_record_id")
        ),
        sqlite_autoincrement=True,
    )
    for table, indexes in {
        "history_entries": (["created_at", "id"], ["actor_id", "id"], ["route", "id"], ["undoes_id"]),
        "history_changes": (["table_name", "record_id", "id"], ["owner_id"]),
    }.items():
        for names in indexes:
            op.create_index(op.f(f"ix_{table}_{'_'.join(names)}"), table, names)
    kind: list[Any] = [sa.column("after").is_(None), sa.column("before").is_(None), "table_name", "entry_id"]
    op.create_index("ix_history_changes_kind", "history_changes", kind)
    dialect = op.get_context().dialect.name
    for statement in ledger_statements(dialect):
        op.execute(sa.DDL(statement))
    for table, (columns, recorded) in TABLES.items():
        for statement in recording_statements(dialect, table, columns, recorded):
            op.execute(sa.DDL(statement))


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION history_record CASCADE")
        op.execute("DROP FUNCTION history_refuse CASCADE")
    else:
        for table in TABLES:
            for name in ("before_insert", "insert", "id", "before_update", "update", "delete"):
                op.execute(f"DROP TRIGGER IF EXISTS {table}_history_{name}")
            op.execute(f"DROP TABLE {table}_history_replaced")
        op.execute("DROP VIEW history_record")
        op.execute("DROP TABLE history_open")
        op.execute("DROP TABLE history_never")
    op.drop_table("history_changes")
    op.drop_table("history_entries")
