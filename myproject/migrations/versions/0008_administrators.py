"""Triggers that keep the last administrator, and names of saved views that are unique as a search compares them.

Names of one person's saved views that now count as the same are numbered, the older view keeps its name: École,
école (2).

Revision ID: 0008
Revises: 0007
Create Date: 2026-12-05 10:00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

CAN_ADMINISTER = "role = 'admin' AND active AND email IS NOT NULL AND password_hash IS NOT NULL"
NEW_CAN_ADMINISTER = "NEW.role = 'admin' AND NEW.active AND NEW.email IS NOT NULL AND NEW.password_hash IS NOT NULL"
OLD_CAN_ADMINISTER = NEW_CAN_ADMINISTER.replace("NEW.", "OLD.")
NOTE_ADMINISTRATOR = f"""INSERT INTO users_administered SELECT 1
            WHERE {NEW_CAN_ADMINISTER} AND NOT EXISTS (SELECT 1 FROM users_administered);"""  # nosec B608
REQUIRE_ADMINISTRATOR = f"""SELECT RAISE(ABORT, 'constraint failed: last_administrator')
            WHERE EXISTS (SELECT 1 FROM users_administered)
            AND NOT EXISTS (SELECT 1 FROM users WHERE {CAN_ADMINISTER});"""  # nosec B608
TRIGGERS = {
    "sqlite": (
        "CREATE TABLE users_administered (administered BOOLEAN NOT NULL)",
        f"INSERT INTO users_administered SELECT 1 WHERE EXISTS (SELECT 1 FROM users WHERE {CAN_ADMINISTER})",  # nosec B608
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
    ),
    "postgresql": (
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
                USING ERRCODE = 'check_violation', CONSTRAINT = 'last_administrator', TABLE = 'users';
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
    ),
}
NAME_LENGTH = 100
NAME_KEY = "substr(folded({name}), 1, 300)"


def upgrade() -> None:
    for statement in TRIGGERS[op.get_context().dialect.name]:
        op.execute(sa.DDL(statement))
    op.drop_index("uq_saved_views_name", "saved_views")
    number_equal_names(op.get_bind())
    key = NAME_KEY.format(name="name")
    op.create_index("uq_saved_views_name", "saved_views", ["user_id", sa.text(key)], unique=True)


def number_equal_names(connection: sa.Connection) -> None:
    """Append a number to each name that is the same as that of an older view of the same user."""
    views = sa.text(f"SELECT id, user_id, name, {NAME_KEY.format(name='name')} FROM saved_views ORDER BY user_id, id")  # nosec B608
    key_of = sa.text(f"SELECT {NAME_KEY.format(name=':name')}")
    rows = connection.execute(views).all()
    taken = {(user_id, key) for _, user_id, _, key in rows}
    seen = set()
    for view_id, user_id, name, old_key in rows:
        key, number = old_key, 2
        while (user_id, key) in seen:
            # Not one that another view has, which may come later.
            suffix = f" ({number})"
            numbered, number = name[: NAME_LENGTH - len(suffix)] + suffix, number + 1
            candidate = (user_id, connection.scalar(key_of, {"name": numbered}))
            if candidate not in taken:
                change = sa.text("UPDATE saved_views SET name = :name, version = version + 1 WHERE id = :id")
                connection.execute(change, {"name": numbered, "id": view_id})
                key = candidate[1]
                taken.add(candidate)
        seen.add((user_id, key))


def downgrade() -> None:
    op.drop_index("uq_saved_views_name", "saved_views")
    op.create_index("uq_saved_views_name", "saved_views", ["user_id", sa.text("lower(name)")], unique=True)
    if op.get_context().dialect.name == "sqlite":
        for name in ("users_administered_insert", "users_administered_update", "users_administered_delete"):
            op.execute(f"DROP TRIGGER {name}")
        op.execute("DROP TABLE users_administered")
    else:
        op.execute("DROP FUNCTION users_last_administrator CASCADE")
