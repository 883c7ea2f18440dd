"""The column `has_posts` of a user is correct, whichever statement writes posts."""

import pytest
import sqlalchemy
from sqlalchemy import delete, insert, text, update
from sqlalchemy.orm import Session

from myproject.db import get_engine
from myproject.models import Post, User
from tests import postgresql_only

posts, users = Post.__table__, User.__table__


@pytest.fixture
def writers(outside, nobody, make_user):
    """Call `writers()`: the names of the users whose `has_posts` is true. There are Ada, 1, and Bob, 2."""
    make_user("Ada", id=1)
    make_user("Bob", id=2)

    def read():
        with outside.connect() as connection:
            return connection.scalars(sqlalchemy.select(users.c.name).where(users.c.has_posts).order_by("id")).all()

    return read


def execute(engine, *statements):
    """Run the statements in one transaction."""
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(statement)


def post(author_id):
    """Return the statement that adds a post."""
    return insert(posts).values(title="Hello", body="World", author_id=author_id)


def test_a_new_user_has_no_posts(writers):
    assert writers() == []


def test_the_first_and_the_last_post_change_has_posts(outside, writers):
    execute(outside, post(1), post(1))
    assert writers() == ["Ada"]
    execute(
        outside, delete(posts).where(posts.c.id == sqlalchemy.select(sqlalchemy.func.min(posts.c.id)).scalar_subquery())
    )
    assert writers() == ["Ada"]
    execute(outside, delete(posts))
    assert writers() == []


def test_a_new_author_changes_has_posts_of_both_users(outside, writers):
    execute(outside, post(1), update(posts).values(author_id=2))
    assert writers() == ["Bob"]
    execute(outside, post(2), text("UPDATE posts SET author_id = 1 WHERE id = (SELECT max(id) FROM posts)"))
    assert writers() == ["Ada", "Bob"]
    execute(outside, update(posts).values(author_id=2))
    assert writers() == ["Bob"]


def test_setting_the_same_author_changes_nothing(outside, writers):
    execute(outside, post(1), update(posts).values(author_id=1), update(posts).values(title="Bye"))
    assert writers() == ["Ada"]


def test_one_statement_may_write_many_posts(outside, writers):
    values = [{"title": "Hello", "body": "World", "author_id": author_id} for author_id in (1, 2, 1)]
    with outside.begin() as connection:
        connection.execute(insert(posts), values)
    assert writers() == ["Ada", "Bob"]
    execute(outside, delete(posts).where(posts.c.author_id == 1))
    assert writers() == ["Bob"]


@postgresql_only
@pytest.mark.parametrize("statement", ["DELETE FROM posts", "UPDATE posts SET author_id = 2"])
def test_many_posts_are_counted_once(outside, writers, statement):
    """A trigger for each row would look at all rows that are gone, for each of them."""
    execute(outside, post(1), post(1), post(1))
    with outside.begin() as connection:
        [plan] = connection.scalar(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}"))
    assert {
        trigger["Calls"] for trigger in plan["Triggers"] if trigger["Trigger Name"].startswith("posts_has_posts")
    } == {1}
    assert writers() == ([] if "DELETE" in statement else ["Bob"])


def test_a_rollback_restores_has_posts(outside, writers):
    with outside.connect() as connection:
        connection.execute(post(1))
        connection.rollback()
    assert writers() == []


def test_an_author_can_be_deleted_with_their_posts(outside, writers):
    execute(outside, post(1), post(2))
    with Session(outside) as session:
        session.delete(session.get(User, 1))
        session.commit()
    assert writers() == ["Bob"]


@postgresql_only
def test_two_posts_of_one_author_do_not_wait_for_each_other(database_url, outside, writers):
    execute(outside, post(1))
    engine = get_engine(database_url)
    with engine.connect() as one, engine.connect() as other:
        one.execute(post(1))
        other.execute(post(1))
        one.commit()
        other.commit()
    engine.dispose()
    assert writers() == ["Ada"]
