"""The form of a user: which values it accepts, and how it parses them."""

import pytest

from myproject.db.base import utcnow
from myproject.signin.identity import Identity
from myproject.users.forms import UserForm
from myproject.users.models import ROLES
from myproject.web.request import Request
from tests import signed_in


class AdminRequest(Request):
    """A request of an administrator who has just entered their password, so that the form does not ask for it."""

    @property
    def identity(self):
        return Identity(id=0, name=signed_in.NAME, role="admin", sign_in=0, confirmed_at=utcnow(), time_zone=None)

    def has_permission(self, permission, context=None):
        return True


@pytest.mark.parametrize(
    ("field", "submitted", "value"),
    [
        ("name", "John Doe", "John Doe"),
        ("name", "  John  Doe\u3000", "John  Doe"),
        ("name", "0", "0"),
        ("name", "None", "None"),
        ("name", "John\tDoe", "John Doe"),
        ("name", "John\u2028Doe\u200b", "John Doe"),
        ("email", "", None),
        ("email", "john@example.com\u200b", "john@example.com"),
        ("email", "\u202ajohn@example.com\u202c", "john@example.com"),
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
        ("active", "on", True),
        ("active", "no", False),
        ("active", "0", False),
    ],
)
def test_valid_values_are_parsed(field, submitted, value):
    form = filled_in(**{field: submitted})
    assert form.validate(), form.errors
    assert form[field].data == value


@pytest.mark.parametrize(
    ("field", "submitted"),
    [
        ("name", ""),
        ("name", "\u3000 \t"),
        ("name", "a" * 201),
        ("name", "John\x00Doe"),
        ("name", "John\x9bDoe"),
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
        ("active", "maybe"),
    ],
)
def test_invalid_values_get_a_message_on_their_field(field, submitted):
    form = filled_in(**{field: submitted})
    assert not form.validate()
    assert list(form.errors) == [field]


def test_a_checkbox_that_is_not_sent_is_off():
    form = UserForm(AdminRequest.blank("/", POST={"name": "John Doe", "email": "", "age": "", "role": "member"}))
    assert form.validate()
    assert form.active.data is False


def test_a_role_that_is_not_sent_is_member():
    form = UserForm(AdminRequest.blank("/", POST={"name": "John Doe", "email": "", "age": ""}))
    assert form.validate()
    assert form.role.data == "member"


@pytest.mark.parametrize("blank", ["\u200b", "\u3164", "\ufeff", "\u00ad", "\u115f\u1160"])
def test_an_invisible_name_is_refused(blank):
    form = UserForm(AdminRequest.blank("/", POST={"name": blank}))
    assert not form.validate()
    assert list(form.errors) == ["name"]


def test_the_choices_are_the_roles_of_the_table():
    choices = UserForm(AdminRequest.blank("/")).role.choices
    assert [choice.value for choice in choices] == list(ROLES)


def test_an_empty_form_is_that_of_an_active_member():
    form = UserForm(AdminRequest.blank("/"))
    assert (form.name.data, form.email.data, form.age.data) == (None, None, None)
    assert (form.role.data, form.active.data, form.errors) == ("member", True, {})


def test_the_form_ignores_the_query_string():
    assert UserForm(AdminRequest.blank("/?name=John&role=admin")).role.data == "member"


def filled_in(**submitted):
    """Return the form of a new user as a browser submits it with these values."""
    sent = {"name": "John Doe", "email": "", "age": "", "role": "member", "active": "y", **submitted}
    return UserForm(AdminRequest.blank("/", POST=sent))
