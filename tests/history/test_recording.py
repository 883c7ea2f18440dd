"""The database records every change of a user, a post or a saved view, whichever way of writing makes it."""

import re
import sqlite3
import time

import psycopg
import pytest
import sqlalchemy
from sqlalchemy import delete, insert, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from myproject.db.sqlite import prepare_for_triggers
from myproject.history.context import Origin, tell
from myproject.history.recording import NEVER_RECORDED, NOT_RECORDED, RECORDED, find_lost_triggers
from myproject.models import Base, Entry, Post, SavedView, User
from tests import postgresql_only, sqlite_only

from .replay import Replay
from .telling import told


def differences(changes):
    """Return (table, id, what differs) of each change: `+` if the record was added, `-` if it was deleted."""
    return [(table, number, difference(before, after)) for table, number, before, after in changes]


def difference(before, after):
    if before is None or after is None:
        return "+" if before is None else "-"
    return {name: (before[name], after[name]) for name in before if before[name] != after[name]}


def test_every_model_is_recorded_or_named_with_the_reason_why_not():
    models = {mapper.class_ for mapper in Base.registry.mappers if mapper.class_.__module__.startswith("myproject.")}
    assert models == RECORDED.keys() | NOT_RECORDED.keys()
    assert not RECORDED.keys() & NOT_RECORDED.keys()
    assert all(re.fullmatch(r"[A-Z].{10,}\.", reason) for reason in NOT_RECORDED.values())


def test_every_column_of_a_user_but_the_computed_and_the_secret_is_recorded(make_user, changes):
    user = make_user(name="Ada", email="ada@example.com", age=36, time_zone="Asia/Seoul", password_hash="secret")
    [(table, number, before, after)] = changes()
    assert (table, number, before) == ("users", user.id, None)
    assert after.keys() == {column.name for column in User.__table__.columns} - {"id", *NEVER_RECORDED}
    values = {name: after[name] for name in ("name", "email", "age", "role", "active", "time_zone")}
    assert values == {
        "name": "Ada", "email": "ada@example.com", "age": 36, "role": "member", "active": True,
        "time_zone": "Asia/Seoul",
    }  # fmt: skip


def test_values_keep_their_types(make_user, make_view, changes):
    make_view(make_user(name='"김철수"\n\\ \u2028', age=None, active=False), for_all=True)
    [(*_, user), (*_, view)] = changes()
    assert (user["name"], user["age"], user["active"], view["for_all"]) == ('"김철수"\n\\ \u2028', None, False, True)


def run_orm(engine, user):
    with Session(engine) as session:
        session.get(User, user.id).name = "Bob"
        session.commit()


def run_core(engine, user):
    with engine.begin() as connection:
        connection.execute(update(User).where(User.id == user.id).values(name="Bob"))


def run_bulk(engine, user):
    with Session(engine) as session:
        session.execute(update(User), [{"id": user.id, "name": "Bob"}])
        session.commit()


def run_text(engine, user):
    with engine.begin() as connection:
        connection.execute(text("UPDATE users SET name = 'Bob' WHERE id = :id"), {"id": user.id})


def run_cursor(engine, user):
    connection = engine.raw_connection()
    connection.cursor().execute(f"UPDATE users SET name = 'Bob' WHERE id = {user.id}")
    connection.commit()
    connection.close()


def run_driver(engine, user):
    url = engine.url
    if url.get_backend_name() == "sqlite":
        connection = sqlite3.connect(url.database)
        prepare_for_triggers(connection)
    else:
        connection = psycopg.connect(url.set(drivername="postgresql").render_as_string())
    connection.execute(f"UPDATE users SET name = 'Bob' WHERE id = {user.id}")
    connection.commit()
    connection.close()


def run_upsert(engine, user):
    statement = f"""INSERT INTO users (id, name) VALUES ({user.id}, 'Bob')
                    ON CONFLICT (id) DO UPDATE SET name = excluded.name"""
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)


WRITES = [run_orm, run_core, run_bulk, run_text, run_cursor, run_driver, run_upsert]


