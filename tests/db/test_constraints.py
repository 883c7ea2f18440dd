"""The name of the constraint that refused a write, on both databases."""

import pytest
from sqlalchemy import insert, null
from sqlalchemy.exc import IntegrityError

from myproject.db.constraints import violated_constraint
from myproject.models import Post, User


@pytest.mark.parametrize(
    ("table", "values", "name"),
    [
        (User, {"name": "Eve", "email": "ADA@example.com"}, "uq_users_email"),
        (User, {"name": "Eve", "age": 151}, "ck_users_age_range"),
        (Post, {"title": "", "body": "World", "author_id": 1}, "ck_posts_title_length"),
    ],
)
def test_a_violated_constraint_is_named(outside, make_user, table, values, name):
    make_user("Ada", email="ada@example.com")
    assert violated_by(outside, insert(table.__table__).values(values)) == name


def test_the_constraint_of_a_trigger_is_named(outside):
    # The administrator of the tests is the only one.
    assert violated_by(outside, User.__table__.delete()) == "last_administrator"


def test_a_missing_value_has_no_constraint(outside):
    assert violated_by(outside, insert(User.__table__).values(name=null())) is None


def violated_by(engine, statement):
    """Execute a statement that fails; return the name of the constraint that it violates."""
    with pytest.raises(IntegrityError) as raised, engine.begin() as connection:
        connection.execute(statement)
    return violated_constraint(raised.value)
