"""The columns of a Post, its author, and what the table refuses from every program."""

import datetime

import pytest
import sqlalchemy
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from myproject.db import get_engine
from myproject.models import Post, User

posts, users = Post.__table__, User.__table__


@pytest.fixture
def engine(database_url):
    """An engine of `get_engine`, for which SQLite enforces foreign keys."""
    engine = get_engine(database_url)
    yield engine
    engine.dispose()


def test_a_new_post_is_among_the_posts_of_its_author(outside, rows):
    with Session(outside) as session:
        author = User(name="Ada Lovelace")
        post = Post(title="Hello", body="World", author=author)
        assert author.posts == [post]
        session.add(author)
        session.commit()
    assert [(post.title, post.author_id) for post in rows(Post)] == [("Hello", rows(User)[0].id)]


def test_a_post_appended_to_the_posts_of_a_user_has_them_as_author(outside, make_user, rows):
    user_id = make_user().id
    with Session(outside) as session:
        author = session.get(User, user_id)
        author.posts.append(Post(title="Hello", body="World"))
        session.commit()
        assert author.posts[0].author is author
    assert rows(Post)[0].author_id == user_id


def test_the_posts_of_an_author_come_newest_first(outside, make_user, make_post):
    user = make_user()
    titles = [make_post(title=f"Post {number}", author=user).title for number in range(3)]
    with Session(outside) as session:
        assert [post.title for post in session.get(User, user.id).posts] == titles[::-1]


def test_a_post_can_change_its_author(outside, make_user, make_post, rows):
    post, other = make_post(), make_user("John Doe")
    with Session(outside) as session:
        session.get(Post, post.id).author = session.get(User, other.id)
        session.commit()
    assert [(row.id, row.author_id) for row in rows(Post)] == [(post.id, other.id)]


def test_a_post_removed_from_its_author_is_deleted(outside, make_post, rows):
    author_id = make_post().author_id
    with Session(outside) as session:
        author = session.get(User, author_id)
        author.posts.clear()
        session.commit()
    assert rows(Post) == []


def test_deleting_an_author_deletes_their_posts(outside, make_post, rows):
    author_id, other = make_post().author_id, make_post()
    with Session(outside) as session:
        session.delete(session.get(User, author_id))
        session.commit()
    assert [post.id for post in rows(Post)] == [other.id]
    assert [user.id for user in rows(User)] == [other.author_id]


def test_deleting_a_post_keeps_its_author(outside, make_post, rows):
    post = make_post()
    with Session(outside) as session:
        session.delete(session.get(Post, post.id))
        session.commit()
    assert rows(Post) == []
    assert [user.id for user in rows(User)] == [post.author_id]


@pytest.mark.parametrize("author_id", [99, None])
def test_a_post_needs_an_author(engine, rows, author_id):
    with pytest.raises(IntegrityError):
        write(engine, author_id=author_id)
    assert rows(Post) == []


def test_an_author_with_posts_cannot_be_deleted_by_sql(engine, make_post, rows):
    make_post()
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(users.delete())
    assert (len(rows(User)), len(rows(Post))) == (1, 1)


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"title": ""}, "ck_posts_title_length"),
        ({"title": "a" * 201}, "ck_posts_title_length"),
        ({"body": ""}, "ck_posts_body_length"),
        ({"body": "a" * 20_001}, "ck_posts_body_length"),
        ({"title": None}, "title"),
        ({"body": None}, "body"),
        ({"created_at": None}, "created_at"),
    ],
)
def test_the_table_refuses_what_the_form_refuses(outside, make_user, rows, values, constraint):
    author_id = make_user().id
    # PostgreSQL checks the length of the type before the constraint.
    with pytest.raises((IntegrityError, DataError), match=f"{constraint}|too long for type"):
        write(outside, author_id=author_id, **values)
    assert rows(Post) == []


@pytest.mark.parametrize("values", [{"title": "a"}, {"title": "😀" * 200}, {"body": "a"}, {"body": "김" * 20_000}])
def test_the_table_accepts_what_the_form_accepts(outside, make_user, rows, values):
    write(outside, author_id=make_user().id, **values)
    assert len(rows(Post)) == 1


def test_a_row_written_by_sql_has_the_same_defaults(outside, make_user, rows):
    write(outside, author_id=make_user().id)
    post, now = rows(Post)[0], datetime.datetime.now(datetime.UTC)
    assert post.version == 1
    assert post.created_at.tzinfo is post.updated_at.tzinfo is datetime.UTC
    assert now - datetime.timedelta(minutes=1) < post.created_at <= now


def test_a_change_raises_the_version_and_sets_updated_at(outside, make_post, rows):
    made = make_post()
    with Session(outside) as session:
        session.get(Post, made.id).title = "Bye"
        session.commit()
    post = rows(Post)[0]
    assert (post.version, post.created_at) == (2, made.created_at)
    assert post.updated_at > made.updated_at


def test_the_id_of_a_deleted_post_is_not_reused(outside, make_post):
    gone = [make_post().id, make_post().id]
    with outside.begin() as connection:
        connection.execute(posts.delete())
    assert make_post().id not in gone


def write(engine, **values):
    """Insert a row into the table by plain Core, and commit; `None` is written as NULL."""
    values = {"title": "Hello", "body": "World", **values}
    with engine.begin() as connection:
        connection.execute(
            posts.insert().values(
                {name: sqlalchemy.null() if value is None else value for name, value in values.items()}
            )
        )
