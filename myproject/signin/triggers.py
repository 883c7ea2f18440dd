"""Triggers that end a password link when the user or its maker is no longer who they were when it was made.

That is: when a name, an email, a role, an activity or a password of either changes, whichever program changes it. On
PostgreSQL this is certain for concurrent transactions that are SERIALIZABLE, as those of requests are.
"""

from ..db.triggers import create_with_table
from .models import PasswordLink

OLD = "(OLD.name, OLD.email, OLD.role, OLD.active, OLD.password_hash)"
NEW = OLD.replace("OLD.", "NEW.")
END_LINKS = "DELETE FROM password_links WHERE user_id = OLD.id OR maker_id = OLD.id;"

SQLITE = (
    f"""
    CREATE TRIGGER users_password_links AFTER UPDATE OF name, email, role, active, password_hash ON users
    WHEN {OLD} IS NOT {NEW} BEGIN
        {END_LINKS}
    END
    """,
)
# The comparison is in the function: PostgreSQL lets nobody change the type of a column that a trigger's WHEN names.
POSTGRESQL = (
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
)
create_with_table(PasswordLink.__table__, sqlite=SQLITE, postgresql=POSTGRESQL)