@pytest.mark.parametrize("write", WRITES)
def test_every_way_of_writing_is_recorded(write, outside, make_user, changes):
    user = make_user(name="Ada")
    write(outside, user)
    assert differences(changes()) == [("users", user.id, "+"), ("users", user.id, {"name": ("Ada", "Bob")})]


def test_a_write_of_another_program_has_no_route_and_nobody(make_user, entries):
    make_user()
    [entry] = entries()
    assert (entry.actor_id, entry.route, entry.request_id, entry.attempts) == (None, None, None, None)


def test_several_writes_of_a_record_are_one_change(outside, make_user, changes, entries):
    user = make_user(name="Ada", age=1)
    with told(outside) as connection:
        for name, age in [("Bob", 2), ("Cyd", 3)]:
            connection.execute(update(User).where(User.id == user.id).values(name=name, age=age))
    assert differences(changes())[1:] == [("users", user.id, {"name": ("Ada", "Cyd"), "age": (1, 3)})]
    assert len(entries()) == 2


def test_a_record_that_is_as_before_has_no_change(outside, make_user, entries):
    user = make_user(name="Ada")
    with told(outside) as connection:
        for name in ("Bob", "Ada"):
            connection.execute(update(User).where(User.id == user.id).values(name=name))
    assert len(entries()) == 1


def test_a_record_that_is_added_and_deleted_at_once_leaves_nothing(outside, entries, nobody):
    before = len(entries())
    with told(outside) as connection:
        connection.execute(insert(User).values(id=7, name="Ada"))
        connection.execute(delete(User).where(User.id == 7))
    assert len(entries()) == before


def test_a_record_changed_after_one_was_taken_back_gets_an_entry(outside, make_user, changes, entries):
    ada, bob = make_user(name="Ada"), make_user(name="Bob")
    with told(outside) as connection:
        for name in ("Cyd", "Ada"):
            connection.execute(update(User).where(User.id == ada.id).values(name=name))
        connection.execute(update(User).where(User.id == bob.id).values(age=7))
    assert differences(changes())[2:] == [("users", bob.id, {"age": (None, 7)})]
    assert [entry.route for entry in entries()] == [None, None, "test"]


@pytest.mark.parametrize("column", [*NEVER_RECORDED, "id"])
def test_a_change_of_a_column_that_is_not_recorded_is_none(column, outside, make_user, entries):
    user = make_user(name="Ada")
    value = User.__table__.c[column] if column in ("id", "updated_at", "has_posts") else "9"
    with outside.begin() as connection:
        connection.execute(update(User.__table__).where(User.id == user.id).values({column: value}))
    assert len(entries()) == 1


def test_a_statement_that_changes_many_is_one_entry(outside, make_user, entries):
    people = [make_user(name=name) for name in ("Ada", "Bob", "Cyd")]
    with outside.begin() as connection:
        connection.execute(text("UPDATE users SET age = 7 WHERE id > 0"))
    [*_, entry] = entries()
    assert sorted(change.record_id for change in entry.changes) == [user.id for user in people]


def test_a_cascade_is_recorded(settings, wsgi, outside, make_user, make_view, changes):
    engine = wsgi.registry["dbsession_factory"].kw["bind"]  # With foreign keys on SQLite.
    user = make_user()
    view = make_view(user)
    with engine.begin() as connection:
        connection.execute(delete(User).where(User.id == user.id))
    deleted = {(table, number) for table, number, _before, after in changes() if after is None}
    assert deleted == {("users", user.id), ("saved_views", view.id)}


def test_a_rollback_leaves_nothing(outside, make_user, entries):
    user = make_user()
    with outside.connect() as connection:
        connection.execute(update(User).where(User.id == user.id).values(name="Bob"))
        connection.rollback()
    assert len(entries()) == 1


def test_a_savepoint_that_is_rolled_back_leaves_nothing_of_itself(outside, make_user, changes, entries):
    user = make_user(name="Ada")
    with told(outside) as connection:
        savepoint = connection.begin_nested()
        connection.execute(update(User).where(User.id == user.id).values(name="Bob"))
        savepoint.rollback()
        connection.execute(update(User).where(User.id == user.id).values(age=7))
    assert differences(changes())[1:] == [("users", user.id, {"age": (None, 7)})]
    assert entries()[-1].route == "test"


