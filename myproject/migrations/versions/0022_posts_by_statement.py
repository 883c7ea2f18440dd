"""PostgreSQL keeps `users.has_posts` by triggers for each statement, so that 20,000 posts are deleted in a second.

Revision ID: 0022
Revises: 0021
Create Date: 2026-12-01 13:00:00
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"

BY_STATEMENT = (
    """
    CREATE FUNCTION posts_has_posts() RETURNS trigger LANGUAGE plpgsql SET enable_nestloop = off AS $$
    DECLARE
        former integer;
        author integer;
    BEGIN
        IF TG_OP = 'INSERT' THEN
            FOR author IN SELECT DISTINCT author_id FROM new_rows LOOP
                UPDATE users SET has_posts = true WHERE id = author AND NOT has_posts;
            END LOOP;
        END IF;
        IF TG_OP = 'DELETE' THEN
            FOR former IN SELECT DISTINCT author_id FROM old_rows LOOP
                UPDATE users SET has_posts = false WHERE id = former AND has_posts
                    AND NOT EXISTS (SELECT 1 FROM posts WHERE author_id = former);
            END LOOP;
        END IF;
        IF TG_OP = 'UPDATE' THEN
            FOR former, author IN
                SELECT DISTINCT old_rows.author_id, new_rows.author_id FROM old_rows JOIN new_rows USING (id)
                WHERE old_rows.author_id <> new_rows.author_id
            LOOP
                UPDATE users SET has_posts = false WHERE id = former AND has_posts
                    AND NOT EXISTS (SELECT 1 FROM posts WHERE author_id = former);
                UPDATE users SET has_posts = true WHERE id = author AND NOT has_posts;
            END LOOP;
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER posts_has_posts_insert AFTER INSERT ON posts REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION posts_has_posts()
    """,
    """
    CREATE TRIGGER posts_has_posts_update AFTER UPDATE ON posts REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION posts_has_posts()
    """,
    """
    CREATE TRIGGER posts_has_posts_delete AFTER DELETE ON posts REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION posts_has_posts()
    """,
)
BY_ROW = (
    """
    CREATE FUNCTION posts_has_posts() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP <> 'INSERT' THEN
            UPDATE users SET has_posts = false WHERE id = OLD.author_id AND has_posts
                AND NOT EXISTS (SELECT 1 FROM posts WHERE author_id = OLD.author_id);
        END IF;
        IF TG_OP <> 'DELETE' THEN
            UPDATE users SET has_posts = true WHERE id = NEW.author_id AND NOT has_posts;
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER posts_has_posts AFTER INSERT OR DELETE OR UPDATE OF author_id ON posts
    FOR EACH ROW EXECUTE FUNCTION posts_has_posts()
    """,
)


def upgrade() -> None:
    replace_triggers(BY_STATEMENT)


def downgrade() -> None:
    replace_triggers(BY_ROW)


def replace_triggers(statements: tuple[str, ...]) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION posts_has_posts CASCADE")
        for statement in statements:
            op.execute(sa.DDL(statement))
