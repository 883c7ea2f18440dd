"""What the form of a user takes, and how it reads what was typed."""

import pytest
from pyramid.request import Request

from myproject.db.base import utcnow
from myproject.signin.identity import Identity
from myproject.users.forms import UserForm
from myproject.users.models import ROLES
from tests import signed_in


class AdminRequest(Request):
    """A request of an administrator who has only just entered their password: the form has every field but that."""

    @property
    def identity(self):
        return Identity(id=0, name=signed_in.NAME, role="admin", sign_in=0, confirmed_at=utcnow())

    def has_permission(self, permission, context=None):
        return True


@pytest.mark.parametrize(
    ("field", "typed", "value"),
    [
        ("name", "John Doe", "John Doe"),
        ("name", "  John  Doe\u3000", "John  Doe"),
        ("name", "0", "0"),
        ("name", "None", "None"),
        ("email", "", None),
        ("email", "  ", None),
        ("email", " John@Example.com ", "John@Example.com"),
        ("email", "o'neil+news@mail.example.co.kr", "o'neil+news@mail.example.co.kr"),
        ("email", "root@localhost", "root@localhost"),
        ("age", "", None),
        ("age", " ", None),
        ("age", "0", 0),
        ("age", "007", 7),
        ("age", " 150 ", 150),
        ("role", "admin", "admin"),
        ("active", "y", True),
    ],
)
def test_it_takes(field, typed, value):
    form = filled_in(**{field: typed})
    assert form.validate(), form.errors
    assert form[field].data == value


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("name", ""),
        ("name", "\u3000 \t"),
        ("name", "a" * 201),
        ("name", "John\nDoe"),
        ("name", "John\x00Doe"),
        ("name", "John\x85Doe"),
        ("email", "john"),
        ("email", "john@"),
        ("email", "@example.com"),
        ("email", "john@@example.com"),
        ("email", "john@example..com"),
        ("email", "john@-example.com"),
        ("email", "john@example.com, ada@example.com"),
        ("email", "<john@example.com>"),
        ("email", "johñ@example.com"),
        ("email", "john@한국.kr"),
        ("email", "a" * 309 + "@example.com"),
        ("age", "-1"),
        ("age", "151"),
        ("age", "30 years"),
        ("age", "1.5"),
        ("age", "1e3"),
        ("age", "0x10"),
        ("age", "+30"),
        ("age", "1_0"),
        ("age", "３０"),
        ("age", "٣٠"),
        ("age", "²"),
        ("age", "1 0"),
        ("age", "9" * 5000),
        ("role", ""),
        ("role", "Member"),
        ("role", "root"),
    ],
)
def test_it_refuses_with_a_message_beside_the_field(field, typed):
    form = filled_in(**{field: typed})
    assert not form.validate()
    assert list(form.errors) == [field]


def test_a_box_that_is_not_ticked_is_not_sent():
    form = UserForm(AdminRequest.blank("/", POST={"name": "John Doe", "email": "", "age": "", "role": "member"}))
    assert form.validate()
    assert form.active.data is False


def test_a_role_that_is_not_sent_is_that_of_a_member():
    form = UserForm(AdminRequest.blank("/", POST={"name": "John Doe", "email": "", "age": ""}))
    assert form.validate()
    assert form.role.data == "member"


@pytest.mark.parametrize("blank", ["\u200b", "\u3164", "\ufeff", "\u00ad", "\u115f\u1160"])
def test_a_name_without_anything_to_see_is_none(blank):
    form = UserForm(AdminRequest.blank("/", POST={"name": blank}))
    assert not form.validate()
    assert list(form.errors) == ["name"]


def test_every_role_of_the_table_can_be_chosen_and_no_other():
    choices = UserForm(AdminRequest.blank("/")).role.choices
    assert [choice.value for choice in choices] == list(ROLES)


def test_before_anything_was_typed_it_proposes_an_active_member():
    form = UserForm(AdminRequest.blank("/"))
    assert (form.name.data, form.email.data, form.age.data) == (None, None, None)
    assert (form.role.data, form.active.data, form.errors) == ("member", True, {})


def test_what_a_query_string_says_is_not_taken_for_what_was_typed():
    assert UserForm(AdminRequest.blank("/?name=John&role=admin")).role.data == "member"


def filled_in(**typed):
    """Return the form of a new user as a browser sends it, with what was typed."""
    sent = {"name": "John Doe", "email": "", "age": "", "role": "member", "active": "y", **typed}
    return UserForm(AdminRequest.blank("/", POST=sent))
