"""What the ledger records, and the triggers that record it in the transaction of the write.

The database records whichever program writes: the ORM, bulk statements, SQL text, a cascade, another program. Several
writes of one record in a transaction are one Change, with the first values before and the last ones after. If these are
equal, there is no Change, and without a Change no Entry.

Who writes is told by context.py. On PostgreSQL a transaction of another program is an Entry of its own. On SQLite,
whose transactions have no number, each of its statements is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Boolean, Connection, inspect

from ..db import Base
from ..db.triggers import create_with_table
from ..overview.models import StoredFigures
from ..posts.models import Post
from ..signin.models import FailedSignIn, PasswordLink, SignIn
from ..users.bulk.models import SelectedUser, Selection
from ..users.imports.models import AppliedImport
from ..users.models import User
from ..users.saved_views.models import SavedView
from ..web.receipts import Receipt
from .events.models import SecurityEvent
from .models import Change, Entry


@dataclass(frozen=True)
class Recorded:
    """How a table is recorded: `owner` is the column of the user to whom a record belongs.

    `unique` are the conditions, other than the same id, under which SQLite's REPLACE deletes a row in favour of the row
    NEW: those of the table's unique indexes.
    """

    owner: str
    unique: Sequence[str] = ()


RECORDED: Mapping[type[Base], Recorded] = {
    User: Recorded("id", ["lower(email) = lower(NEW.email)"]),
    Post: Recorded("author_id"),
    SavedView: Recorded(
        "user_id", ["user_id = NEW.user_id AND substr(folded_2(name), 1, 300) = substr(folded_2(NEW.name), 1, 300)"]
    ),
}
NOT_RECORDED: Mapping[type[Base], str] = {
    Entry: "It is the ledger itself.",
    Change: "It is the ledger itself.",
    SecurityEvent: "It is a history of its own, with another retention.",
    SignIn: "Signing in changes no record, and undoing must never sign anybody in.",
    PasswordLink: "A link is a secret that ends within a day.",
    FailedSignIn: "It counts guesses, and is removed within an hour.",
    Receipt: "It keeps a form from being applied twice, and expires.",
    Selection: "It is not a record of the organisation, and expires within a day.",
    SelectedUser: "It is part of a selection.",
    AppliedImport: "It says that a transaction has committed, as the entry itself does.",
    StoredFigures: "The figures are counted again from the records.",
}
# Columns that the database computes, and the one that is a secret.
NEVER_RECORDED = ("search_text", "has_posts", "version", "updated_at", "password_hash")

SQLITE_LEDGER = (
    # The transaction of the application that is open now, and its entry after its first change. The row must be gone
    # at the COMMIT: its deferred foreign key leads to a table that is always empty. A COMMIT that passes the
    # application by fails, so that no later write of another program can be taken for one of this person.
    "CREATE TABLE history_never (id INTEGER NOT NULL PRIMARY KEY)",
    """
    CREATE TABLE history_open (
        actor_id INTEGER, route VARCHAR, request_id VARCHAR, attempts INTEGER, undoes_id INTEGER, entry_id INTEGER,
        never INTEGER NOT NULL DEFAULT 1 REFERENCES history_never (id) DEFERRABLE INITIALLY DEFERRED
    )
    """,
    # The triggers of the tables insert into this view. Its trigger writes the ledger.
    """
    CREATE VIEW history_record AS
    SELECT NULL AS table_name, NULL AS record_id, NULL AS record_version, NULL AS owner_id,
        NULL AS before, NULL AS after WHERE 0
    """,
    # 'now' is the same within a statement, in milliseconds. The statements have no upsert: the OR clause of the
    # statement that fires a trigger replaces those of the trigger's own statements.
    """
    CREATE TRIGGER history_record INSTEAD OF INSERT ON history_record BEGIN
        INSERT INTO history_entries (created_at, actor_id, route, request_id, attempts, undoes_id)
            SELECT strftime('%%Y-%%m-%%d %%H:%%M:%%f000', 'now'), actor_id, route, request_id, attempts, undoes_id
            FROM (SELECT 1) LEFT JOIN history_open ON 1
            WHERE entry_id IS NULL AND NOT EXISTS (
                SELECT 1 FROM history_entries WHERE id = (SELECT max(id) FROM history_entries) AND route IS NULL
                AND created_at = strftime('%%Y-%%m-%%d %%H:%%M:%%f000', 'now')
                AND NOT EXISTS (SELECT 1 FROM history_open)
            );
        UPDATE history_open SET entry_id = (SELECT max(id) FROM history_entries) WHERE entry_id IS NULL;
        UPDATE history_changes
            SET after = NEW.after, record_version = NEW.record_version, owner_id = NEW.owner_id
            WHERE entry_id = coalesce((SELECT entry_id FROM history_open), (SELECT max(id) FROM history_entries))
            AND table_name = NEW.table_name AND record_id = NEW.record_id;
        INSERT INTO history_changes (entry_id, table_name, record_id, record_version, owner_id, before, after)
            SELECT coalesce((SELECT entry_id FROM history_open), (SELECT max(id) FROM history_entries)),
                NEW.table_name, NEW.record_id, NEW.record_version, NEW.owner_id, NEW.before, NEW.after
            WHERE changes() = 0;
        DELETE FROM history_changes
            WHERE entry_id = coalesce((SELECT entry_id FROM history_open), (SELECT max(id) FROM history_entries))
            AND table_name = NEW.table_name AND record_id = NEW.record_id AND before IS after;
        DELETE FROM history_entries
            WHERE id = coalesce((SELECT entry_id FROM history_open), (SELECT max(id) FROM history_entries))
            AND NOT EXISTS (SELECT 1 FROM history_changes WHERE entry_id = history_entries.id);
        UPDATE history_open SET entry_id = NULL WHERE NOT EXISTS (SELECT 1 FROM history_entries WHERE id = entry_id);
    END
    """,
)
# With recursive_triggers off, as other programs have it, REPLACE fires no DELETE trigger for the row that it deletes.
# So the rows that may be replaced are remembered before, and recorded after if they are gone.
SQLITE_REPLACED = """
    CREATE TABLE {table}_history_replaced (id INTEGER NOT NULL PRIMARY KEY, version INTEGER, owner INTEGER, before TEXT)
