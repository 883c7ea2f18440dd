"""No update is lost, constraints are enforced, and a failed COMMIT leaves nothing behind."""

import sqlite3
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import create_engine, delete, event, insert, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool, QueuePool

from myproject.models import Post, User
from tests import sqlite_only

from .increments import NUMBER, USERS, increment, post

ROOT = Path(__file__).parents[2]


@pytest.fixture
def settings(settings):
    """The default number of attempts, and enough time for them on a busy machine."""
    return {**settings, "retry.attempts": "20", "retry.longest_wait": "60"}


def increment_with_for_update(request):
    number = int(request.dbsession.scalar(NUMBER.with_for_update()))
    request.dbsession.execute(update(USERS).where(USERS.c.id == 1).values(name=str(number + 1)))


def increment_by_the_orm(request):
    user = request.dbsession.get(User, 1)
    user.name = str(int(user.name) + 1)


def increment_by_the_orm_with_for_update(request):
    user = request.dbsession.get(User, 1, with_for_update=True)
    user.name = str(int(user.name) + 1)


@pytest.mark.parametrize(
    "view", [increment, increment_with_for_update, increment_by_the_orm, increment_by_the_orm_with_for_update]
)
def test_200_posts_from_16_threads_lose_no_update(view, wsgi, make_user, names):
    make_user("0")
    wsgi.registry["probe"] = view
    assert post(wsgi, times=200, threads=16) == [200] * 200
    assert names() == ["200"]


def test_posts_to_three_processes_lose_no_update(wsgi, database_url, make_user, names):
    make_user("0")
    wsgi.registry["probe"] = increment
    with ExitStack() as stack:
        others = [stack.enter_context(another_process(database_url, posts=60)) for _ in range(2)]
        assert [other.stdout.readline() for other in others] == ["ready\n"] * 2
        for other in others:
            print("go", file=other.stdin, flush=True)
        assert post(wsgi, times=60, threads=4) == [200] * 60
        assert [other.stdout.readline() for other in others] == ["60\n"] * 2
    assert names() == ["180"]


def another_process(url, posts):
    command = [sys.executable, "-m", "tests.db.increments", url, str(posts)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@sqlite_only
def test_a_reader_does_not_wait_for_a_writer(app, make_user, writer):
    make_user("Jane Doe")
    writer.execute("UPDATE users SET name = 'Not committed'")
    app.get("/users", status=200).mustcontain("Jane Doe", no="Not committed")


def test_a_writer_does_not_wait_for_a_reader(probe, make_user, names):
    make_user("Jane Doe")

    def view(request):
        before = request.dbsession.scalars(select(User.name)).all()
        make_user("Jim Doe")
        return str(before == request.dbsession.scalars(select(User.name)).all())

    probe(view, method="GET", status=200).mustcontain("True")
    assert names() == ["Jane Doe", "Jim Doe"]


def test_a_connection_changes_between_read_only_and_read_write(probe, names):
    def view(request):
        request.dbsession.execute(insert(User).values(name=request.method))

    for method in "POST", "GET", "POST", "GET", "PUT":
        probe(view, method=method, status=500 if method == "GET" else 200)
    assert names() == ["POST", "POST", "PUT"]


@sqlite_only
def test_the_next_request_does_not_commit_the_rows_of_a_failed_commit(probe, names, rows):
    def view(request):
        # Checked at COMMIT, which fails and leaves SQLite's transaction open.
        request.dbsession.execute(text("PRAGMA defer_foreign_keys = ON"))
        request.dbsession.add(User(name="Lost"))
        request.dbsession.add(Post(title="Orphan", body="Orphan", author_id=99))

    probe(view, status=500)
    probe(lambda request: request.dbsession.add(User(name="Jane Doe")), status=200)
    assert (names(), rows(Post)) == (["Jane Doe"], [])


@sqlite_only
def test_a_failed_commit_releases_the_lock(probe, writer, names):
    def view(request):
        request.dbsession.execute(text("PRAGMA defer_foreign_keys = ON"))
        request.dbsession.add(Post(title="Orphan", body="Orphan", author_id=99))

    probe(view, status=500)
    writer.execute("INSERT INTO users (name) VALUES ('Jane Doe')")
    writer.commit()
    assert names() == ["Jane Doe"]


@sqlite_only
def test_foreign_keys_are_on_for_every_pooled_connection(engine):
    with ExitStack() as stack:
        reading = engine.execution_options(read_only=True)
        connections = [stack.enter_context(reading.connect()) for _ in range(5)]
        keys = [connection.exec_driver_sql("PRAGMA foreign_keys").scalar() for connection in connections]
        assert engine.pool.checkedout() == 5
    assert keys == [1] * 5


@sqlite_only
def test_a_second_read_keeps_the_prepared_statements(app, engine):
    app.get("/users")
    sent = []
    event.listen(engine, "checkout", lambda driver, *_: driver.set_trace_callback(sent.append))
    app.get("/users")
    assert "BEGIN" in sent
    # Setting query_only expires all prepared statements: https://www.sqlite.org/src/file/src/pragma.c
    assert [statement for statement in sent if "query_only =" in statement] == []


def test_a_row_with_an_unknown_foreign_key_is_refused(probe, rows):
    orphan = insert(Post).values(title="Hello", body="World", author_id=99)
    for _ in range(2):
        probe(lambda request: request.dbsession.execute(orphan), status=500)
    assert rows(Post) == []


def test_an_author_with_posts_cannot_be_deleted_alone(probe, make_post, rows):
    author_id = make_post("Hello").author_id
    probe(lambda request: request.dbsession.execute(delete(User).where(User.id == author_id)), status=500)
    assert [post.author_id for post in rows(Post)] == [user.id for user in rows(User)]


def test_a_savepoint_of_the_transaction_rolls_back_later_writes(probe, names):
    def view(request):
        request.dbsession.execute(insert(User).values(name="Jane Doe"))
        savepoint = request.tm.savepoint()
        request.dbsession.execute(insert(User).values(name="Jim Doe"))
        savepoint.rollback()

    probe(view, status=200)
    assert names() == ["Jane Doe"]


@sqlite_only
def test_a_connection_of_the_engine_begins_with_the_write_lock(engine, writer, impatient):
    writer.execute("UPDATE users SET name = 'x'")
    with engine.connect() as connection, pytest.raises(OperationalError, match="locked"):
        connection.scalar(select(1))


# Engines that the application did not make.


@pytest.mark.parametrize("options", [{}, {"poolclass": NullPool}, {"creator": lambda: sqlite3.connect(":memory:")}])
def test_every_sqlite_engine_of_the_process_has_the_function_of_the_triggers(options):
    with create_engine("sqlite://", **options).connect() as connection:
        assert connection.exec_driver_sql(
            "SELECT folded_2('José'), initials('\u1100'), recursive_triggers FROM pragma_recursive_triggers"
        ).one() == ("jose", "\u1100", 1)


def test_connections_of_other_drivers_are_left_alone():
    pool = QueuePool(lambda: other_driver)
    other_driver = SimpleNamespace(rollback=lambda: None, close=lambda: None)
    assert pool.connect().dbapi_connection is other_driver
