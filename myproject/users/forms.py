"""What a person may type about a user."""

from wtforms import BooleanField, validators

from ..web.forms import ChoiceField, PasswordAgainField, RecordForm, TextField, WholeNumberField
from ..web.i18n import _
from .models import EMAIL_LENGTH, NAME_LENGTH, OLDEST

ROLE_NAMES = {"member": _("Member"), "editor": _("Editor"), "admin": _("Administrator")}

# "A valid e-mail address" of https://html.spec.whatwg.org/#valid-e-mail-address
LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
EMAIL = rf"[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{LABEL}(?:\.{LABEL})*\Z"


class EmailField(TextField):
    """An email address."""

    def __init__(self, label, **kwargs):
        form = validators.Regexp(EMAIL, message=_("An address like name@example.com, please."))
        super().__init__(label, length=EMAIL_LENGTH, checks=[form], **{"render_kw": {"inputmode": "email"}, **kwargs})


class UserForm(RecordForm):
    """The record of a user, as far as the person may change it: the role is up to administrators.

    Where the role is to change, or the email by which somebody signs in, their own password is asked for again, unless
    they have entered it lately.
    """

    name = TextField(_("Name"), length=NAME_LENGTH, required=True)
    email = EmailField(_("Email"), description=_("Optional, but needed to sign in; no two users share one."))
    age = WholeNumberField(_("Age"), lowest=0, highest=OLDEST, description=_("Optional."))
    role = ChoiceField(_("Role"), choices=ROLE_NAMES, default="member")
    active = BooleanField(_("Active"), default=True, description=_("Takes part at present."))
    your_password = PasswordAgainField(
        _("Your own password"),
        description=_("Asked for because how somebody signs in, or what they may do, is to change."),
    )

    def __init__(self, request, record=None):
        super().__init__(request, record)
        if not request.has_permission("add"):
            del self.active
        if not request.has_permission("administer"):
            del self.role
        if not self.is_risky(record) or request.identity.is_confirmed:
            del self.your_password

    def is_risky(self, record):
        """Return whether the role is to change, or the email of somebody who has a password."""
        if "role" in self and self.role.data != (record.role if record else "member"):
            return True
        return record is not None and record.password_hash is not None and self.email.data != record.email
