"""A password link knows its maker, and ends when they or its user change. Every stored text has a limit.

Open links are deleted: nobody knows who made them, and they would be valid for at most a day.

Revision ID: 0013
Revises: 0012
Create Date: 2026-11-30 15:00:00
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

OLD = "(OLD.name, OLD.email, OLD.role, OLD.active, OLD.password_hash)"
NEW = OLD.replace("OLD.", "NEW.")
END_LINKS = "DELETE FROM password_links WHERE user_id = OLD.id OR maker_id = OLD.id;"
TRIGGERS = {
    "sqlite": (
        f"""
        CREATE TRIGGER users_password_links AFTER UPDATE OF name, email, role, active, password_hash ON users
        WHEN {OLD} IS NOT {NEW} BEGIN
            {END_LINKS}
        END
        """,
    ),
    "postgresql": (
        f"""
        CREATE FUNCTION users_password_links() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF {OLD} IS DISTINCT FROM {NEW} THEN
                {END_LINKS}
            END IF;
            RETURN NULL;
        END $$
        """,
        """
        CREATE TRIGGER users_password_links AFTER UPDATE ON users FOR EACH ROW
        EXECUTE FUNCTION users_password_links()
        """,
    ),
}

# SQLite takes no notice of the lengths of types.
LENGTHS = {
    "password_links": "length(token) <= 64",  # nosec B105
    "sign_ins": "length(token) <= 64 AND length(address) <= 45 AND length(browser) <= 300",
    "failed_sign_ins": "length(account) <= 64 AND length(address) <= 64",
}
OPTIONS: dict[str, Any] = {"sign_ins": {"table_kwargs": {"sqlite_autoincrement": True}}}


def upgrade() -> None:
    op.drop_table("password_links")
    create_password_links("user_id", "maker_id")
    for table, lengths in LENGTHS.items():
        with op.batch_alter_table(table, **OPTIONS.get(table, {})) as batch:
            batch.create_check_constraint("lengths", lengths)
    op.create_index(op.f("ix_password_links_maker_id"), "password_links", ["maker_id"])
    for statement in TRIGGERS[op.get_context().dialect.name]:
        op.execute(sa.DDL(statement))


def create_password_links(*users: str) -> None:
    """Create the table, with these columns that name a user."""
    columns = [sa.Column(name, sa.Integer(), nullable=False) for name in users]
    keys = [
        sa.ForeignKeyConstraint([name], ["users.id"], name=op.f(f"fk_password_links_{name}"), ondelete="CASCADE")
        for name in users
    ]
    op.create_table(
        "password_links",
        *columns,
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        *keys,
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_password_links")),
        sa.UniqueConstraint("token", name=op.f("uq_password_links_token")),
    )


def downgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        op.execute("DROP TRIGGER users_password_links")
    else:
        op.execute("DROP FUNCTION users_password_links CASCADE")
    op.drop_table("password_links")
    create_password_links("user_id")
    for table in LENGTHS.keys() - {"password_links"}:
        with op.batch_alter_table(table, **OPTIONS.get(table, {})) as batch:
            batch.drop_constraint("lengths", type_="check")
