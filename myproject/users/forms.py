"""The form of a user's record."""

from typing import Any

import wtforms
from pyramid.i18n import TranslationString

from ..web.form_fields import CheckField, ChoiceField, ParsedField, PasswordAgainField
from ..web.forms import DeleteForm, RecordForm
from ..web.i18n import _
from ..web.identity import identity_of
from ..web.request import Request
from ..web.rules import required as as_required
from .administrators import is_last_administrator
from .belongings import MOST_TITLES, Belongings, belongings_of, newest_posts
from .fields import FIELDS, LAST_ADMINISTRATOR_STAYS, Field, parse_email
from .models import User

# What else a change does to the sign-ins of another user, and of the person who makes it.
HINTS = {
    "role": _("A new role signs the user out everywhere."),
    "active": _("Inactive users cannot sign in, and are signed out everywhere."),
}
HINTS_OF_OWN_ACCOUNT = {
    "role": _("A new role signs you out of all other browsers."),
    "active": _("This is your own account. If it becomes inactive, you are signed out and cannot sign in again."),
}


class EmailField(ParsedField):
    """An email address."""

    def __init__(self, label: str, *, required: bool = False, render_kw: Any = None, **kwargs: Any) -> None:
        attributes = {"required": required, "inputmode": "email", **(render_kw or {})}
        parse = as_required(parse_email) if required else parse_email
        super().__init__(label, parse, render_kw=attributes, **kwargs)


def form_field(field: Field) -> wtforms.Field:
    """Return the form's field for one of FIELDS."""
    options = {"default": field.default, "description": field.description}
    if field.choices is not None:
        return ChoiceField(field.label, choices=field.choices, **options)
    if isinstance(field.default, bool):
        return CheckField(field.label, **options)
    return ParsedField(field.label, field.parse, render_kw=field.attributes, **options)


class FieldsForm(RecordForm):
    """A form with one field for each of FIELDS."""


for field in FIELDS:
    setattr(FieldsForm, field.name, form_field(field))


class UserForm(FieldsForm):
    """The fields of a user's record that the person who is signed in may change.

    It asks for their own password before it changes a role, or the email of a user who has a password, unless they
    have entered it lately.
    """

    your_password = PasswordAgainField(
        _("Confirm your password"),
        description=_("Needed because you are changing a sign-in email or a role."),
    )

    def __init__(self, request: Request, user: User | None = None) -> None:
        super().__init__(request, user)
        for field in FIELDS:
            if field.permission is not None and not request.has_permission(field.permission):
                del self[field.name]
        if user is not None:
            hints = HINTS_OF_OWN_ACCOUNT if user.id == identity_of(request).id else HINTS
            for name, hint in hints.items():
                if name in self:
                    self[name].description = hint
        if not self.is_risky(user) or identity_of(request).is_confirmed:
            del self.your_password

    @property
    def values(self) -> dict[str, Any]:
        """The values for `User.change`, by the names of the fields, without those that are not valid."""
        shown = [self[field.name] for field in FIELDS if field.name in self]
        return {field.name: field.data for field in shown if not field.errors}

    def is_risky(self, user: User | None) -> bool:
        """Return whether the form changes a role, or the email of a user who has a password."""
        if "role" in self and self.role.data != (user.role if user else "member"):
            return True
        return user is not None and user.password_hash is not None and self.email.data != user.email


class DeleteUserForm(DeleteForm):
    """Asks before a user is deleted, with their posts and saved views."""

    def __init__(self, request: Request, user: User) -> None:
        self.posts_named = newest_posts(request.dbsession, user, MOST_TITLES)
        self.belongings = belongings_of(request.dbsession, user, self.posts_named)
        super().__init__(request, user, named=str(self.belongings))
        self.user = user
        # What the page has named when it was opened.
        self.before = Belongings.parse(self.named.data or "") or self.belongings

    @property
    def refusal(self) -> TranslationString | None:
        """Why the database would refuse, or `None`: the page says it, and does not ask."""
        return LAST_ADMINISTRATOR_STAYS if is_last_administrator(self.request.dbsession, self.user) else None
