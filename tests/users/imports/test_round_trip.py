"""Users written as CSV, deleted and imported again are equal."""

import uuid

import sqlalchemy
from hypothesis import given, settings
from hypothesis import strategies as st

from myproject.models import User
from myproject.users.fields import FIELDS
from myproject.users.models import ROLES
from myproject.web.csv import defuse, write_lines
from myproject.web.rules import Invalid

PARSE = {field.name: field.parse for field in FIELDS}
LIKE_FORMULAS = ["=1+1", "'=1+1", "''-5", "@SUM(A1)", "-2", "+82 10", "'Ada'", "' =x", "＝1", 'a"b', "a,b;c", "sep=;"]


def parsed(name):
    """Return the name as the form would store it, or `None`."""
    try:
        return PARSE["name"](name)
    except Invalid:
        return None


NAMES = st.one_of(st.sampled_from(LIKE_FORMULAS), st.text(min_size=1, max_size=20)).map(parsed).filter(bool)
LOCAL_PARTS = st.text("abcXYZ019.!#$%&'*+/=?^_`{|}~-", min_size=1, max_size=10)
USERS = st.fixed_dictionaries(
    {
        "name": NAMES,
        "email": st.one_of(st.none(), LOCAL_PARTS.map("{}@example.com".format)),
        "age": st.one_of(st.none(), st.integers(0, 150)),
        "role": st.sampled_from(ROLES),
        "active": st.booleans(),
    }
)
LISTS = st.lists(
    USERS, min_size=1, max_size=8, unique_by=lambda user: user["email"].lower() if user["email"] else object()
)


@given(LISTS)
@settings(max_examples=12)
def test_users_that_are_exported_deleted_and_imported_are_equal(plan_of, apply_plan, outside, rows, users):
    expected = [tuple(user[field.name] for field in FIELDS) for user in users]
    with outside.begin() as connection:
        connection.execute(sqlalchemy.delete(User).where(User.id > 0))
        connection.execute(sqlalchemy.insert(User), users)
    assert values(rows(User)) == expected
    cells = [["" if value is None else defuse(str(value)) for value in user] for user in expected]
    file = write_lines([[field.name for field in FIELDS], *cells])
    with outside.begin() as connection:
        connection.execute(sqlalchemy.delete(User).where(User.id > 0))
    plan = plan_of(file)
    assert plan.numbers["new"] == len(users)
    apply_plan(plan, import_id=uuid.uuid4().hex)
    assert values(rows(User)) == expected
    assert plan_of(file).numbers["new"] == sum(user["email"] is None for user in users)


def values(users):
    """Return the values of users, in the order of FIELDS."""
    return [tuple(getattr(user, field.name) for field in FIELDS) for user in users]
