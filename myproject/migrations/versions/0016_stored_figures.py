"""Figures that are counted now and then instead of for each page.

Revision ID: 0016
Revises: 0015
Create Date: 2026-12-01 09:00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "stored_figures",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("figures", sa.Text(), nullable=True),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("length(name) <= 100 AND length(figures) <= 10000", name=op.f("ck_stored_figures_lengths")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_stored_figures")),
    )


def downgrade() -> None:
    op.drop_table("stored_figures")