def test_the_id_of_a_record_cannot_be_changed(outside, make_user, make_post, make_view):
    post = make_post(author=make_user())
    view = make_view(make_user())
    for table, number in (("users", post.author_id), ("posts", post.id), ("saved_views", view.id)):
        with outside.connect() as connection, pytest.raises(DBAPIError, match="the id of a record cannot be changed"):
            connection.exec_driver_sql(f"UPDATE {table} SET id = 1000 WHERE id = {number}")


@sqlite_only
@pytest.mark.parametrize("alias", ["rowid", "_rowid_", "oid"])
def test_the_id_cannot_be_changed_by_another_name(alias, outside, make_user):
    user = make_user()
    with outside.connect() as connection, pytest.raises(DBAPIError, match="the id of a record cannot be changed"):
        connection.exec_driver_sql(f"UPDATE users SET {alias} = 1000 WHERE id = {user.id}")


@postgresql_only
@pytest.mark.parametrize("table", ["users", "posts", "saved_views"])
def test_truncate_is_refused(table, outside):
    with outside.connect() as connection, pytest.raises(DBAPIError, match=r"history|administrator"):
        connection.exec_driver_sql(f"TRUNCATE {table} CASCADE")


@postgresql_only
def test_copy_is_recorded(database_url, changes):
    url = sqlalchemy.make_url(database_url).set(drivername="postgresql")
    copying = "COPY users (id, name) FROM STDIN"
    with psycopg.connect(url.render_as_string()) as connection, connection.cursor().copy(copying) as copy:
        copy.write_row((7, "Ada"))
        copy.write_row((8, "Bob"))
    assert differences(changes()) == [("users", 7, "+"), ("users", 8, "+")]


# (statement, what it does to Ada with the id 1 and to Bob with the id 2)
REPLACEMENTS = {
    "the id": ("REPLACE INTO users (id, name, email) VALUES (1, 'Cyd', 'c@x.org')", {1: "Cyd", 2: "Bob"}),
    "the email": ("REPLACE INTO users (id, name, email) VALUES (3, 'Cyd', 'ADA@x.org')", {2: "Bob", 3: "Cyd"}),
    "both": ("REPLACE INTO users (id, name, email) VALUES (1, 'Cyd', 'bob@X.org')", {1: "Cyd"}),
    "by an update": ("UPDATE OR REPLACE users SET email = 'Ada@x.org' WHERE id = 2", {2: "Bob"}),
    "nobody": ("REPLACE INTO users (id, name, email) VALUES (3, 'Cyd', 'c@x.org')", {1: "Ada", 2: "Bob", 3: "Cyd"}),
    "ignored": ("INSERT OR IGNORE INTO users (id, name, email) VALUES (1, 'Cyd', 'c@x.org')", {1: "Ada", 2: "Bob"}),
    "ignored update": ("UPDATE OR IGNORE users SET email = 'ada@x.org' WHERE id = 2", {1: "Ada", 2: "Bob"}),
}


@sqlite_only
@pytest.mark.parametrize("recursive", ["ON", "OFF"])
@pytest.mark.parametrize(("statement", "names"), REPLACEMENTS.values(), ids=REPLACEMENTS)
def test_a_replaced_record_is_recorded(statement, names, recursive, outside, make_user, rows, database_url):
    make_user(id=1, name="Ada", email="ada@x.org"), make_user(id=2, name="Bob", email="bob@x.org")
    replay = Replay(database_url)
    with outside.begin() as connection:
        connection.exec_driver_sql(f"PRAGMA recursive_triggers = {recursive}")
        for _ in range(2):  # What one statement has left must not confuse the next one.
            connection.exec_driver_sql(statement)
    assert {user.id: user.name for user in rows(User)} == names
    replay.check()


@sqlite_only
@pytest.mark.parametrize("recursive", ["ON", "OFF"])
def test_a_replaced_view_is_recorded(recursive, outside, make_user, make_view, changes):
    view = make_view(make_user(), name="École")
    with outside.begin() as connection:
        connection.exec_driver_sql(f"PRAGMA recursive_triggers = {recursive}")
        connection.execute(
            text("REPLACE INTO saved_views (user_id, name, query) VALUES (:user, 'ecole', '')"), {"user": view.user_id}
        )
    assert differences(changes())[2:] == [("saved_views", view.id, "-"), ("saved_views", view.id + 1, "+")]


