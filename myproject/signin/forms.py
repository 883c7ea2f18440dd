"""What a person may type about who they are."""

import hmac

from wtforms import BooleanField, HiddenField, ValidationError, validators

from ..users.forms import EmailField
from ..users.models import EMAIL_LENGTH, NAME_LENGTH
from ..web.forms import Form, PasswordAgainField, PasswordField, TextField
from ..web.i18n import _
from .passwords import refusal


class SignInForm(Form):
    """An email and a password, whatever they are."""

    email = TextField(
        _("Email"),
        length=EMAIL_LENGTH,
        required=True,
        render_kw={"inputmode": "email", "autocomplete": "username"},
    )
    password = PasswordField(_("Password"), render_kw={"autocomplete": "current-password"})
    next = HiddenField()


def new_password_field():
    """Return the field for a new password, typed once, since it can be shown."""
    return PasswordField(
        _("New password"),
        [validators.DataRequired(_("Please fill in this field."))],
        render_kw={"autocomplete": "new-password"},
        description=_("At least 12 characters; several words are easy to remember."),
    )


class NewPasswordForm(Form):
    """A new password; `words` are what it must not be made of."""

    password = new_password_field()

    def __init__(self, request, *, words=(), **values):
        super().__init__(request, **values)
        self.words = words

    def validate_password(self, field):
        """Refuse what is too short, or guessed first."""
        message = refusal(field.data, *self.words)
        if message:
            raise ValidationError(message)


class OwnPasswordForm(NewPasswordForm):
    """A new password, and the present one: whoever only found the browser open does not know it."""

    your_password = PasswordAgainField(_("Present password"))
    password = new_password_field()


class SetupForm(NewPasswordForm):
    """The first administrator; the token is asked for where the server has printed one, `expected_token`."""

    name = TextField(_("Your name"), length=NAME_LENGTH, required=True, render_kw={"autocomplete": "name"})
    email = EmailField(_("Email"), required=True, render_kw={"inputmode": "email", "autocomplete": "username"})
    password = new_password_field()
    demo = BooleanField(_("Add 200 made-up people, to try it with"))
    token = TextField(
        _("Token"),
        length=100,
        required=True,
        description=_("It stands in the log of the server, so that nobody from outside comes first."),
    )

    def __init__(self, request, *, expected_token, **values):
        super().__init__(request, **values)
        self.expected_token = expected_token
        self.words = [self.name.data, self.email.data]
        if expected_token is None:
            del self.token

    def validate_token(self, field):
        """Refuse whoever cannot read the log."""
        if not hmac.compare_digest(field.data.encode(), self.expected_token.encode()):
            raise ValidationError(_("This is not the token in the log of the server."))
