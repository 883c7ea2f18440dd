"""Users that people have selected in the list, to change them at once.

Revision ID: 0020
Revises: 0019
Create Date: 2026-12-01 13:00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.create_table(
        "selections",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("is_whole", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(query) <= 8192", name=op.f("ck_selections_query_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_selections")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_selections_created_at"), "selections", ["created_at"])
    op.create_table(
        "selected_users",
        sa.Column("selection_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("is_excluded", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(
            ["selection_id"], ["selections.id"], name=op.f("fk_selected_users_selection_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("selection_id", "user_id", name=op.f("pk_selected_users")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("selected_users")
    op.drop_table("selections")
