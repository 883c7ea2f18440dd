"""Receipts of pages with an address of any length.

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-21 10:45:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    with op.batch_alter_table("receipts") as receipts:
        receipts.alter_column(
            "location", existing_type=sa.String(length=2000), type_=sa.Text(), existing_nullable=False
        )


def downgrade() -> None:
    # The receipt stays, so that its form is not applied twice; it leads to the first page.
    op.execute("UPDATE receipts SET location = '/' WHERE length(location) > 2000")
    with op.batch_alter_table("receipts") as receipts:
        receipts.alter_column(
            "location", existing_type=sa.Text(), type_=sa.String(length=2000), existing_nullable=False
        )
