"""The migrations lead to the schema of the models and back, and keep the rows."""

import contextlib
import os
import re
import sqlite3
import subprocess
import sysconfig
import textwrap
import threading
import warnings
from collections import Counter
from pathlib import Path

import alembic.command
import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from myproject.db.folding import fold_1
from myproject.models import Base, Post, User
from tests import sqlite_only

ROOT = Path(__file__).parents[1]

FAILS_HALF_WAY = """
    op.create_table("badges", sa.Column("id", sa.Integer(), primary_key=True))
    op.add_column("users", sa.Column("nickname", sa.String(50)))
    op.execute("UPDATE users SET name = 'Nobody'")
    raise RuntimeError("half way")
"""
# A batch of Alembic loses AUTOINCREMENT, indexes over expressions, and triggers.
REBUILDS_USERS = """
    from myproject.signin import triggers
    from myproject.users import administrators
    from myproject.db import version
    from myproject.history import recording
    from myproject.users.listing.indexes import SQLITE, SQLITE_MOMENTS, users

    with op.batch_alter_table("users", recreate="always", table_kwargs={"sqlite_autoincrement": True}):
        pass
    for index in users.indexes:
        index.create(op.get_bind(), checkfirst=True)
    for statement in (*administrators.SQLITE, *triggers.SQLITE, *SQLITE, *SQLITE_MOMENTS):
        if "CREATE TRIGGER" in statement:
            op.execute(sa.DDL(statement))
    for statement in version.replacement_triggers("sqlite", "users")[1:]:
        op.execute(statement)
    op.execute(version.update_trigger("sqlite", "users", ("name", "email", "age", "role", "active")))
    names = ("name", "email", "age", "role", "active", "created_at", "time_zone")
    recording.record_columns(op.get_bind(), "users", names)
"""
LOSES_TRIGGERS = """
    if op.get_context().dialect.name == "sqlite":
        op.execute("DROP TRIGGER posts_history_delete")
    else:
        op.execute("DROP TRIGGER posts_history_delete ON posts")
"""
ORPHANS_A_POST = """
    op.execute("DELETE FROM users WHERE name = 'Ada Lovelace'")
"""


# Tables are described by their columns, everything else by PostgreSQL's own definition.
POSTGRESQL_SCHEMA = r"""
    SELECT relname, string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull,
                                         pg_get_expr(adbin, adrelid), attcollation), ', '
                               ORDER BY attnum)
    FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
    LEFT JOIN pg_attrdef ON adrelid = pg_class.oid AND adnum = attnum
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped
    GROUP BY relname
    UNION ALL SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT indexname, indexdef FROM pg_indexes
    WHERE schemaname = 'public' AND indexname NOT IN (SELECT conname FROM pg_constraint)
    UNION ALL SELECT tgname || ' of ' || tgrelid::regclass, pg_get_triggerdef(oid) FROM pg_trigger
    WHERE NOT tgisinternal
    UNION ALL SELECT proname || '()', regexp_replace(pg_get_functiondef(oid), '\s+', ' ', 'g') FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'
    AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
"""


@pytest.fixture
def add_migration(tmp_path):
    """Call `add_migration(body)`: append a migration whose upgrade() does that."""

    def add(body):
        (tmp_path / "migrations" / "versions" / "9999_added.py").write_text(
            "import sqlalchemy as sa\nfrom alembic import op\nfrom myproject.db.version import replace_update_trigger\n"
            "from myproject.history.recording import record_columns\n"
            "RECORDED = ('name', 'email', 'age', 'role', 'active', 'created_at', 'time_zone')\n"
            f"revision, down_revision = '9999', {head()!r}\n\n"
            f"def upgrade():\n{textwrap.indent(textwrap.dedent(body), '    ')}\n"
        )

    return add


