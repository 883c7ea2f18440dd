"""Receipts know what was sent, and keep no query.

Revision ID: 0011
Revises: 0010
Create Date: 2026-11-30 14:30:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    # Receipts last a day. Those whose path is too long belong to forged forms.
    op.execute("DELETE FROM receipts WHERE length(location) > 500")
    with op.batch_alter_table("receipts") as receipts:
        receipts.add_column(sa.Column("digest", sa.String(64), nullable=False, server_default=sa.text("''")))
        receipts.create_check_constraint("location_length", "length(location) <= 500")


def downgrade() -> None:
    with op.batch_alter_table("receipts") as receipts:
        receipts.drop_constraint("location_length", type_="check")
        receipts.drop_column("digest")
