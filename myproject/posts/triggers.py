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
POSTGRESQL = (
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
create_with_table(Post.__table__, sqlite=SQLITE, postgresql=POSTGRESQL)
