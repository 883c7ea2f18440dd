"""The database counts the changes of each record, whichever program writes them and by whichever statement."""

import datetime

import pytest
import sqlalchemy
from sqlalchemy import insert, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from myproject.db import get_engine
from myproject.db.version import replace_update_trigger
from myproject.models import Base, Post, SavedView, SelectedUser, User
from tests import sqlite_only

# For each column that people enter, a value that the record does not have yet.
COUNTED = {
    User: {"name": "Jane Doe", "email": "jane@example.com", "age": 31, "role": "editor", "active": False},
    Post: {"title": "Bye", "body": "All", "author_id": 1},
    SavedView: {"user_id": 1, "name": "Editors", "query": "role=editor", "for_all": True},
}
OTHER_DAY = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
DATES = {"created_at": OTHER_DAY, "updated_at": OTHER_DAY}
# What nobody enters. Triggers write the search text back to what it was.
NOT_COUNTED = {
    User: {"password_hash": "x", "has_posts": True, "search_text": "x", "time_zone": "Asia/Seoul", **DATES},
    Post: DATES,
    SavedView: DATES,
}
CHANGES = [(model, name, value) for model, values in COUNTED.items() for name, value in values.items()]
OTHER_CHANGES = [(model, name, value) for model, values in NOT_COUNTED.items() for name, value in values.items()]


@pytest.fixture
def record(make_user, make_post, make_view):
    """Call `record(User)`: store a record of a model, and return it; another user has the id 1."""

    def make(model):
        make_user("Other")
        john = make_user("John Doe", age=30)
        post, view = make_post(author=john), make_view(john)
        return {User: john, Post: post, SavedView: view}[model]

    return make


@pytest.fixture
def version(outside):
    """Call `version(record)`: return the committed version of a record."""

    def read(record):
        with outside.connect() as connection:
            table = type(record).__table__
            return connection.scalar(sqlalchemy.select(table.c.version).where(table.c.id == record.id))

    return read


def test_each_column_is_counted_or_not():
    with_version = {mapper.class_ for mapper in Base.registry.mappers if "version" in mapper.columns}
    # A selection has copied the version of another table.
    versioned = with_version - {SelectedUser}
    assert versioned == set(COUNTED)
    for model in versioned:
        assert {*COUNTED[model], *NOT_COUNTED[model], "id", "version"} == set(model.__table__.columns.keys())


@pytest.mark.parametrize(("model", "name", "value"), CHANGES)
def test_a_change_of_an_entered_column_raises_the_version(outside, record, version, model, name, value):
    changed = record(model)
    write_by_core(outside, changed, {name: value})
    assert version(changed) == 2


@pytest.mark.parametrize(("model", "name", "value"), OTHER_CHANGES)
def test_a_change_of_another_column_does_not(outside, record, version, model, name, value):
    changed = record(model)
    write_by_core(outside, changed, {name: value})
    assert version(changed) == 1


@pytest.mark.parametrize("model", COUNTED)
def test_a_write_of_the_same_values_does_not(outside, record, version, model):
    same = record(model)
    write_by_core(outside, same, {name: getattr(same, name) for name in COUNTED[model]})
    assert version(same) == 1


def test_a_value_that_appears_or_disappears_counts(outside, record, version):
    john = record(User)
    for values in {"age": None}, {"age": 0}, {"email": "a@b"}, {"email": None}:
        write_by_core(outside, john, values)
    assert version(john) == 5


def write_by_orm(engine, record, values):
    with Session(engine) as session:
        stored = session.get(type(record), record.id)
        for name, value in values.items():
            setattr(stored, name, value)
        session.commit()
        assert stored.version == 2


def write_by_core(engine, record, values):
    table = type(record).__table__
    with engine.begin() as connection:
        connection.execute(update(table).where(table.c.id == record.id).values(values))


def write_by_text(engine, record, values):
    [(name, value)] = values.items()
    with engine.begin() as connection:
        statement = text(f"UPDATE {record.__tablename__} SET {name} = :value WHERE id = :id")
        connection.execute(statement, {"value": value, "id": record.id})


def write_by_driver(engine, record, values):
    [(name, value)] = values.items()
    connection = engine.raw_connection()
    mark = "?" if engine.dialect.name == "sqlite" else "%s"
    statement = f"UPDATE {record.__tablename__} SET {name} = {mark} WHERE id = {mark}"
    connection.cursor().execute(statement, (value, record.id))
    connection.commit()
    connection.close()