def test_an_upgraded_empty_database_equals_the_models(empty, new_database, config):
    alembic.command.upgrade(config(empty), "head")
    expected = new_database()
    Base.metadata.create_all(expected)
    assert schema(empty) == schema(expected)
    assert set(schema(empty)) >= {"users", "posts", "receipts", "uq_users_email", "ix_users_by_name"}
    assert differences(empty) == []


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("AUTOINCREMENT", ""),
        ("BETWEEN 0 AND 150", "BETWEEN 0 AND 151"),
        ("ck_users_age_range", "ck_users_age"),
        ("VARCHAR(320)", "VARCHAR(321)"),
        ("DEFAULT 'member'", ""),
        ("(lower(email))", "(upper(email))"),
        ("UNIQUE", ""),
    ],
)
def test_the_comparison_finds_what_alembic_misses(empty, right, wrong):
    Base.metadata.create_all(empty)
    made = {name: sql for _, name, sql in statements(empty)}
    [name] = [name for name, sql in made.items() if right in sql and "users" in name]
    assert parsed(made[name].replace(right, wrong)) != parsed(made[name])


@pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE users DROP CONSTRAINT ck_users_age_range",
        "ALTER TABLE users RENAME CONSTRAINT ck_users_age_range TO ck_users_age",
        "ALTER TABLE sign_ins ALTER browser TYPE VARCHAR(301)",
        "ALTER TABLE users ALTER role DROP DEFAULT",
        "ALTER TABLE users ALTER active DROP NOT NULL",
        "ALTER TABLE posts DROP CONSTRAINT fk_posts_author_id",
        "DROP INDEX uq_users_email; CREATE UNIQUE INDEX uq_users_email ON users (upper(email))",
        "DROP INDEX uq_users_email; CREATE INDEX uq_users_email ON users (lower(email))",
    ],
)
def test_the_comparison_finds_what_alembic_misses_on_postgresql(empty, statement):
    Base.metadata.create_all(empty)
    made = schema(empty)
    with empty.begin() as connection:
        connection.exec_driver_sql(statement)
    assert schema(empty) != made


def test_a_downgrade_leaves_nothing_and_can_be_upgraded_again(empty, config):
    alembic.command.upgrade(config(empty), "head")
    upgraded = schema(empty)
    alembic.command.downgrade(config(empty), "base")
    assert schema(empty) == {}
    assert stored(empty, "SELECT * FROM alembic_version") == []
    alembic.command.upgrade(config(empty), "head")
    assert schema(empty) == upgraded


def test_a_failed_first_upgrade_keeps_the_revisions_before_it(empty, new_database, config, add_migration):
    before = head()
    add_migration(FAILS_HALF_WAY)
    with pytest.raises(RuntimeError, match="half way"):
        alembic.command.upgrade(config(empty), "head")
    expected = new_database()
    alembic.command.upgrade(config(expected), before)
    assert schema(empty) == schema(expected)
    assert stored(empty, "SELECT * FROM alembic_version") == [(before,)]


def test_a_failed_upgrade_changes_no_table_and_no_row(outside, config, add_migration, make_post, rows):
    make_post()
    before = schema(outside), stored(outside, "SELECT * FROM alembic_version")
    add_migration(FAILS_HALF_WAY)
    with pytest.raises(RuntimeError, match="half way"):
        alembic.command.upgrade(config(outside), "head")
    assert (schema(outside), stored(outside, "SELECT * FROM alembic_version")) == before
    assert [user.name for user in rows(User)] == ["Ada Lovelace"]


def test_a_migration_that_loses_a_trigger_of_the_history_changes_nothing(outside, config, add_migration):
    before = schema(outside)
    add_migration(LOSES_TRIGGERS)
    with pytest.raises(RuntimeError, match=r"has dropped triggers of the history: posts_history_delete$"):
        alembic.command.upgrade(config(outside), "head")
    assert schema(outside) == before


@sqlite_only
def test_rows_survive_a_migration_that_rebuilds_the_table(outside, config, add_migration, make_post, rows):
    post, before = make_post(title="Hello"), schema(outside)
    add_migration(REBUILDS_USERS)
    alembic.command.upgrade(config(outside), "head")
    assert schema(outside) == before
    assert [(user.id, user.name) for user in rows(User)] == [(post.author_id, "Ada Lovelace")]
    assert [(kept.title, kept.author_id) for kept in rows(Post)] == [("Hello", post.author_id)]


