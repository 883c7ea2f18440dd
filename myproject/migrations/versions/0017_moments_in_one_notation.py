"""SQLite keeps the moment of joining in one notation, whichever program writes it.

Until now a row whose moment had no fraction of a second, as CURRENT_TIMESTAMP has none, was sorted before its own
moment: pages in the order of joining left such rows out.

Revision ID: 0017
Revises: 0016
Create Date: 2026-11-30 21:15:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

NOTATION = "'????-??-?? ??:??:??.??????'"
IN_NOTATION = "strftime('%%Y-%%m-%%d %%H:%%M:%%f000', {row}created_at)"


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    for name, event in {"insert": "INSERT", "update": "UPDATE OF created_at"}.items():
        op.execute(
            sa.DDL(f"""
    CREATE TRIGGER users_created_at_{name} AFTER {event} ON users
    WHEN NEW.created_at NOT GLOB {NOTATION} BEGIN
        UPDATE users SET created_at = {IN_NOTATION.format(row="NEW.")} WHERE id = NEW.id;
    END
    """)  # nosec B608
        )
    # What SQLite does not read stays as it is.
    op.execute(
        sa.DDL(
            f"UPDATE users SET created_at = {IN_NOTATION.format(row='')}"
            f" WHERE created_at NOT GLOB {NOTATION} AND {IN_NOTATION.format(row='')} IS NOT NULL"  # nosec B608
        )
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER users_created_at_insert")
        op.execute("DROP TRIGGER users_created_at_update")
