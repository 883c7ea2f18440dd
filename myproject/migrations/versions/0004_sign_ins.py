"""Sign-ins, links to set a password, and failed sign-ins.

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-21 10:20:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "sign_ins",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("browser", sa.String(length=300), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sign_ins_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_ins")),
        sa.UniqueConstraint("token", name=op.f("uq_sign_ins_token")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_sign_ins_user_id"), "sign_ins", ["user_id"])
    op.create_table(
        "password_links",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_password_links_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_password_links")),
        sa.UniqueConstraint("token", name=op.f("uq_password_links_token")),
    )
    op.create_table(
        "failed_sign_ins",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failed_sign_ins")),
    )
    op.create_index(op.f("ix_failed_sign_ins_account_failed_at"), "failed_sign_ins", ["account", "failed_at"])
    op.create_index(op.f("ix_failed_sign_ins_address_failed_at"), "failed_sign_ins", ["address", "failed_at"])
    op.create_index(op.f("ix_failed_sign_ins_failed_at"), "failed_sign_ins", ["failed_at"])
    with_password = sa.text("password_hash IS NOT NULL")
    op.create_index(
        "ix_users_can_sign_in", "users", ["role"], sqlite_where=with_password, postgresql_where=with_password
    )


def downgrade() -> None:
    op.drop_index("ix_users_can_sign_in", "users")
    op.drop_table("failed_sign_ins")
    op.drop_table("password_links")
    op.drop_table("sign_ins")