# The beginning of a statement, and before which of those that begin so the migration of the search stops.
STOPS = {
    "before the first batch": ("UPDATE users SET has_posts", 1),
    "between two batches": ("UPDATE users SET has_posts", 2),
    "in the indexes": ("CREATE INDEX", 3),
    "after the indexes": ("DROP INDEX", 1),
    "at its end": ("UPDATE alembic_version", 1),
}


@pytest.mark.parametrize("place", STOPS)
def test_an_interrupted_migration_of_the_search_can_be_resumed(empty, config, place):
    alembic.command.upgrade(config(empty), "0004")
    store_two_batches(empty)
    with before_statement(*STOPS[place], stop), pytest.raises(RuntimeError, match="stopped"):
        alembic.command.upgrade(config(empty), "0005")
    with empty.begin() as connection:
        connection.exec_driver_sql("UPDATE users SET name = 'Jane' || id WHERE id IN (2, 3)")
        connection.exec_driver_sql("INSERT INTO posts (title, body, author_id) VALUES ('Hello', 'World', 3)")
        connection.exec_driver_sql("DELETE FROM users WHERE id = 1")
    alembic.command.upgrade(config(empty), "head")
    assert_filled(empty, {" jose ": ROWS - 3, " jane2": 1, " jane3": 1}, with_posts=[2, 3, ROWS])
    assert differences(empty) == []


def test_a_migration_of_the_search_waits_for_a_locked_row(empty, config, monkeypatch):
    alembic.command.upgrade(config(empty), "0004")
    store_two_batches(empty)
    monkeypatch.setattr("myproject.db.postgresql.SESSION_SETTINGS", "SET timezone = 'UTC'; SET lock_timeout = '50ms'")
    with empty.connect() as connection:

        def lock_for_a_while():
            connection.exec_driver_sql("UPDATE users SET name = 'Jane' WHERE id = 4000")
            threading.Timer(0.5, connection.commit).start()

        with before_statement("UPDATE users SET has_posts", 1, lock_for_a_while) as executed:
            alembic.command.upgrade(config(empty), "head")
    # Each of the two batches once, and on PostgreSQL the first one again while the row was locked.
    assert len(executed) == 2 if empty.dialect.name == "sqlite" else len(executed) > 2
    assert_filled(empty, {" jose ": ROWS - 1, " jane\n": 1}, with_posts=[2, ROWS])
    assert differences(empty) == []


ROWS = 5001


def store_two_batches(engine):
    """Store users, one more than a batch of the migration has, and posts of the second and the last one."""
    numbers = f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS}) "
    with engine.begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO users (id, name) {numbers} SELECT i, 'José ' || i FROM n")
        for number in (2, ROWS):
            connection.exec_driver_sql(
                f"INSERT INTO posts (title, body, author_id) VALUES ('Hello', 'World', {number})"
            )


def assert_filled(engine, numbers, with_posts):
    """Check how many users are found by the beginning of their name, and who has posts."""
    starts = Counter(text[:6] for (text,) in stored(engine, "SELECT search_text FROM users"))
    assert starts == numbers
    assert [number for (number,) in stored(engine, "SELECT id FROM users WHERE has_posts ORDER BY id")] == with_posts
    if engine.dialect.name == "sqlite":
        with engine.begin() as connection:
            check = "INSERT INTO users_trigrams (users_trigrams, rank) VALUES ('integrity-check', 1)"
            connection.exec_driver_sql(check)


