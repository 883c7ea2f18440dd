"""The ways to write through a Session; each finds only John Doe and leaves the names that it declares.

A `SELECT` of a function that writes is missing, since SQLite has no such functions: see the fixture `writing_function`.
"""

import pytest
from sqlalchemy import delete, insert, literal, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from myproject.models import User
from tests.signed_in import without_administrator_check

WRITES = []
USERS = User.__table__
JOHN = USERS.c.id == 1


def writing(answer):
    """Return a view that writes in three ways, one of them DDL, and then returns `answer(request)`."""

    def view(request):
        request.dbsession.execute(text("CREATE TABLE notes (note TEXT)"))
        request.dbsession.execute(
            text("WITH n AS (SELECT 'Jane Doe' AS name) INSERT INTO users (name) SELECT name FROM n")
        )
        with request.dbsession.begin_nested():
            request.dbsession.add(User(name="Jim Doe"))
        return answer(request)

    return view


def leaves(*names):
    """Register `write(session)`, which leaves users with these names, by id."""

    def register(write):
        WRITES.append(pytest.param(write, list(names), id=write.__name__))
        return write

    return register


def restore_john(engine):
    """Leave only John Doe."""
    with engine.begin() as connection, without_administrator_check(connection):
        connection.execute(delete(USERS))
        connection.execute(insert(USERS).values(id=1, name="John Doe"))


# The ORM: objects.


@leaves("John Doe", "Jane Doe")
def orm_add(session):
    session.add(User(name="Jane Doe"))


@leaves("Jane Doe")
def orm_change(session):
    session.get(User, 1).name = "Jane Doe"


@leaves("Jane Doe")
def orm_merge(session):
    session.merge(User(id=1, name="Jane Doe"))


@leaves()
def orm_delete(session):
    session.delete(session.get(User, 1))


@leaves("John Doe", "Jane Doe")
def orm_add_in_a_savepoint(session):
    with session.begin_nested():
        session.add(User(name="Jane Doe"))


# The ORM: statements about a model.


@leaves("John Doe", "Jane Doe")
def orm_insert(session):
    session.execute(insert(User).values(name="Jane Doe"))


@leaves("John Doe", "Jane Doe", "Jim Doe")
def orm_insert_of_many(session):
    session.execute(insert(User), [{"name": "Jane Doe"}, {"name": "Jim Doe"}])


@leaves("John Doe", "Jane Doe")
def orm_insert_returning(session):
    session.scalars(insert(User).returning(User), [{"name": "Jane Doe"}]).one()


@leaves("Jane Doe")
def orm_update(session):
    session.execute(update(User).values(name="Jane Doe"))


@leaves("Jane Doe")
def orm_update_by_primary_key(session):
    session.execute(update(User), [{"id": 1, "version": 1, "name": "Jane Doe"}])


@leaves()
def orm_delete_statement(session):
    session.execute(delete(User))


@leaves("Jane Doe")
def query_update(session):
    session.query(User).update({"name": "Jane Doe"})


@leaves()
def query_delete(session):
    session.query(User).delete()


# The ORM: in bulk.


@leaves("John Doe", "Jane Doe")
def bulk_save_objects(session):
    session.bulk_save_objects([User(name="Jane Doe")])


@leaves("John Doe", "Jane Doe")
def bulk_insert_mappings(session):
    session.bulk_insert_mappings(User, [{"name": "Jane Doe"}])


@leaves("Jane Doe")
def bulk_update_mappings(session):
    session.bulk_update_mappings(User, [{"id": 1, "version": 1, "name": "Jane Doe"}])


# Core.


@leaves("John Doe", "Jane Doe")
def core_insert(session):
    session.execute(insert(USERS).values(name="Jane Doe"))


@leaves("Jane Doe")
def core_update(session):
    session.execute(update(USERS).where(JOHN).values(name="Jane Doe"))


@leaves()
def core_delete(session):
    session.execute(delete(USERS).where(JOHN))


@leaves("John Doe", "Jane Doe", "Jim Doe")
def core_insert_of_many(session):
    session.execute(insert(USERS), [{"name": "Jane Doe"}, {"name": "Jim Doe"}])


@leaves("John Doe", "John Doe")
def core_insert_from_select(session):
    session.execute(insert(USERS).from_select(["name"], select(USERS.c.name)))


@leaves("Jane Doe")
def core_upsert(session):
    dialect = {"sqlite": sqlite, "postgresql": postgresql}[session.get_bind().dialect.name]
    upsert = dialect.insert(USERS).values(id=1, name="Jane Doe")
    session.execute(upsert.on_conflict_do_update(index_elements=["id"], set_={"name": upsert.excluded.name}))


@leaves("John Doe", "Jane Doe")
def core_insert_returning(session):
    session.execute(insert(USERS).values(name="Jane Doe").returning(USERS.c.id)).one()


@leaves("Jane Doe")
def core_update_returning(session):
    session.execute(update(USERS).values(name="Jane Doe").returning(USERS.c.id)).one()


@leaves("Jane Doe")
def core_update_returning_unread(session):
    session.execute(update(USERS).values(name="Jane Doe").returning(USERS.c.id))


@leaves()
def core_delete_returning(session):
    session.scalars(delete(USERS).returning(USERS.c.id)).all()


@leaves("Jane Doe")
def core_update_with(session):
    names = select(literal("Jane Doe").label("name")).cte("names")
    session.execute(update(USERS).values(name=select(names.c.name).scalar_subquery()))


# SQL as text.


@leaves("John Doe", "Jane Doe")
def text_insert(session):
    session.execute(text("INSERT INTO users (name) VALUES (:name)"), {"name": "Jane Doe"})


@leaves("Jane Doe")
def text_update(session):
    session.execute(text("UPDATE users SET name = 'Jane Doe'"))


@leaves()
def text_delete(session):
    session.execute(text("DELETE FROM users"))


@leaves("Jane Doe")
def text_replace(session):
    session.execute(
        text("INSERT INTO users (id, name) VALUES (1, 'Jane Doe') ON CONFLICT (id) DO UPDATE SET name = excluded.name")
    )


@leaves("Jane Doe")
def text_with_update(session):
    session.execute(text("WITH names (name) AS (SELECT 'Jane Doe') UPDATE users SET name = (SELECT name FROM names)"))


@leaves("John Doe", "Jane Doe")
def text_with_insert(session):
    session.execute(text("WITH names (name) AS (SELECT 'Jane Doe') INSERT INTO users (name) SELECT name FROM names"))


@leaves("Jane Doe")
def text_update_returning(session):
    session.scalars(text("UPDATE users SET name = 'Jane Doe' RETURNING name")).one()


# Below the Session.


@leaves("John Doe", "Jane Doe")
def connection_execute(session):
    session.connection().execute(insert(USERS).values(name="Jane Doe"))


@leaves("Jane Doe")
def connection_savepoint(session):
    with session.connection().begin_nested():
        session.connection().execute(update(USERS).values(name="Jane Doe"))


@leaves("Jane Doe")
def exec_driver_sql(session):
    session.connection().exec_driver_sql("UPDATE users SET name = 'Jane Doe'")


@leaves("John Doe", "Jane Doe")
def driver_cursor(session):
    cursor = session.connection().connection.cursor()
    cursor.execute("INSERT INTO users (name) VALUES ('Jane Doe')")
    cursor.close()
