"""A user may choose the time zone in which their pages show days and times.

Revision ID: 0015
Revises: 0014
Create Date: 2026-11-30 18:30:00
"""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE users ADD COLUMN time_zone VARCHAR(50)"
        " CONSTRAINT ck_users_time_zone_length CHECK (length(time_zone) BETWEEN 1 AND 50)"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE users DROP COLUMN time_zone")
