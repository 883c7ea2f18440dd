"""House rule: every text has a limit in its table, on both databases, whichever program writes."""

import pytest
import sqlalchemy
from sqlalchemy import String, Text, select, update
from sqlalchemy.exc import DBAPIError

from myproject.models import (
    AppliedImport,
    Base,
    FailedSignIn,
    PasswordLink,
    Receipt,
    SecurityEvent,
    Selection,
    SignIn,
    StoredFigures,
)

# Written by a trigger, from texts with a limit; written by the application alone, from a hash.
EXCEPTIONS = {"users.search_text", "users.password_hash"}
LIMITS = {
    "posts.body": 20_000,
    "saved_views.query": 2000,
    "selections.query": 8192,
    "receipts.location": 500,
    "stored_figures.figures": 10_000,
    "security_events.facts": 1000,
}
TEXTS = [
    column
    for table in Base.metadata.sorted_tables
    for column in table.columns
    if isinstance(column.type, String | Text) and str(column) not in EXCEPTIONS
]


@pytest.fixture
def filled(outside, make_user, make_post, make_view):
    """A database with a row in every table."""
    author = make_user()
    make_post(author=author)
    make_view(author)
    rows = {
        SignIn: {"token": "a", "user_id": author.id, "address": "", "browser": ""},
        PasswordLink: {"token": "a", "user_id": author.id, "maker_id": author.id},
        FailedSignIn: {"account": "", "address": ""},
        Receipt: {"token": "a", "location": "/", "digest": ""},
        StoredFigures: {"name": "a"},
        Selection: {"user_id": author.id, "query": ""},
        AppliedImport: {"id": "a", "added": 1, "changed": 1},
        SecurityEvent: {"kind": "signed in", "address": "", "request_id": "", "facts": "{}"},
    }
    with outside.begin() as connection:
        for model, values in rows.items():
            connection.execute(sqlalchemy.insert(model).values(values))
    return outside


@pytest.mark.parametrize("column", TEXTS, ids=str)
def test_a_text_that_is_too_long_is_refused(column, filled):
    too_long = "a@" + "a" * (LIMITS.get(str(column)) or column.type.length)
    with filled.connect() as connection:
        row = select(column.table.primary_key.columns[0]).limit(1).scalar_subquery()
        change = update(column.table).where(column.table.primary_key.columns[0] == row)
        with pytest.raises(DBAPIError, match=r"constraint|check|too long"):
            connection.execute(change.values({column.name: too_long}))
