"""The last administrator stays: triggers refuse every write that would leave nobody who can sign in and administer.

They refuse it whichever program writes, by an error that names the constraint `last_administrator`. Each statement is
checked by itself, so a transaction that hands over to another administrator has to promote them first.

SQLite's REPLACE deletes a row without firing the triggers of DELETE, unless the connection has set
`recursive_triggers`. The triggers there therefore do not compare a row before and after: they note in the table
`users_administered` that there has been an administrator, and from then on require one after every write.
"""

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from ..db.triggers import create_with_table
from .models import User

LAST_ADMINISTRATOR = "last_administrator"

CAN_ADMINISTER = "role = 'admin' AND active AND email IS NOT NULL AND password_hash IS NOT NULL"
NEW_CAN_ADMINISTER = "NEW.role = 'admin' AND NEW.active AND NEW.email IS NOT NULL AND NEW.password_hash IS NOT NULL"
OLD_CAN_ADMINISTER = NEW_CAN_ADMINISTER.replace("NEW.", "OLD.")


def is_last_administrator(dbsession: Session, user: User) -> bool:
    """Return whether the triggers would refuse to remove `user` now, for a page that says so before."""
    administrators = select(User.id).where(text(CAN_ADMINISTER)).limit(2)
    return dbsession.scalars(administrators).all() == [user.id]


NOTE_ADMINISTRATOR = f"""INSERT INTO users_administered SELECT 1
            WHERE {NEW_CAN_ADMINISTER} AND NOT EXISTS (SELECT 1 FROM users_administered);"""  # nosec B608
REQUIRE_ADMINISTRATOR = f"""SELECT RAISE(ABORT, 'constraint failed: {LAST_ADMINISTRATOR}')
            WHERE EXISTS (SELECT 1 FROM users_administered)
            AND NOT EXISTS (SELECT 1 FROM users WHERE {CAN_ADMINISTER});"""  # nosec B608
SQLITE = (
    "CREATE TABLE users_administered (administered BOOLEAN NOT NULL)",
    f"""
    CREATE TRIGGER users_administered_insert AFTER INSERT ON users BEGIN
        {NOTE_ADMINISTRATOR}
        {REQUIRE_ADMINISTRATOR}
    END
    """,
    f"""
    CREATE TRIGGER users_administered_update AFTER UPDATE OF id, email, role, active, password_hash ON users BEGIN
        {NOTE_ADMINISTRATOR}
        {REQUIRE_ADMINISTRATOR}
    END
    """,
    f"""
    CREATE TRIGGER users_administered_delete AFTER DELETE ON users BEGIN
        {REQUIRE_ADMINISTRATOR}
    END
    """,
)

# Who leaves locks one of those who remain until the end of the transaction. Of two who leave at once, the second
# waits for the first, and then finds them gone, or fails as a serialization failure or a deadlock and is retried.
POSTGRESQL = (
    f"""
    CREATE FUNCTION users_last_administrator() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'TRUNCATE' THEN
            IF NOT EXISTS (SELECT 1 FROM users WHERE {CAN_ADMINISTER}) THEN
                RETURN NULL;
            END IF;
        ELSE
            PERFORM 1 FROM users WHERE {CAN_ADMINISTER} LIMIT 1 FOR SHARE;
            IF FOUND THEN
                RETURN NULL;
            END IF;
        END IF;
        RAISE EXCEPTION 'the last administrator who can sign in has to stay'
            USING ERRCODE = 'check_violation', CONSTRAINT = '{LAST_ADMINISTRATOR}', TABLE = 'users';
    END $$
    """,  # nosec B608
    f"""
    CREATE TRIGGER users_last_administrator_update AFTER UPDATE ON users FOR EACH ROW
    WHEN ({OLD_CAN_ADMINISTER} AND NOT ({NEW_CAN_ADMINISTER}))
    EXECUTE FUNCTION users_last_administrator()
    """,
    f"""
    CREATE TRIGGER users_last_administrator_delete AFTER DELETE ON users FOR EACH ROW
    WHEN ({OLD_CAN_ADMINISTER})
    EXECUTE FUNCTION users_last_administrator()
    """,
    """
    CREATE TRIGGER users_last_administrator_truncate BEFORE TRUNCATE ON users FOR EACH STATEMENT
    EXECUTE FUNCTION users_last_administrator()
    """,
)
create_with_table(User.__table__, sqlite=SQLITE, postgresql=POSTGRESQL)