@sqlite_only
def test_a_commit_that_passes_the_application_by_gives_nothing_to_anybody(outside, make_user, entries):
    with outside.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = ON")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        tell(connection, Origin(actor_id=7, route="users.edit"))
        with pytest.raises(DBAPIError, match="FOREIGN KEY"):
            connection.exec_driver_sql("COMMIT")
    make_user()
    assert [(entry.actor_id, entry.route) for entry in entries()] == [(None, None)]


@postgresql_only
def test_a_later_transaction_of_the_same_connection_is_not_given_to_the_person_of_the_first(
    outside, make_user, entries
):
    user = make_user()
    with outside.connect() as connection:
        for name in ("Bob", "Cyd"):
            if name == "Bob":
                connection.exec_driver_sql("""SELECT set_config('history.told', '{"actor_id": 7}', true)""")
            connection.execute(update(User).where(User.id == user.id).values(name=name))
            connection.commit()
    assert [entry.actor_id for entry in entries()] == [None, 7, None]


@postgresql_only
def test_a_change_of_many_takes_no_longer_after_a_change_of_one(outside):
    add = "INSERT INTO users (id, name) SELECT number, 'Ada' FROM generate_series(1, 2000) AS number"
    with outside.begin() as connection:
        connection.exec_driver_sql(add)
    alone, after_one = (_seconds_of_change_of_many(outside, first=number) for number in (2000, 1))
    assert after_one < 3 * alone


def _seconds_of_change_of_many(engine, first):
    """Change `first` users, and then all; return the seconds that the second change takes on a new connection."""
    engine.dispose()
    with engine.connect() as connection:
        for age, most in ((1, first), (2, 2000)):
            started = time.monotonic()
            connection.exec_driver_sql(f"UPDATE users SET age = {age} WHERE id BETWEEN 1 AND {most}")
            connection.commit()
        return time.monotonic() - started


def test_find_lost_triggers_names_each_one(outside):
    is_sqlite = outside.dialect.name == "sqlite"
    with outside.connect() as connection:
        assert find_lost_triggers(connection) == []
        names = connection.exec_driver_sql(
            "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger' AND name LIKE '%/_history/_%' ESCAPE '/'"
            if is_sqlite
            else "SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE tgname LIKE '%%\\_history\\_%%'"
        ).all()
        assert len(names) == (17 if is_sqlite else 15)
        for name, table in names:
            if is_sqlite:
                connection.exec_driver_sql("BEGIN")
            connection.exec_driver_sql(f"DROP TRIGGER {name}" + ("" if is_sqlite else f" ON {table}"))
            assert find_lost_triggers(connection) == [name]
            connection.rollback()


@pytest.mark.passes_ledger_by
def test_the_application_runs_where_nothing_was_recorded_before(outside, rows, make_user):
    """Records that are older than the ledger have no changes in it, and are changed as others are."""
    user = make_user(name="Ada")
    with outside.begin() as connection:
        connection.execute(delete(Entry))
        connection.exec_driver_sql("DELETE FROM history_changes")
    run_core(outside, user)
    assert [user.name for user in rows(User)] == ["Bob"]


def test_posts_and_saved_views_are_recorded(outside, make_user, make_post, make_view, changes):
    ada = make_user()
    post, view = make_post(author=ada, title="Hello"), make_view(ada, name="Mine")
    with told(outside) as connection:
        connection.execute(update(Post).values(title="Bye"))
        connection.execute(update(SavedView).values(name="Yours"))
    with told(outside) as connection:
        connection.execute(delete(SavedView))
        connection.execute(delete(Post))
    assert differences(changes())[1:] == [
        ("posts", post.id, "+"), ("saved_views", view.id, "+"),
        ("posts", post.id, {"title": ("Hello", "Bye")}), ("saved_views", view.id, {"name": ("Mine", "Yours")}),
        ("saved_views", view.id, "-"), ("posts", post.id, "-"),
    ]  # fmt: skip
