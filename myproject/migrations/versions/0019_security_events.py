"""Security events are kept in the database, for administrators to look at.

The people who are signed in at the upgrade get their sign-ins as the first events, so that pages can tell when they
signed in last.

Revision ID: 0019
Revises: 0018
Create Date: 2026-12-01 12:00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.create_table(
        "security_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.Column("address", sa.String(length=45), server_default=sa.text("''"), nullable=False),
        sa.Column("request_id", sa.String(length=32), server_default=sa.text("''"), nullable=False),
        sa.Column("facts", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.CheckConstraint("number >= 1", name=op.f("ck_security_events_number_positive")),
        sa.CheckConstraint(
            "length(kind) <= 40 AND length(address) <= 45 AND length(request_id) <= 32 AND length(facts) <= 1000",
            name=op.f("ck_security_events_lengths"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_security_events")),
        sqlite_autoincrement=True,
    )
    for columns in (
        ["happened_at", "id"],
        ["kind", "happened_at", "id"],
        ["user_id", "kind", "happened_at"],
        ["actor_id", "happened_at"],
    ):
        op.create_index(op.f(f"ix_security_events_{'_'.join(columns)}"), "security_events", columns)
    op.execute(
        "INSERT INTO security_events (happened_at, kind, user_id, address)"
        " SELECT created_at, 'signed in', user_id, address FROM sign_ins ORDER BY created_at, id"
    )


def downgrade() -> None:
    op.drop_table("security_events")
