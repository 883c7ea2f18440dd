"""Each trigger of the ledger is necessary: without it, a write passes the ledger by."""

import pytest
from sqlalchemy.exc import DBAPIError

from myproject.history.recording import RECORDED, find_lost_triggers, trigger_names
from tests import postgresql_only, sqlite_only

from .replay import Replay

pytestmark = pytest.mark.passes_ledger_by

# For each trigger, a write that it records or refuses. There are two users, the first one with two posts and two views.
WRITES = {
    "users_history_insert": "INSERT INTO users (id, name) VALUES (3, 'Cyd')",
    "users_history_update": "UPDATE users SET name = 'Cyd' WHERE id = 1",
    "users_history_delete": "DELETE FROM users WHERE id = 2",
    "users_history_id": "UPDATE users SET id = 9 WHERE id = 2",
    "users_history_before_insert": "REPLACE INTO users (id, name, email) VALUES (1, 'Cyd', 'ada@x.org')",
    "users_history_before_update": "UPDATE OR REPLACE users SET email = 'ADA@x.org' WHERE id = 2",
    "users_history_truncate": "TRUNCATE users",
    "posts_history_insert": "INSERT INTO posts (id, title, body, author_id) VALUES (3, 'New', 'World', 1)",
    "posts_history_update": "UPDATE posts SET title = 'New' WHERE id = 1",
    "posts_history_delete": "DELETE FROM posts WHERE id = 1",
    "posts_history_id": "UPDATE posts SET id = 9 WHERE id = 1",
    "posts_history_before_insert": "REPLACE INTO posts (id, title, body, author_id) VALUES (1, 'New', 'World', 1)",
    "posts_history_truncate": "TRUNCATE posts",
    "saved_views_history_insert": "INSERT INTO saved_views (id, user_id, name, query) VALUES (4, 1, 'New', '')",
    "saved_views_history_update": "UPDATE saved_views SET query = 'q=new' WHERE id = 1",
    "saved_views_history_delete": "DELETE FROM saved_views WHERE id = 1",
    "saved_views_history_id": "UPDATE saved_views SET id = 9 WHERE id = 1",
    "saved_views_history_before_insert": "REPLACE INTO saved_views (user_id, name, query) VALUES (1, 'a', '')",
    "saved_views_history_before_update": "UPDATE OR REPLACE saved_views SET name = 'a' WHERE id = 2",
    "saved_views_history_truncate": "TRUNCATE saved_views",
}


def names_of(dialect):
    return [name for model, recorded in RECORDED.items() for name in trigger_names(dialect, model, recorded)]


def test_there_is_a_write_for_each_trigger():
    assert WRITES.keys() == {name for dialect in ("sqlite", "postgresql") for name in names_of(dialect)}


@pytest.fixture
def records(nobody, make_user, make_post, make_view):
    """Two users, and two posts and two saved views of the first one."""
    ada, _bob = make_user(id=1, name="Ada", email="ada@x.org"), make_user(id=2, name="Bob", email="bob@x.org")
    for number, name in enumerate("AB", start=1):
        make_post(id=number, author=ada, title=name)
        make_view(ada, id=number, name=name)


def write(engine, name):
    """Execute the write of the trigger; a refused one is rolled back. Other programs have no recursive triggers."""
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA recursive_triggers = OFF")
        connection.exec_driver_sql(WRITES[name])
        connection.commit()


def drop(engine, name):
    """Drop the trigger; and what else keeps PostgreSQL from emptying the table of the users."""
    with engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
            return
        table = name.partition("_history_")[0]
        connection.exec_driver_sql(f"DROP TRIGGER {name} ON {table}")
        query = "SELECT conrelid::regclass, conname FROM pg_constraint WHERE confrelid = 'users'::regclass"
        for referring, constraint in connection.exec_driver_sql(query).all():
            connection.exec_driver_sql(f"ALTER TABLE {referring} DROP CONSTRAINT {constraint}")


def check_necessary(engine, url, name):
    replay = Replay(url)
    if name.endswith(("_id", "_truncate")):
        with pytest.raises(DBAPIError):
            write(engine, name)
        replay.check()
    drop(engine, name)
    with engine.connect() as connection:
        assert find_lost_triggers(connection) == [name]
    write(engine, name)
    with pytest.raises(AssertionError):
        replay.check()


@sqlite_only
@pytest.mark.usefixtures("records")
@pytest.mark.parametrize("name", names_of("sqlite"))
def test_each_trigger_is_necessary_on_sqlite(name, outside, database_url):
    check_necessary(outside, database_url, name)


@postgresql_only
@pytest.mark.usefixtures("records")
@pytest.mark.parametrize("name", names_of("postgresql"))
def test_each_trigger_is_necessary_on_postgresql(name, outside, database_url):
    check_necessary(outside, database_url, name)


@pytest.mark.usefixtures("records")
def test_with_all_triggers_each_write_is_recorded_or_refused(outside, database_url):
    replay = Replay(database_url)
    for name in names_of(outside.dialect.name):
        try:
            write(outside, name)
        except DBAPIError:
            assert name.endswith(("_id", "_truncate"))
        replay.check()


@sqlite_only
def test_without_the_trigger_of_the_ledger_nothing_can_be_written(outside, make_user):
    with outside.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER history_record")
    with pytest.raises(DBAPIError, match="history_record"):
        make_user()
