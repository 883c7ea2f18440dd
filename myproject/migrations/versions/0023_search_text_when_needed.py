"""PostgreSQL makes the search text of a user only when the name or the email changes, not at each change.

Revision ID: 0023
Revises: 0022
Create Date: 2026-12-01 14:00:00
"""

from alembic import op

revision = "0023"
down_revision = "0022"

ALWAYS = """
    CREATE TRIGGER users_search_text BEFORE INSERT OR UPDATE ON users
    FOR EACH ROW EXECUTE FUNCTION users_search_text()
"""
WHEN_NEEDED = (
    """
    CREATE TRIGGER users_search_text BEFORE INSERT ON users
    FOR EACH ROW EXECUTE FUNCTION users_search_text()
    """,
    # The search text itself, too: nobody can set another one.
    """
    CREATE TRIGGER users_search_text_update BEFORE UPDATE ON users FOR EACH ROW
    WHEN ((OLD.name, OLD.email, OLD.search_text) IS DISTINCT FROM (NEW.name, NEW.email, NEW.search_text))
    EXECUTE FUNCTION users_search_text()
    """,
)


def upgrade() -> None:
    """Replace the trigger by one for new users and one for changed names and emails."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER users_search_text ON users")
        for statement in WHEN_NEEDED:
            op.execute(statement)


def downgrade() -> None:
    """Restore the trigger that fires at each change."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER users_search_text ON users")
        op.execute("DROP TRIGGER users_search_text_update ON users")
        op.execute(ALWAYS)
