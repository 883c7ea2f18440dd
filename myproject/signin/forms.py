"""The forms for signing in, for passwords and for the first administrator."""

import hmac
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from wtforms import HiddenField, ValidationError, validators

from ..users.forms import EmailField
from ..users.models import EMAIL_LENGTH, NAME_LENGTH
from ..web.carried import Typed, read_carried
from ..web.form_fields import CheckField, CodeField, PasswordAgainField, PasswordField, TextField
from ..web.forms import Form
from ..web.i18n import _
from ..web.request import Request
from .hashing import find_password_problem
from .password_rules import TOO_SHORT


class SignInForm(Form):
    """An email and a password; any text is accepted as either."""

    email = CodeField(
        _("Email"),
        length=EMAIL_LENGTH,
        required=True,
        render_kw={"inputmode": "email", "autocomplete": "username"},
    )
    password = PasswordField(
        _("Password"),
        [validators.DataRequired(_("Fill in this field."))],
        render_kw={"autocomplete": "current-password"},
    )
    next = HiddenField()
    # A form that was refused because nobody was signed in: web/typed.py.
    typed = HiddenField()

    @cached_property
    def carried(self) -> Typed | None:
        """The form that was refused, if this page carries one."""
        return read_carried(self.request, self.typed.data)

    @property
    def carries_entries(self) -> bool:
        """Whether the page carries what somebody has entered, and not only the confirmation of a deletion."""
        return self.carried is not None and not self.carried.deletes


def new_password_field() -> PasswordField:
    """Return the field for a new password. It is asked for once, since the page can show it."""
    return PasswordField(
        _("New password"),
        [validators.DataRequired(_("Fill in this field."))],
        render_kw={"autocomplete": "new-password"},
        description=_("At least 12 characters. Several words are easy to remember."),
    )


class NewPasswordForm(Form):
    """A new password, which must not be built from one of `words`, such as the person's name."""

    password = new_password_field()

    def __init__(self, request: Request, *, words: Iterable[str | None] = (), **values: Any) -> None:
        super().__init__(request, **values)
        self.words = words

    def validate_password(self, field: PasswordField) -> None:
        """Refuse a password that is too short or easy to guess."""
        message = find_password_problem(self.request, field.data, *self.words)
        if message is TOO_SHORT:
            # The message repeats it.
            field.description = ""
        if message:
            raise ValidationError(message)


class OwnPasswordForm(NewPasswordForm):
    """A new password, and the present one, which a stranger at an unlocked computer does not know."""

    your_password = PasswordAgainField(_("Current password"))
    password = new_password_field()


class SetupForm(NewPasswordForm):
    """The first administrator. `expected_token` is the token in the server's log, or `None` if none is needed."""

    name = TextField(_("Your name"), length=NAME_LENGTH, required=True, render_kw={"autocomplete": "name"})
    email = EmailField(_("Email"), required=True, render_kw={"inputmode": "email", "autocomplete": "username"})
    password = new_password_field()
    demo = CheckField(_("Add 200 sample users"))
    token = CodeField(
        _("Setup token"),
        length=100,
        required=True,
        description=_("Copy it from the server log. This keeps strangers from setting up the site."),
    )

    def __init__(self, request: Request, *, expected_token: str | None, **values: Any) -> None:
        super().__init__(request, **values)
        self.expected_token = expected_token
        self.words = [self.name.data, self.email.data]
        if expected_token is None:
            del self.token

    def validate_token(self, field: TextField) -> None:
        """Refuse a token that is not the one in the log."""
        token, expected = field.data or "", self.expected_token
        if expected is None or not hmac.compare_digest(token.encode(), expected.encode()):
            raise ValidationError(_("This is not the token in the server log. Copy it again."))