@pytest.mark.parametrize("new_database", ["postgresql"], indirect=True)
@pytest.mark.parametrize("start", ["SELECT 1 FROM pg_proc", "UPDATE users SET search_text"])
def test_a_process_of_an_older_version_may_write_while_names_are_folded_again(empty, config, start):
    alembic.command.upgrade(config(empty), "0013")
    with empty.begin() as connection:
        connection.exec_driver_sql("INSERT INTO users (name) VALUES ('Øystein')")
    with empty.connect() as connection:

        def write_for_a_while():
            connection.exec_driver_sql("INSERT INTO users (name) VALUES ('Łukasz')")
            threading.Timer(0.5, connection.commit).start()

        with before_statement(start, 1, write_for_a_while):
            alembic.command.upgrade(config(empty), "head")
    texts = "SELECT name, search_text, version FROM users ORDER BY id"
    assert stored(empty, texts) == [("Øystein", " oystein\n \n\n\n", 1), ("Łukasz", " lukasz\n \n\n\n", 1)]


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)
def test_a_process_of_an_older_version_writes_no_name_once_names_are_folded_again(empty, config):
    alembic.command.upgrade(config(empty), "0013")
    with contextlib.closing(sqlite3.connect(empty.url.database)) as older:
        older.create_function("folded", 1, fold_1, deterministic=True)
        older.execute("INSERT INTO users (name) VALUES ('Łukasz')")
        older.commit()
        alembic.command.upgrade(config(empty), "head")
        for statement in ("INSERT INTO users (name) VALUES ('Łucja')", "UPDATE users SET name = 'Łucja'"):
            with pytest.raises(sqlite3.OperationalError, match="folded_2"):
                older.execute(statement)
        older.rollback()
        assert older.execute("SELECT name FROM users").fetchall() == [("Łukasz",)]
    assert stored(empty, "SELECT search_text FROM users") == [(" lukasz\n \n\n\n",)]


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)
def test_a_downgrade_counts_the_users_of_each_kind_again(empty, config):
    alembic.command.upgrade(config(empty), "head")
    with empty.begin() as connection:
        for name, role in {"Ada": "admin", "Bob": "member", "Carl": "member"}.items():
            connection.exec_driver_sql(f"INSERT INTO users (name, role) VALUES ('{name}', '{role}')")
    alembic.command.downgrade(config(empty), "0007")
    assert stored(empty, "SELECT * FROM users_kinds") == [("admin", 1, 0, 1), ("member", 1, 0, 2)]


@pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)
def test_moments_of_other_programs_get_the_notation_in_which_the_list_compares_them(empty, config):
    alembic.command.upgrade(config(empty), "0016")
    written = ["2026-01-31 15:00:00", "2026-01-31T15:00:00.250Z", "2026-01-31 15:00:00.123456", "long ago"]
    with empty.begin() as connection:
        for moment in written:
            connection.exec_driver_sql(f"INSERT INTO users (name, created_at) VALUES ('Ada', '{moment}')")
    alembic.command.upgrade(config(empty), "head")
    moments = [moment for (moment,) in stored(empty, "SELECT created_at FROM users ORDER BY id")]
    assert moments == [f"2026-01-31 15:00:00.{fraction}" for fraction in ("000000", "250000", "123456")] + ["long ago"]


def test_the_sign_ins_at_the_upgrade_are_the_first_security_events(empty, config):
    alembic.command.upgrade(config(empty), "0017")
    with empty.begin() as connection:
        connection.exec_driver_sql("INSERT INTO users (name) VALUES ('Ada')")
        for day in 21, 20:
            connection.exec_driver_sql(
                "INSERT INTO sign_ins (token, user_id, address, browser, created_at, seen_at, confirmed_at) VALUES"
                f" ('{day}', 1, '192.0.2.{day}', '', '2026-11-{day}', '2026-11-22', '2026-11-22')"
            )
    alembic.command.upgrade(config(empty), "head")
    events = stored(empty, "SELECT kind, user_id, address, facts FROM security_events ORDER BY id")
    assert events == [("signed in", 1, f"192.0.2.{day}", "{}") for day in (20, 21)]


