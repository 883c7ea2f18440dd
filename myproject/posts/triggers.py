"""Triggers that keep `users.has_posts` correct, whichever program writes posts.

They write it only for a user's first post and after their last one is deleted, so that two posts of one user do not
wait for each other. On PostgreSQL it is correct if concurrent transactions are SERIALIZABLE, as those of requests are.
"""

from ..db.triggers import create_with_table
from .models import Post

SQLITE_HAS = "UPDATE users SET has_posts = 1 WHERE id = NEW.author_id AND NOT has_posts;"
SQLITE_HAS_NONE = """UPDATE users SET has_posts = 0 WHERE id = OLD.author_id AND has_posts
            AND NOT EXISTS (SELECT 1 FROM posts WHERE author_id = OLD.author_id);"""
SQLITE = (
    f"""
    CREATE TRIGGER posts_has_posts_insert AFTER INSERT ON posts BEGIN
        {SQLITE_HAS}
    END
    """,
    f"""
    CREATE TRIGGER posts_has_posts_update AFTER UPDATE OF author_id ON posts BEGIN
        {SQLITE_HAS_NONE}
        {SQLITE_HAS}
    END
    """,
    f"""
    CREATE TRIGGER posts_has_posts_delete AFTER DELETE ON posts BEGIN
        {SQLITE_HAS_NONE}
    END
    """,
)
# For each statement, and each author once: a trigger for each row would look at all rows that the statement has deleted
# before it finds that none is left, again for each of them. Without nested loops, since PostgreSQL keeps the plan of a
# statement with one row, and would compare each row before with each row after.
POSTGRESQL = (
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
create_with_table(Post.__table__, sqlite=SQLITE, postgresql=POSTGRESQL)
