"""Which imports have been applied.

Revision ID: 0021
Revises: 0020
Create Date: 2026-12-01 12:00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.create_table(
        "applied_imports",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(id) <= 36", name=op.f("ck_applied_imports_lengths")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_applied_imports")),
    )
    op.create_index(op.f("ix_applied_imports_created_at"), "applied_imports", ["created_at"])


def downgrade() -> None:
    op.drop_table("applied_imports")