def write_by_upsert(engine, record, values):
    table = type(record).__table__
    upsert = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[engine.dialect.name](table)
    with engine.begin() as connection:
        stored = connection.execute(sqlalchemy.select(table).where(table.c.id == record.id)).one()._asdict()
        statement = upsert.values(stored).on_conflict_do_update(index_elements=["id"], set_=values)
        connection.execute(statement)


def write_by_replace(engine, record, values):
    table = type(record).__table__
    with engine.begin() as connection:
        stored = connection.execute(sqlalchemy.select(table).where(table.c.id == record.id)).one()._asdict()
        del stored["version"]
        connection.execute(insert(table).prefix_with("OR REPLACE").values({**stored, **values}))


WAYS = [write_by_orm, write_by_core, write_by_text, write_by_driver, write_by_upsert]


@pytest.mark.parametrize("write", WAYS)
@pytest.mark.parametrize(
    ("model", "name", "value"), [(User, "age", 31), (Post, "body", "All"), (SavedView, "name", "A")]
)
def test_each_way_of_writing_raises_the_version(outside, record, version, write, model, name, value):
    changed = record(model)
    write(outside, changed, {name: value})
    assert version(changed) == 2


@sqlite_only
@pytest.mark.parametrize("connect", [sqlalchemy.create_engine, get_engine])
@pytest.mark.parametrize("model", COUNTED)
def test_a_row_in_the_place_of_another_continues_its_version(database_url, record, version, connect, model):
    engine, replaced = connect(database_url), record(model)
    if model is User and connect is get_engine:
        # With foreign keys on, a user who has posts cannot be replaced.
        write_by_core(engine, Post(id=1), {"author_id": 1})
    for expected in 2, 3, 4:
        write_by_replace(engine, replaced, {"created_at": OTHER_DAY})
        assert version(replaced) == expected
    engine.dispose()


@sqlite_only
def test_the_version_a_replacing_row_brings_may_be_higher(outside, record, version):
    john = record(User)
    with outside.begin() as connection:
        connection.execute(text("INSERT OR REPLACE INTO users (id, name, version) VALUES (2, 'Jane Doe', 7)"))
    assert version(john) == 7


@pytest.mark.parametrize("model", COUNTED)
@pytest.mark.parametrize(("written", "expected"), [(1, 6), (5, 6), (-1, 6), (6, 6), (100, 100)])
def test_a_write_cannot_lower_the_version(outside, record, version, model, written, expected):
    changed, [name, value] = record(model), next(iter(COUNTED[model].items()))
    write_by_core(outside, changed, {"version": 5})
    write_by_core(outside, changed, {"version": written, name: value})
    assert version(changed) == expected


@pytest.mark.parametrize("model", COUNTED)
def test_a_write_of_the_version_alone_cannot_lower_it(outside, record, version, model):
    changed = record(model)
    write_by_core(outside, changed, {"version": 5})
    write_by_core(outside, changed, {"version": 2})
    assert version(changed) >= 5


def test_a_write_through_a_request_counts_once(probe, record, version):
    john = record(User)
    probe(
        lambda request: request.dbsession.execute(update(User).where(User.id == john.id).values(age=40, role="editor"))
    )
    assert version(john) == 2


def test_a_record_added_and_changed_in_one_transaction_has_its_version(outside):
    with Session(outside) as session:
        user = User(name="John Doe")
        session.add(user)
        session.flush()
        user.age = 30
        session.commit()
        assert user.version == 2


def test_a_change_by_many_parameter_sets_counts_each_record(outside, make_user, version):
    users = [make_user(f"User {number}") for number in range(3)]
    with Session(outside) as session:
        session.execute(update(User), [{"id": user.id, "age": user.id} for user in users])
        session.commit()
    assert [version(user) for user in users] == [2, 2, 2]


def test_a_migration_can_change_the_columns_that_count(outside, record, version):
    john = record(User)
    with outside.begin() as connection:
        replace_update_trigger(connection, "users", ("name", "password_hash"))
    write_by_core(outside, john, {"age": 31})
    assert version(john) == 1
    write_by_core(outside, john, {"password_hash": "x"})
    assert version(john) == 2
