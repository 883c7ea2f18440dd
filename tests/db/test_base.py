"""The tables accept, refuse and return the same values on both databases."""

import datetime

import pytest
from sqlalchemy import insert, text

from myproject.models import Post, User
from tests import sqlite_only

SEOUL = datetime.timezone(datetime.timedelta(hours=9))
MOMENT = datetime.datetime(2026, 1, 1, 12, tzinfo=SEOUL)


def test_a_moment_is_read_back_in_utc(probe, rows):
    probe(lambda request: request.dbsession.add(User(name="Jane Doe", created_at=MOMENT)), status=200)
    (user,) = rows(User)
    assert user.created_at == MOMENT
    assert user.created_at.tzinfo is datetime.UTC


def test_a_moment_in_another_time_zone_finds_the_row(probe, make_user):
    make_user("Jane Doe", created_at=MOMENT)
    found = probe(
        lambda request: str(request.dbsession.query(User).filter_by(created_at=MOMENT.astimezone(datetime.UTC)).count())
    )
    assert found.text == "1"


def test_a_naive_datetime_is_refused(probe, names):
    user = User(name="Jane Doe", created_at=datetime.datetime(2026, 1, 1))
    probe(lambda request: request.dbsession.add(user), status=500)
    assert names() == []


@pytest.mark.parametrize(
    "statement", [insert(User.__table__).values(name="J"), text("INSERT INTO users (name) VALUES ('J')")]
)
def test_a_row_written_without_the_orm_has_created_at_and_updated_at(statement, probe, rows):
    probe(lambda request: request.dbsession.execute(statement), status=200)
    (user,) = rows(User)
    assert abs(datetime.datetime.now(datetime.UTC) - user.created_at) < datetime.timedelta(minutes=1)
    assert abs(user.updated_at - user.created_at) < datetime.timedelta(seconds=1)


@sqlite_only
@pytest.mark.parametrize("written", ["2026-01-01T03:00:00Z", "2026-01-01 12:00:00.000+09:00", "2026-01-01 03:00:00"])
def test_a_moment_is_read_in_whichever_notation_another_program_has_written_it(app, make_post, outside, written):
    post = make_post()
    with outside.begin() as connection:
        for table in "users", "posts":
            connection.execute(
                text(f"UPDATE {table} SET created_at = :written, updated_at = :written"), {"written": written}
            )
    for path in f"/users/{post.author_id}", "/users", f"/posts/{post.id}", "/posts", "/overview":
        app.get(path)
    times = app.get(f"/users/{post.author_id}").html.find_all("time")
    assert {time["datetime"] for time in times} == {"2026-01-01T03:00:00+00:00"}


def test_a_change_sets_updated_at(probe, make_user, rows):
    user = make_user("John Doe", updated_at=MOMENT)

    def view(request):
        request.dbsession.get(User, user.id).name = "Jane Doe"

    probe(view, status=200)
    assert rows(User)[0].updated_at > MOMENT


@pytest.mark.parametrize(
    "values",
    [
        {"name": ""},
        {"name": "김" * 201},
        {"name": None},
        {"age": -1},
        {"age": 151},
        {"role": "owner"},
        {"email": "nobody"},
        {"email": "@example.com"},
        {"email": "a@" + "b" * 319},
    ],
    ids=str,
)
def test_the_table_refuses_invalid_values_of_a_user(values, probe, names):
    statement = insert(User.__table__).values({"name": "Jane Doe", **values})
    probe(lambda request: request.dbsession.execute(statement), status=500)
    assert names() == []


@pytest.mark.parametrize("values", [{"title": ""}, {"title": "x" * 201}, {"body": ""}, {"body": "x" * 20_001}])
def test_the_table_refuses_invalid_values_of_a_post(values, probe, make_user, rows):
    statement = insert(Post.__table__).values({"title": "T", "body": "B", "author_id": make_user().id, **values})
    probe(lambda request: request.dbsession.execute(statement), status=500)
    assert rows(Post) == []


@pytest.mark.parametrize("name", ["김" * 200, "O'Neil", "José", "👩‍👩‍👧", "<script>", "שלום"])
def test_a_name_is_stored_exactly(name, probe, names):
    probe(lambda request: request.dbsession.execute(insert(User.__table__).values(name=name)), status=200)
    assert names() == [name]


def test_an_email_is_unique_without_regard_to_case(probe, make_user, names):
    make_user("Jane Doe", email="jane@example.com")
    other = insert(User.__table__).values(name="Jim Doe", email="JANE@example.com")
    probe(lambda request: request.dbsession.execute(other), status=500)
    assert names() == ["Jane Doe"]