"""
SQLITE_RECORD_REPLACED = """INSERT INTO history_record
            SELECT '{table}', id, version, owner, before, NULL FROM {table}_history_replaced AS replaced
            WHERE id = NEW.id AND {is_insert} OR NOT EXISTS (SELECT 1 FROM {table} WHERE id = replaced.id);
        DELETE FROM {table}_history_replaced;"""
SQLITE_TRIGGERS = {
    "{table}_history_before_insert": """
    BEFORE INSERT ON {table}
    WHEN EXISTS (SELECT 1 FROM {table} WHERE {is_replaced}) OR EXISTS (SELECT 1 FROM {table}_history_replaced) BEGIN
        DELETE FROM {table}_history_replaced;
        INSERT INTO {table}_history_replaced SELECT id, version, {owner}, {values} FROM {table} WHERE {is_replaced};
    END
    """,
    "{table}_history_insert": """
    AFTER INSERT ON {table} BEGIN
        {record_replaced_by_insert}
        INSERT INTO history_record VALUES ('{table}', NEW.id, NEW.version, NEW.{owner}, NULL, {new});
    END
    """,
    "{table}_history_id": """
    BEFORE UPDATE ON {table} WHEN NEW.id IS NOT OLD.id BEGIN
        SELECT RAISE(ABORT, 'the id of a record cannot be changed');
    END
    """,
    "{table}_history_before_update": """
    BEFORE UPDATE ON {table}
    WHEN EXISTS (SELECT 1 FROM {table} WHERE id <> OLD.id AND ({is_replaced})) BEGIN
        DELETE FROM {table}_history_replaced;
        INSERT INTO {table}_history_replaced
            SELECT id, version, {owner}, {values} FROM {table} WHERE id <> OLD.id AND ({is_replaced});
    END
    """,
    "{table}_history_update": """
    AFTER UPDATE OF {columns} ON {table} WHEN ({new_columns}) IS NOT ({old_columns}) BEGIN
        {record_replaced_by_update}
        INSERT INTO history_record VALUES ('{table}', NEW.id, NEW.version, NEW.{owner}, {old}, {new});
    END
    """,
    "{table}_history_delete": """
    AFTER DELETE ON {table} BEGIN
        DELETE FROM {table}_history_replaced WHERE id = OLD.id;
        INSERT INTO history_record VALUES ('{table}', OLD.id, OLD.version, OLD.{owner}, {old}, NULL);
    END
    """,
}

# The changed rows of a statement, by its kind: of triggers that have their rows as `old_rows` and `new_rows`.
POSTGRESQL_CHANGED = {
    "INSERT": "SELECT id, version, NULL::jsonb AS before, to_jsonb(new_rows) - hidden AS after FROM new_rows",
    "UPDATE": """
                    SELECT id, new_rows.version, to_jsonb(old_rows) - hidden AS before,
                        to_jsonb(new_rows) - hidden AS after
                    FROM old_rows JOIN new_rows USING (id)
                """,
    "DELETE": "SELECT id, version, to_jsonb(old_rows) - hidden AS before, NULL::jsonb AS after FROM old_rows",
}
POSTGRESQL_RECORD = """
        IF TG_OP = '{kind}' THEN
            WITH written AS (
                INSERT INTO history_changes AS kept
                    (entry_id, table_name, record_id, record_version, owner_id, before, after)
                SELECT entry, TG_TABLE_NAME, id, version,
                    coalesce((coalesce(after, before)->>TG_ARGV[0])::integer, id), before, after
                FROM ({changed}) AS changed WHERE before IS DISTINCT FROM after
                ON CONFLICT (entry_id, table_name, record_id) DO UPDATE SET
                    after = excluded.after, record_version = excluded.record_version, owner_id = excluded.owner_id
                RETURNING kept.before IS NOT DISTINCT FROM kept.after AS is_equal
            )
            SELECT count(*), bool_or(is_equal) INTO number, has_equal FROM written;
        END IF;"""  # nosec B608
POSTGRESQL_RECORDS = "".join(
    POSTGRESQL_RECORD.format(kind=kind, changed=rows) for kind, rows in POSTGRESQL_CHANGED.items()
)
# A write reads nothing of the ledger, or serializable transactions would conflict by it: the number of the entry comes
# from the sequence, and is kept for the transaction. Only a change that was taken back is looked up, to remove it.
# Without the first two settings, one row takes 80 ms after a change of many, whose plan PostgreSQL has kept. Without
# the third, a change of many takes minutes after a change of one row: PostgreSQL keeps the number of rows that it
# expects, and compares each row before with each row after.
POSTGRESQL_LEDGER = (
    f"""
    CREATE FUNCTION history_record() RETURNS trigger LANGUAGE plpgsql
    SET jit = off SET plan_cache_mode = force_custom_plan SET enable_nestloop = off SET timezone = 'UTC' AS $$
    DECLARE
        hidden text[] := TG_ARGV[1:];
        told jsonb := nullif(current_setting('history.told', true), '')::jsonb;
        open_entry integer := nullif(current_setting('history.entry', true), '');
        entry integer := coalesce(open_entry, nextval('history_entries_id_seq'));
        number integer;
        has_equal boolean;
    BEGIN
        {POSTGRESQL_RECORDS.strip()}
        IF open_entry IS NULL AND number > 0 THEN
            INSERT INTO history_entries (id, created_at, actor_id, route, request_id, attempts, undoes_id)
            VALUES (entry, now(), (told->>'actor_id')::integer, told->>'route', told->>'request_id',
                (told->>'attempts')::integer, (told->>'undoes_id')::integer);
            PERFORM set_config('history.entry', entry::text, true);
        END IF;
        IF has_equal THEN
            DELETE FROM history_changes WHERE entry_id = entry AND before IS NOT DISTINCT FROM after;
            IF NOT EXISTS (SELECT 1 FROM history_changes WHERE entry_id = entry) THEN
                DELETE FROM history_entries WHERE id = entry;
                PERFORM set_config('history.entry', '', true);
            END IF;
        END IF;
        RETURN NULL;
    END $$
    """,  # nosec B608
    """
    CREATE FUNCTION history_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'TRUNCATE' THEN
            RAISE EXCEPTION 'TRUNCATE passes the history by; use DELETE' USING ERRCODE = 'feature_not_supported';
        END IF;
        RAISE EXCEPTION 'the id of a record cannot be changed' USING ERRCODE = 'feature_not_supported';
    END $$
    """,
)
# Transition tables allow neither a list of columns nor several events in one trigger.
POSTGRESQL_TRIGGERS = {
    "{table}_history_insert": """
    AFTER INSERT ON {table} REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION history_record({arguments})
    """,
    "{table}_history_update": """
    AFTER UPDATE ON {table} REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION history_record({arguments})
    """,
    "{table}_history_delete": """
    AFTER DELETE ON {table} REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION history_record({arguments})
    """,
    "{table}_history_id": """
    BEFORE UPDATE OF id ON {table} FOR EACH ROW WHEN (NEW.id IS DISTINCT FROM OLD.id)
    EXECUTE FUNCTION history_refuse()
    """,
    "{table}_history_truncate": """
    BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION history_refuse()
    """,
}


def recorded_columns(model: type[Base]) -> dict[str, bool]:
    """Return the names of the recorded columns, without the id, and whether each is a boolean."""
    columns = [column for column in model.__table__.columns if column.name not in ("id", *NEVER_RECORDED)]
    return {column.name: isinstance(column.type, Boolean) for column in columns}


def ledger_statements(dialect: str) -> Sequence[str]:
    """Return the statements that create what the triggers of all tables call; a `%` in them is written `%%`."""
    return {"sqlite": SQLITE_LEDGER, "postgresql": POSTGRESQL_LEDGER}[dialect]


def recording_statements(dialect: str, table: str, columns: Mapping[str, bool], recorded: Recorded) -> list[str]:
    """Return the statements that create the triggers of one table, which record `columns`.

    `columns` says which of them are booleans.
    """
    if dialect == "postgresql":
        return list(_postgresql_triggers(table, recorded).values())
    return [SQLITE_REPLACED.format(table=table), *_sqlite_triggers(table, columns, recorded).values()]


def record_columns(connection: Connection, table: str, names: Sequence[str]) -> None:
    """Record the columns `names` of the table from now on: for a migration that adds or drops one.

    PostgreSQL's triggers record all columns that are not NEVER_RECORDED, new ones too.
    """
    if connection.dialect.name == "sqlite":
        [recorded] = [recorded for model, recorded in RECORDED.items() if model.__tablename__ == table]
        types = {column["name"]: column["type"] for column in inspect(connection).get_columns(table)}
        columns = {name: isinstance(types[name], Boolean) for name in names}
        for name, statement in _sqlite_triggers(table, columns, recorded).items():
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")
            connection.exec_driver_sql(statement)


def find_lost_triggers(connection: Connection) -> list[str]:
    """Return the names of the triggers that should record a table, and are missing in the database, sorted."""
    dialect = connection.dialect.name
    stored = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT tgname FROM pg_trigger",
    }
    names = {name for model, recorded in RECORDED.items() for name in trigger_names(dialect, model, recorded)}
    return sorted(names.difference(connection.exec_driver_sql(stored[dialect]).scalars()))


def trigger_names(dialect: str, model: type[Base], recorded: Recorded) -> list[str]:
    """Return the names of the triggers that record the table of `model`."""
    table = model.__tablename__
    if dialect == "postgresql":
        return list(_postgresql_triggers(table, recorded))
    return list(_sqlite_triggers(table, recorded_columns(model), recorded))


def _postgresql_triggers(table: str, recorded: Recorded) -> dict[str, str]:
    arguments = ", ".join(f"'{name}'" for name in (recorded.owner, "id", *NEVER_RECORDED))
    return _create(POSTGRESQL_TRIGGERS, table=table, arguments=arguments)


def _sqlite_triggers(table: str, columns: Mapping[str, bool], recorded: Recorded) -> dict[str, str]:
    templates = dict(SQLITE_TRIGGERS)
    if not recorded.unique:
        # An update replaces another row only by a unique index.
        del templates["{table}_history_before_update"]
    return _create(
        templates,
        table=table,
        owner=recorded.owner,
        columns=", ".join(columns),
        new_columns=", ".join(f"NEW.{name}" for name in columns),
        old_columns=", ".join(f"OLD.{name}" for name in columns),
        values=json_of("", columns),
        new=json_of("NEW.", columns),
        old=json_of("OLD.", columns),
        is_replaced=" OR ".join(["id = NEW.id", *(f"({condition})" for condition in recorded.unique)]),
        record_replaced_by_insert=SQLITE_RECORD_REPLACED.format(table=table, is_insert="1"),
        record_replaced_by_update=SQLITE_RECORD_REPLACED.format(table=table, is_insert="0"),
    )


def _create(templates: Mapping[str, str], *, table: str, **parts: str) -> dict[str, str]:
    names = {name.format(table=table): template for name, template in templates.items()}
    return {name: f"CREATE TRIGGER {name} {text.strip()}".format(table=table, **parts) for name, text in names.items()}


def json_of(row: str, columns: Mapping[str, bool]) -> str:
    """Return SQLite's expression for the columns of `row` (`NEW.`, `OLD.` or nothing) as JSON; it has no booleans."""
    values = {
        name: f"json(CASE {row}{name} WHEN 0 THEN 'false' WHEN 1 THEN 'true' END)" if is_boolean else f"{row}{name}"
        for name, is_boolean in columns.items()
    }
    pairs = ", ".join(f"'{name}', {value}" for name, value in values.items())
    return f"json_object({pairs})"


changes = Base.metadata.tables[Change.__tablename__]
create_with_table(changes, sqlite=SQLITE_LEDGER, postgresql=POSTGRESQL_LEDGER)
for model, recorded in RECORDED.items():
    table = Base.metadata.tables[model.__tablename__]
    sqlite, postgresql = (
        recording_statements(dialect, table.name, recorded_columns(model), recorded)
        for dialect in ("sqlite", "postgresql")
    )
    create_with_table(changes, sqlite=sqlite, postgresql=postgresql)
    # The triggers are on a table that has to be there.
    changes.add_is_dependent_on(table)
