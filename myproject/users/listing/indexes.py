"""The indexes and triggers by which the list of a million users costs what a short one does.

A page is read along the index of its order (BY_NAME and the others of models.py) or, with filters, along the pieces
that an index with KINDS has for each kind. Words are found by the trigrams of `search_text`.
"""

from sqlalchemy import DDL, Index, event, func, null

from ...db.folding import POSTGRESQL_FOLDED, POSTGRESQL_INITIALS
from ...db.triggers import create_with_table
from ..models import (
    BY_ACTIVE,
    BY_ADDED,
    BY_AGE,
    BY_EMAIL,
    BY_JOINED,
    BY_NAME,
    BY_ROLE,
    EMAIL_LENGTH,
    KINDS,
    NAME_LENGTH,
    users,
)

# Characters of a folded name: a Korean syllable unfolds to up to three letters. Longer names are cut, since PostgreSQL
# limits the size of an index entry.
FOLDED_LENGTH = 3 * NAME_LENGTH

# The indexes by name have age and joining too, so that both are checked without reading the row.
Index("ix_users_by_name", *BY_NAME, users.c.age, users.c.created_at)
Index("ix_users_by_email", *BY_EMAIL)
Index("ix_users_by_age", *BY_AGE, users.c.age)
Index("ix_users_by_role", *BY_ROLE)
Index("ix_users_by_active", *BY_ACTIVE)
Index("ix_users_by_joined", *BY_JOINED)
Index("ix_users_kinds_by_name", *KINDS, *BY_NAME, users.c.age, users.c.created_at)
Index("ix_users_kinds_by_age", *KINDS, *BY_AGE, users.c.age)
Index("ix_users_kinds_by_joined", *KINDS, *BY_JOINED)
Index("ix_users_kinds_by_added", *KINDS, *BY_ADDED)

# PostgreSQL finds three and more letters by trigrams, fewer by an index of single letters.
LETTERS = func.string_to_array(users.c.search_text, null())
Index(
    "ix_users_trigrams", users.c.search_text, postgresql_using="gin", postgresql_ops={"search_text": "gin_trgm_ops"}
).ddl_if(dialect="postgresql")
Index("ix_users_letters", LETTERS, postgresql_using="gin").ddl_if(dialect="postgresql")

# A line for the folded name, one for the initial consonants of its Korean syllables, one for the folded email. With the
# space before the first two, a word of the name that begins with "an" is found as " an". The two line feeds at the end
# make a trigram begin at each letter, so that SQLite finds one and two letters as well. A row with an empty search_text
# is not in users_trigrams yet. FTS5 is corrupted by deleting what is not in it, or with another text than was inserted.
SQLITE_SEARCH_TEXT = f"""' ' || substr(folded_2(NEW.name), 1, {FOLDED_LENGTH}) || char(10)
            || ' ' || initials(substr(folded_2(NEW.name), 1, {FOLDED_LENGTH})) || char(10)
            || substr(folded_2(coalesce(NEW.email, '')), 1, {EMAIL_LENGTH}) || char(10, 10)"""
SQLITE = (
    """
    CREATE VIRTUAL TABLE users_trigrams USING fts5(
        search_text, content='users', content_rowid='id', tokenize='trigram case_sensitive 1', detail=none, columnsize=0
    )
    """,
    "CREATE VIRTUAL TABLE users_trigrams_used USING fts5vocab(users_trigrams, row)",
    f"""
    CREATE TRIGGER users_search_text_insert AFTER INSERT ON users BEGIN
        INSERT INTO users_trigrams (rowid, search_text) SELECT NEW.id, NEW.search_text WHERE NEW.search_text <> '';
        UPDATE users SET search_text = {SQLITE_SEARCH_TEXT} WHERE id = NEW.id;
    END
    """,  # nosec B608
    f"""
    CREATE TRIGGER users_search_text_update AFTER UPDATE OF name, email ON users
    WHEN NEW.name IS NOT OLD.name OR NEW.email IS NOT OLD.email BEGIN
        UPDATE users SET search_text = {SQLITE_SEARCH_TEXT} WHERE id = NEW.id;
    END
    """,  # nosec B608
    """
    CREATE TRIGGER users_trigrams_update AFTER UPDATE OF id, search_text ON users
    WHEN NEW.id <> OLD.id OR NEW.search_text <> OLD.search_text BEGIN
        INSERT INTO users_trigrams (users_trigrams, rowid, search_text)
            SELECT 'delete', OLD.id, OLD.search_text WHERE OLD.search_text <> '';
        INSERT INTO users_trigrams (rowid, search_text) SELECT NEW.id, NEW.search_text WHERE NEW.search_text <> '';
    END
    """,
    """
    CREATE TRIGGER users_trigrams_delete AFTER DELETE ON users WHEN OLD.search_text <> '' BEGIN
        INSERT INTO users_trigrams (users_trigrams, rowid, search_text) VALUES ('delete', OLD.id, OLD.search_text);
    END
    """,
)
# SQLite compares moments as text, in which 12:00:00, as CURRENT_TIMESTAMP writes it, is before 12:00:00.000000.
SQLITE_MOMENTS = tuple(
    f"""
    CREATE TRIGGER users_created_at_{name} AFTER {change} ON users
    WHEN NEW.created_at NOT GLOB '????-??-?? ??:??:??.??????' BEGIN
        UPDATE users SET created_at = strftime('%%Y-%%m-%%d %%H:%%M:%%f000', NEW.created_at) WHERE id = NEW.id;
    END
    """  # nosec B608
    for name, change in {"insert": "INSERT", "update": "UPDATE OF created_at"}.items()
)
POSTGRESQL = (
    f"""
    CREATE FUNCTION users_search_text() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE folded_name text := left(folded_2(NEW.name), {FOLDED_LENGTH});
    BEGIN
        NEW.search_text := ' ' || folded_name || E'\\n ' || initials(folded_name) || E'\\n'
            || left(folded_2(coalesce(NEW.email, '')), {EMAIL_LENGTH}) || E'\\n\\n';
        RETURN NEW;
    END $$
    """,
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
for statement in ("CREATE EXTENSION IF NOT EXISTS pg_trgm", POSTGRESQL_FOLDED, POSTGRESQL_INITIALS):
    event.listen(users, "before_create", DDL(statement).execute_if(dialect="postgresql"))
create_with_table(users, sqlite=(*SQLITE, *SQLITE_MOMENTS), postgresql=POSTGRESQL)
