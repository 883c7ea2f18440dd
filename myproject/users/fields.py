"""The fields of a user's record, in the order in which forms and pages show them: all that one of them needs.

The form, the page and the erasing page of a user are made from this list, and so are their tests.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pyramid.i18n import TranslationString

from ..web.i18n import _
from ..web.rules import (
    Invalid,
    Rule,
    parse_boolean,
    parse_choice,
    parse_code,
    parse_line,
    parse_whole_number,
    required,
)
from .administrators import LAST_ADMINISTRATOR
from .models import EMAIL_LENGTH, NAME_LENGTH, OLDEST

ROLE_NAMES = {"member": _("Member"), "editor": _("Editor"), "admin": _("Administrator")}

# "A valid e-mail address" of https://html.spec.whatwg.org/#valid-e-mail-address
DOMAIN_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
EMAIL_PATTERN = re.compile(rf"[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{DOMAIN_LABEL}(?:\.{DOMAIN_LABEL})*")

EMAIL_TAKEN = _("Another user already has this address. Enter a different one.")
LAST_ADMINISTRATOR_STAYS = _(
    "This is the last administrator who can sign in. Make somebody else an administrator first."
)


def parse_email(text: str) -> str | None:
    """Return the email address, in ASCII, or `None` if `text` is empty."""
    email = parse_code(text, length=EMAIL_LENGTH)
    if email is not None and not is_email(email):
        raise Invalid(_("Enter an email address like name@example.com."))
    return email


def is_email(text: str) -> bool:
    """Return whether `text` is an email address as it is stored: in ASCII, without spaces around it."""
    return len(text) <= EMAIL_LENGTH and EMAIL_PATTERN.fullmatch(text) is not None


@dataclass(frozen=True)
class Field:
    """One field of the record: its rule turns a submitted text into a value or raises `Invalid`."""

    # Of the column and of the form's field.
    name: str
    label: TranslationString
    parse: Rule
    # The value of a new record; if it is a bool, the field is a checkbox.
    default: Any = None
    # A mapping from each possible value to its label.
    choices: Mapping[str, TranslationString] | None = None
    description: TranslationString | str = ""
    # Who may set it, beyond those who may edit the record: see security.py.
    permission: str | None = None
    # HTML attributes of the input.
    attributes: Mapping[str, Any] | None = None


FIELDS = (
    Field("name", _("Name"), required(partial(parse_line, length=NAME_LENGTH)), attributes={"required": True}),
    Field(
        "email",
        _("Email"),
        parse_email,
        description=_("Optional, but needed to sign in. Each user needs a different address."),
        attributes={"inputmode": "email"},
    ),
    Field(
        "age",
        _("Age"),
        partial(parse_whole_number, lowest=0, highest=OLDEST),
        description=_("Optional."),
        attributes={"inputmode": "numeric"},
    ),
    Field(
        "role",
        _("Role"),
        partial(parse_choice, choices=ROLE_NAMES),
        default="member",
        choices=ROLE_NAMES,
        permission="administer",
    ),
    Field(
        "active",
        _("Active"),
        parse_boolean,
        default=True,
        description=_("Inactive users cannot sign in."),
        permission="add",
    ),
)


def explain(constraint: str | None, values: Mapping[str, Any]) -> tuple[str, TranslationString] | None:
    """Return the name of a field and the message on it when `values` violate a constraint of the database.

    Returns `None` for a constraint that the rules above keep, so that its violation is a defect.
    """
    if constraint == "uq_users_email":
        return "email", EMAIL_TAKEN
    if constraint == LAST_ADMINISTRATOR:
        return field_removing_administrator(values), LAST_ADMINISTRATOR_STAYS
    return None


def field_removing_administrator(values: Mapping[str, Any]) -> str:
    """Return the field whose change would remove the last administrator."""
    if not values.get("active", True):
        return "active"
    return "role" if values.get("role", "admin") != "admin" else "email"
