"""The code of introductions to SQLAlchemy: in a request, where nobody calls commit, and alone."""

import subprocess
import sys

import pytest
import sqlalchemy
from sqlalchemy import select

from myproject.models import Post, User

users = User.__table__
# Introductions begin with an empty table.
pytestmark = pytest.mark.usefixtures("nobody")


def test_adding_an_object(probe, rows):
    def view(request):
        request.dbsession.add(User(name="John Doe", age=30))

    probe(view)
    assert [(user.name, user.age) for user in rows(User)] == [("John Doe", 30)]


def test_adding_several_objects_made_by_plain_constructors(probe, rows):
    def view(request):
        request.dbsession.add_all(
            [User(name="John Doe", age=30), User(name="김철수"), User(name="O'Neil", role="admin")]
        )

    probe(view)
    assert [(user.name, user.age, user.role) for user in rows(User)] == [
        ("John Doe", 30, "member"),
        ("김철수", None, "member"),
        ("O'Neil", None, "admin"),
    ]


def test_an_object_has_its_id_after_a_flush(probe, rows):
    def view(request):
        user = User(name="John Doe", age=30)
        request.dbsession.add(user)
        request.dbsession.flush()
        return str(user.id)

    assert probe(view).text == str(rows(User)[0].id)


def test_changing_an_object(probe, make_user, rows):
    user_id = make_user(age=30).id

    def view(request):
        request.dbsession.get(User, user_id).age = 31

    probe(view)
    assert rows(User)[0].age == 31


def test_reading_one_by_its_id(probe, make_user):
    user_id = make_user("John Doe").id
    assert probe(lambda request: request.dbsession.get(User, user_id).name, "GET").text == "John Doe"
    assert probe(lambda request: str(request.dbsession.get(User, user_id + 1)), "GET").text == "None"


def test_reading_all(probe, make_user):
    for name in ["John Doe", "Ada Lovelace"]:
        make_user(name)

    def view(request):
        return ", ".join(user.name for user in request.dbsession.scalars(select(User).order_by(User.name)))

    assert probe(view, "GET").text == "Ada Lovelace, John Doe"


def test_reading_rows_that_meet_a_condition(probe, make_user):
    for name, age in [("John Doe", 30), ("Ada Lovelace", 36), ("Bob", None)]:
        make_user(name, age=age)

    def view(request):
        return request.dbsession.scalars(select(User).where(User.age > 30)).one().name

    assert probe(view, "GET").text == "Ada Lovelace"


def test_reading_with_the_legacy_query(probe, make_user):
    make_user("John Doe", age=30)
    assert probe(lambda request: request.dbsession.query(User).filter_by(age=30).one().name, "GET").text == "John Doe"


def test_deleting_an_object(probe, make_user, rows):
    gone, kept = make_user(), make_user()

    def view(request):
        request.dbsession.delete(request.dbsession.get(User, gone.id))

    probe(view)
    assert [user.id for user in rows(User)] == [kept.id]


def test_objects_changed_after_a_query_are_saved_automatically(probe, make_user, rows):
    for age in (30, 40, 50):
        make_user(age=age)

    def view(request):
        for user in request.dbsession.scalars(select(User)):
            user.age += 1

    probe(view)
    assert [user.age for user in rows(User)] == [31, 41, 51]


def test_a_query_sees_objects_added_before_it(probe):
    def view(request):
        request.dbsession.add(User(name="John Doe"))
        return request.dbsession.scalars(select(User.name)).one()

    assert probe(view).text == "John Doe"


def test_following_a_relationship_both_ways(probe, make_post):
    post = make_post(title="Hello")

    def view(request):
        author = request.dbsession.get(Post, post.id).author
        return f"{author.name}: {[post.title for post in author.posts]}"

    assert probe(view, "GET").text == "Ada Lovelace: ['Hello']"


def test_adding_an_object_adds_related_objects(probe, rows):
    def view(request):
        request.dbsession.add(User(name="John Doe", posts=[Post(title="Hello", body="World")]))

    probe(view)
    assert [(post.title, post.author_id) for post in rows(Post)] == [("Hello", rows(User)[0].id)]


def test_core_and_orm_share_one_transaction(probe, rows):
    def view(request):
        request.dbsession.add(User(name="John Doe", age=30))
        request.dbsession.flush()
        request.dbsession.execute(users.update().values(age=users.c.age + 1))
        request.dbsession.execute(users.insert().values(name="Ada Lovelace", age=36))
        return str(request.dbsession.execute(select(User.name, User.age).order_by(User.id)).all())

    assert probe(view).text == "[('John Doe', 31), ('Ada Lovelace', 36)]"
    assert [(user.name, user.age) for user in rows(User)] == [("John Doe", 31), ("Ada Lovelace", 36)]


def test_plain_sql_joins_the_transaction(probe, make_user, rows):
    make_user(age=30)

    def view(request):
        request.dbsession.execute(sqlalchemy.text("UPDATE users SET age = :age"), {"age": 31})
        request.dbsession.connection().exec_driver_sql("UPDATE users SET age = age + 1")

    probe(view)
    assert rows(User)[0].age == 32


def test_an_error_rolls_back_all_writes(probe, make_user, rows):
    make_user(age=30)

    def view(request):
        request.dbsession.add(User(name="John Doe"))
        request.dbsession.execute(users.update().values(age=31))
        raise RuntimeError("after the writes")

    probe(view, expect_errors=True)
    assert [(user.id, user.age) for user in rows(User)] == [(1, 30)]


# The introductions' own code, in a process that imports only the models.

MODELS_ALONE = """
import sys

from sqlalchemy import create_engine, text
from sqlalchemy.orm import sessionmaker

from myproject.models import Base, User

url, made_by = sys.argv[1:]
engine = create_engine(url)
if made_by == "create_all":
    Base.metadata.create_all(engine)
Session = sessionmaker(bind=engine)
session = Session()

session.add(User(name="John Doe", age=30))
session.commit()
john = session.query(User).get(1)
assert (john.name, john.age) == ("John Doe", 30)

john.age = 31
session.commit()
assert [(user.name, user.age) for user in session.query(User).all()] == [("John Doe", 31)]

session.delete(john)
session.commit()
assert session.query(User).all() == []
session.close()

with engine.connect() as conn:
    conn.execute(text("INSERT INTO users (name) VALUES ('Jane')"))
    conn.commit()
    print(conn.execute(text("SELECT name FROM users")).scalars().all())
engine.dispose()
"""


@pytest.fixture
def url_without_tables(database_url, outside, tmp_path):
    """The URL of a database without tables."""
    if outside.dialect.name == "sqlite":
        return f"sqlite:///{tmp_path / 'new.sqlite'}"
    with outside.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    return database_url


@pytest.mark.passes_ledger_by
@pytest.mark.parametrize(("url", "made_by"), [("database_url", "initialize_db"), ("url_without_tables", "create_all")])
def test_the_introductions_own_code_needs_only_the_models(url, made_by, database_url, request):
    command = [sys.executable, "-c", MODELS_ALONE, request.getfixturevalue(url), made_by]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "['Jane']\n"), result.stderr
