"""The list of a user's fields: complete, used by every page, and its rules refuse what the table refuses."""

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import DataError, IntegrityError

from myproject.models import User
from myproject.users.fields import FIELDS, field_removing_administrator
from myproject.users.models import ROLES
from myproject.web.rules import Invalid

# Columns that no person fills in on the form of a record.
NOT_ON_THE_FORM = {
    "id",
    "password_hash",
    "version",
    "created_at",
    "updated_at",
    "search_text",
    "has_posts",
    "time_zone",
}
RULES = {field.name: field.parse for field in FIELDS}


def test_every_column_that_people_fill_in_is_a_field():
    assert {field.name for field in FIELDS} == {column.name for column in User.__table__.c} - NOT_ON_THE_FORM


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_page_of_a_record_has_every_field(app, make_user, field):
    path = f"/users/{make_user('John Doe', email='john@example.com', age=30).id}"
    assert field.name in app.get(f"{path}/edit").forms["record"].fields
    assert field.label in app.get(f"{path}/erase").html.select_one("main li").text
    if field.name != "name":
        assert field.label in [term.text for term in app.get(path).html.select(".facts dt")]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("name", " John  Doe ", "John  Doe"),
        ("name", "김철수", "김철수"),
        ("email", "", None),
        ("email", " John@Example.com ", "John@Example.com"),
        ("age", "", None),
        ("age", "007", 7),
        ("role", "editor", "editor"),
        ("active", "y", True),
        ("active", " Yes", True),
        ("active", "1", True),
        ("active", "", False),
        ("active", "no", False),
        ("active", "FALSE", False),
    ],
)
def test_a_rule_returns_the_value_of_a_text(name, text, value):
    assert RULES[name](text) == value


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("name", " \u200b", "Fill in this field."),
        ("name", "a" * 201, "Enter at most 200 characters."),
        ("name", "a\0b", "Remove the invisible control characters from this field."),
        ("email", "john", "Enter an email address like name@example.com."),
        ("age", "151", "Enter a whole number from 0 to 150."),
        ("age", "３０", "Enter a whole number from 0 to 150."),
        ("role", "root", "Choose an option from the list."),
        ("active", "perhaps", "Choose an option from the list."),
    ],
)
def test_a_rule_refuses_a_text_with_a_message(name, text, message):
    with pytest.raises(Invalid) as raised:
        RULES[name](text)
    assert raised.value.message.interpolate() == message


@pytest.mark.parametrize(
    ("name", "value"),
    [("name", ""), ("name", "a" * 201), ("email", "john"), ("email", "a" * 309 + "@example.com"), ("age", -1),
     ("age", 151), ("role", "root")],
)  # fmt: skip
def test_rule_and_table_refuse_the_same_values(outside, name, value):
    with pytest.raises(Invalid):
        RULES[name](str(value))
    with pytest.raises((IntegrityError, DataError)), outside.begin() as connection:
        connection.execute(insert(User.__table__).values({"name": "John Doe", name: value}))


def test_the_roles_that_can_be_chosen_are_those_of_the_table():
    [role] = [field for field in FIELDS if field.name == "role"]
    assert tuple(role.choices) == ROLES


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"active": False, "role": "member", "email": None}, "active"),
        ({"active": True, "role": "member", "email": None}, "role"),
        ({"active": True, "role": "admin", "email": None}, "email"),
        ({"email": None}, "email"),
        ({"role": "editor"}, "role"),
    ],
)
def test_the_field_that_would_remove_an_administrator(values, field):
    assert field_removing_administrator(values) == field
