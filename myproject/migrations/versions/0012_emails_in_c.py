"""Give emails the collation "C" on PostgreSQL: lower() of a Turkish database makes another letter of I.

The table is locked while its two indexes of emails are built again. SQLite's lower() has always known ASCII only:
nothing changes there.

Revision ID: 0012
Revises: 0011
Create Date: 2026-11-30 15:00:00
"""

import sqlalchemy as sa
from alembic import op

from myproject.db.version import replace_update_trigger

revision = "0012"
down_revision = "0011"

TRIGGERS = (
    "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'users'::regclass AND NOT tgisinternal"
)
EQUAL_EMAILS = """
    SELECT string_agg(id::text, ' and ' ORDER BY id) FROM users GROUP BY lower(email COLLATE "C")
    HAVING count(email) > 1 ORDER BY min(id)
"""


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        refuse_equal_emails(op.get_bind())
        set_collation(op.get_bind(), "C")
        # The trigger writes the right value.
        op.execute("""UPDATE users SET search_text = '' WHERE lower(email) <> lower(email COLLATE "default")""")


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        set_collation(op.get_bind(), "default")


def refuse_equal_emails(connection: sa.Connection) -> None:
    """Exit with one sentence if emails that differ in case only have been stored for two users."""
    equal = connection.scalars(sa.text(EQUAL_EMAILS)).all()
    if equal:
        raise SystemExit(f"Users with the same email: {', '.join(equal)}. Change or remove it for all but one of them.")


def set_collation(connection: sa.Connection, collation: str) -> None:
    """Change the collation of the column; PostgreSQL allows it only without the triggers, which name the column."""
    triggers = connection.execute(sa.text(TRIGGERS)).all()
    for name, _definition in triggers:
        op.execute(f"DROP TRIGGER {name} ON users")
    op.execute(f'ALTER TABLE users ALTER email TYPE VARCHAR(320) COLLATE "{collation}"')
    for _name, definition in triggers:
        op.execute(sa.DDL(definition.replace("%", "%%")))
    # PostgreSQL returns its condition with other parentheses than it was created with.
    replace_update_trigger(op.get_bind(), "users", ("name", "email", "age", "role", "active"))