def test_the_downgrade_keeps_the_receipt_of_a_page_with_a_long_address(empty, config):
    alembic.command.upgrade(config(empty), "0003")
    with empty.begin() as connection:
        for token, location in {"short": "/users", "long": f"/users?q={'x' * 2000}"}.items():
            connection.exec_driver_sql(
                f"INSERT INTO receipts (token, location, created_at) VALUES ('{token}', '{location}', '2026-01-01')"
            )
    alembic.command.downgrade(config(empty), "0002")
    assert stored(empty, "SELECT token, location FROM receipts ORDER BY token") == [("long", "/"), ("short", "/users")]


def test_an_existing_administrator_is_kept_after_the_migration(empty, config):
    alembic.command.upgrade(config(empty), "0007")
    with empty.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO users (name, email, role, password_hash) VALUES ('Ada', 'ada@example.com', 'admin', 'x')"
        )
    alembic.command.upgrade(config(empty), "head")
    with pytest.raises(sqlalchemy.exc.IntegrityError, match="administrator"), empty.begin() as connection:
        connection.exec_driver_sql("DELETE FROM users")


def test_equal_names_of_existing_saved_views_are_numbered(empty, config):
    alembic.command.upgrade(config(empty), "0007")
    with empty.begin() as connection:
        for number in (1, 2):
            connection.exec_driver_sql(f"INSERT INTO users (name) VALUES ('User {number}')")
        for user_id, name in [
            (1, "École"), (1, "Ecole"), (1, "ECOLE (2)"), (1, "É" * 100), (1, "E" * 100), (2, "École"), (1, "Other"),
        ]:  # fmt: skip
            connection.exec_driver_sql(
                f"INSERT INTO saved_views (user_id, name, query) VALUES ({user_id}, '{name}', 'role=admin')"
            )
    alembic.command.upgrade(config(empty), "head")
    found = stored(empty, "SELECT user_id, name, version FROM saved_views ORDER BY id")
    assert found == [
        (1, "École", 1), (1, "Ecole (3)", 2), (1, "ECOLE (2)", 1), (1, "É" * 100, 1), (1, "E" * 96 + " (2)", 2),
        (2, "École", 1), (1, "Other", 1),
    ]  # fmt: skip
    alembic.command.downgrade(config(empty), "0007")
    assert stored(empty, "SELECT user_id, name, version FROM saved_views ORDER BY id") == found


@contextlib.contextmanager
def before_statement(start, number, act):
    """Call `act()` before the `number`th statement in the block that begins with `start`; yield those, as a list."""
    executed = []

    def count(_connection, _cursor, statement, *_):
        if statement.lstrip().startswith(start):
            executed.append(statement)
            if len(executed) == number:
                act()

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", count)
    try:
        yield executed
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", count)


def stop():
    """Interrupt the migration."""
    raise RuntimeError("stopped")


def test_the_guide_adds_a_column_and_changes_nothing_else(outside, config, add_migration):
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    [body] = re.findall(r"def upgrade\(\) -> None:\n(.*?)\n\n", guide, re.DOTALL)
    before = schema(outside)
    add_migration(textwrap.dedent(body))
    alembic.command.upgrade(config(outside), "head")
    changed = {name for name in schema(outside) if schema(outside)[name] != before.get(name)}
    recording = {f"users_history_{event}" for event in ("before_insert", "before_update", "insert", "update", "delete")}
    assert changed <= {"users", "ck_users_phone_length", "users_version", "users_version of users", *recording}
    with pytest.raises(sqlalchemy.exc.IntegrityError, match="ck_users_phone_length"), outside.begin() as connection:
        connection.exec_driver_sql("INSERT INTO users (name, phone) VALUES ('John Doe', '')")


def test_a_migration_that_orphans_posts_is_refused(outside, config, add_migration, make_post, rows):
    make_post()
    add_migration(ORPHANS_A_POST)
    with pytest.raises(Exception, match="posts"):
        alembic.command.upgrade(config(outside), "head")
    assert [user.name for user in rows(User)] == ["Ada Lovelace"]


