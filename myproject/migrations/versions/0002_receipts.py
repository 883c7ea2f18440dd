"""Receipts of forms that were done.

Revision ID: 0002
Revises: 0001
Create Date: 2026-11-21 07:42:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "receipts",
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.Column("location", sa.String(length=2000), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_receipts")),
    )
    op.create_index(op.f("ix_receipts_created_at"), "receipts", ["created_at"])


def downgrade() -> None:
    op.drop_table("receipts")
