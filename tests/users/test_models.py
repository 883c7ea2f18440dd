"""The columns of a User, and what the table refuses from every program."""

import datetime

import pytest
import sqlalchemy
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from myproject.models import User

users = User.__table__


def test_the_constructor_needs_only_a_name(outside):
    with Session(outside) as session:
        user = User(name="John Doe")
        session.add(user)
        session.commit()
        assert (user.email, user.age, user.role, user.active) == (None, None, "member", True)
        assert (user.password_hash, user.version, user.posts) == (None, 1, [])


def test_a_row_written_by_sql_has_the_same_defaults(outside, rows):
    write(outside, name="John Doe")
    user = rows(User)[0]
    assert (user.role, user.active, user.version) == ("member", True, 1)
    assert age_of(user.created_at) < datetime.timedelta(minutes=1)
    assert age_of(user.updated_at) < datetime.timedelta(minutes=1)


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"name": ""}, "ck_users_name_length"),
        ({"name": "a" * 201}, "ck_users_name_length"),
        ({"age": -1}, "ck_users_age_range"),
        ({"age": 151}, "ck_users_age_range"),
        ({"role": "root"}, "ck_users_role_known"),
        ({"role": ""}, "ck_users_role_known"),
        ({"role": "Member"}, "ck_users_role_known"),
        ({"email": ""}, "ck_users_email_form"),
        ({"email": "nobody"}, "ck_users_email_form"),
        ({"email": "@example.com"}, "ck_users_email_form"),
        ({"email": "john@"}, "ck_users_email_form"),
        ({"email": "a" * 309 + "@example.com"}, "ck_users_email_form"),
    ],
)
def test_the_table_refuses_what_the_form_refuses(outside, rows, values, constraint):
    # PostgreSQL checks the length of the type before the constraint.
    with pytest.raises((IntegrityError, DataError), match=f"{constraint}|too long for type"):
        write(outside, **{"name": "John Doe", **values})
    assert rows(User) == []


@pytest.mark.parametrize("missing", ["name", "role", "active", "version", "created_at", "updated_at"])
def test_required_columns_cannot_be_null(outside, rows, missing):
    with pytest.raises(IntegrityError):
        write(outside, **{"name": "John Doe", missing: None})
    assert rows(User) == []


@pytest.mark.parametrize(
    "values",
    [{"name": "a"}, {"name": "😀" * 200}, {"age": 0}, {"age": 150}, {"email": "a@b"}, {"role": "admin"}],
)
def test_the_table_accepts_what_the_form_accepts(outside, rows, values):
    write(outside, **{"name": "John Doe", **values})
    assert len(rows(User)) == 1


@pytest.mark.parametrize("again", ["john@example.com", "JOHN@Example.Com"])
def test_an_email_is_unique_without_regard_to_case(outside, rows, again):
    write(outside, name="John Doe", email="john@example.com")
    with pytest.raises(IntegrityError, match="uq_users_email"):
        write(outside, name="Johnny", email=again)
    assert [user.name for user in rows(User)] == ["John Doe"]


def test_an_update_is_checked_by_the_same_constraints(outside, make_user, rows):
    make_user(email="john@example.com")
    make_user(email="ada@example.com")
    with pytest.raises(IntegrityError, match="uq_users_email"), outside.begin() as connection:
        connection.execute(users.update().where(users.c.id == 2).values(email="John@example.com"))
    assert [user.email for user in rows(User)] == ["john@example.com", "ada@example.com"]


def test_every_change_raises_the_version(outside, make_user):
    user_id = make_user(age=30).id
    with Session(outside) as session:
        user = session.get(User, user_id)
        for age in (31, 32):
            user.age = age
            session.commit()
        assert user.version == 3


def test_datetimes_are_aware_and_in_utc(make_user, rows):
    make_user()
    user = rows(User)[0]
    assert user.created_at.tzinfo is user.updated_at.tzinfo is datetime.UTC
    assert age_of(user.created_at) < datetime.timedelta(minutes=1)


def test_a_datetime_of_another_zone_is_read_as_the_same_instant(make_user, rows):
    seoul = datetime.timezone(datetime.timedelta(hours=9))
    make_user(created_at=datetime.datetime(2026, 1, 1, 8, 59, 59, 999_999, tzinfo=seoul))
    assert rows(User)[0].created_at == datetime.datetime(2025, 12, 31, 23, 59, 59, 999_999, tzinfo=datetime.UTC)


def test_a_naive_datetime_is_refused(make_user, rows):
    with pytest.raises(sqlalchemy.exc.StatementError, match="has no time zone"):
        make_user(created_at=datetime.datetime(2026, 1, 1))
    assert rows(User) == []


def test_a_change_sets_updated_at_and_keeps_created_at(outside, make_user, rows):
    made = make_user(age=30)
    with Session(outside) as session:
        session.get(User, made.id).age = 31
        session.commit()
    user = rows(User)[0]
    assert user.created_at == made.created_at
    assert user.updated_at > made.updated_at


def test_the_id_of_a_deleted_user_is_not_reused(outside, make_user):
    gone = [make_user().id, make_user().id]
    with outside.begin() as connection:
        connection.execute(users.delete().where(users.c.id.in_(gone)))
    assert make_user().id not in gone


def write(engine, **values):
    """Insert a row into the table by plain Core, and commit; `None` is written as NULL."""
    with engine.begin() as connection:
        connection.execute(
            users.insert().values(
                {name: sqlalchemy.null() if value is None else value for name, value in values.items()}
            )
        )


def age_of(moment):
    """Return how long ago `moment`, aware, was."""
    return datetime.datetime.now(datetime.UTC) - moment


def test_an_age_with_a_fraction_is_not_stored(probe, rows):
    half = sqlalchemy.insert(User.__table__).values(name="John Doe", age=30.5)
    probe(lambda request: request.dbsession.execute(half), status="*")
    assert all(type(user.age) is int for user in rows(User))