def test_autogenerate_finds_nothing_in_an_upgraded_database(outside, config):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*expression-based index")
        script = alembic.command.revision(config(outside), "nothing", autogenerate=True)
    lines = [line.strip() for line in Path(script.path).read_text().splitlines()]
    code = [line for line in lines[lines.index("def upgrade() -> None:") :] if line and not line.startswith("#")]
    assert code == ["def upgrade() -> None:", "pass", "def downgrade() -> None:", "pass"]


def test_alembic_runs_in_a_shell_without_warnings(empty):
    upgrade, current, check = (run_alembic(empty, *words) for words in (["upgrade", "head"], ["current"], ["check"]))
    assert (upgrade.returncode, upgrade.stdout) == (0, "")
    assert (current.returncode, current.stdout) == (0, f"{head()} (head)\n")
    assert (check.returncode, check.stdout) == (0, "No new upgrade operations detected.\n")
    assert "warning" not in (upgrade.stderr + current.stderr + check.stderr).lower()


def run_alembic(engine, *words):
    """Run `alembic -c development.ini …` in the checkout, on the database of `engine`."""
    return subprocess.run(
        [os.path.join(sysconfig.get_path("scripts"), "alembic"), "-c", "development.ini", *words],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": engine.url.render_as_string()},
        capture_output=True,
        text=True,
        timeout=60,
    )


def head():
    """Return the newest revision of the project."""
    return sorted(path.name[:4] for path in (ROOT / "myproject/migrations/versions").glob("[0-9]*.py"))[-1]


def differences(engine):
    """Return the differences that Alembic finds between the models and the database."""
    with engine.connect() as connection, warnings.catch_warnings():
        # `schema` compares indexes over expressions.
        warnings.filterwarnings("ignore", ".*expression-based index")
        options = {"compare_type": True, "compare_server_default": True, "include_object": is_of_this_database}
        return compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)


def is_of_this_database(item, name, kind, *_):
    """Return whether Alembic compares an item, as `is_compared` of env.py decides."""
    only_here = ("users_administered", "users_trigrams", "ix_users_trigrams", "ix_users_letters")
    only_here += ("history_open", "history_never")
    return not name.startswith(only_here) and not name.endswith("_replaced")


def stored(engine, statement):
    """Return the rows that `statement` finds, as tuples."""
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement)]


# What only servers of an older version call, which go on during an upgrade.
OLD = {"folded()"}


def schema(engine):
    """Return {name: definition} of everything in the schema except Alembic's table."""
    if engine.dialect.name == "postgresql":
        found = stored(engine, POSTGRESQL_SCHEMA)
        return {name: sql for name, sql in found if not name.startswith("alembic_version") and name not in OLD}
    return {name: parsed(sql) for _, name, sql in statements(engine)}


def statements(engine):
    """Return (type, name, SQL) of everything in the schema except SQLite's and Alembic's own tables."""
    found = stored(engine, "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return [row for row in found if row[1] != "alembic_version" and not row[1].startswith("sqlite_")]


def parsed(sql):
    """Return the columns of a CREATE TABLE in their order and its constraints in any; any other SQL as it is.

    Ignores spaces, quotation marks around names, and brackets around defaults.
    """
    sql = re.sub(r"\s+", " ", sql).replace('"', "").strip()
    sql = re.sub(r"DEFAULT \((\w+|'')\)", r"DEFAULT \1", sql)
    if not sql.startswith("CREATE TABLE"):
        return sql
    name, _, rest = sql.partition("(")
    body, _, options = rest.rpartition(")")
    # A constraint may be written after its column.
    parts = [part for each in top_level_parts(body) for part in re.split(r"(?<!^) (?=CONSTRAINT )", each)]
    constraints = [part for part in parts if re.match("CONSTRAINT|CHECK|UNIQUE|PRIMARY|FOREIGN", part)]
    return name.strip(), [part for part in parts if part not in constraints], sorted(constraints), options


def top_level_parts(text):
    """Split `text` at the commas outside of brackets and quotation marks."""
    parts, depth, quoted = [""], 0, False
    for character in text:
        quoted ^= character == "'"
        depth += 0 if quoted else (character == "(") - (character == ")")
        if character == "," and depth == 0 and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]
