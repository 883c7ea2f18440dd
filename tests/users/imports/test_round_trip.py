"""Users exported by the page, deleted and imported again are equal."""

import uuid

import sqlalchemy
from hypothesis import given, settings
from hypothesis import strategies as st

from myproject.models import User
from myproject.users.fields import FIELDS
from myproject.users.models import ROLES
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
@settings(max_examples=10)
def test_users_that_are_exported_deleted_and_imported_are_equal(plan_of, apply_plan, app, outside, rows, users):
    expected = sorted((tuple(user.get(field.name) for field in FIELDS) for user in users), key=str)
    with outside.begin() as connection:
        connection.execute(sqlalchemy.delete(User).where(User.id > 0))
        connection.execute(sqlalchemy.insert(User), users)
    assert values(rows(User)) == expected
    file = app.get("/users/export.csv").body
    with outside.begin() as connection:
        connection.execute(sqlalchemy.delete(User).where(User.id > 0))
    plan = plan_of(file)
    # The administrator who exports is there already.
    assert plan.numbers == {"new": len(users), "changed": 0, "same": 1, "refused": 0, "total": len(users) + 1}
    apply_plan(plan, import_id=uuid.uuid4().hex)
    assert values(rows(User)) == expected


def values(users):
    """Return the values of users, sorted."""
    return sorted((tuple(getattr(user, field.name) for field in FIELDS) for user in users), key=str)
