"""Receipts know what was sent, and keep no query.

Revision ID: 0011
Revises: 0010
Create Date: 2026-11-30 14:30:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

# SQLite takes no notice of the lengths of types.
LENGTHS = "length(token) <= 32 AND length(digest) <= 64 AND length(location) <= 500"


def upgrade() -> None:
    # The receipt stays, so that its form is not applied twice; it leads to the first page.
    op.execute("UPDATE receipts SET location = '/' WHERE length(location) > 500")
    with op.batch_alter_table("receipts") as receipts:
        receipts.add_column(sa.Column("digest", sa.String(64), nullable=False, server_default=sa.text("''")))
        receipts.create_check_constraint("lengths", LENGTHS)


def downgrade() -> None:
    with op.batch_alter_table("receipts") as receipts:
        receipts.drop_constraint("lengths", type_="check")
        receipts.drop_column("digest")
