"""What a person may type about a user."""

from wtforms import BooleanField, validators

from ..forms import ChoiceField, Form, TextField, WholeNumberField
from ..i18n import _
from .models import EMAIL_LENGTH, NAME_LENGTH, OLDEST

ROLE_NAMES = {"member": _("Member"), "editor": _("Editor"), "admin": _("Administrator")}

# "A valid e-mail address" of https://html.spec.whatwg.org/#valid-e-mail-address
LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
EMAIL = rf"[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{LABEL}(?:\.{LABEL})*\Z"


class UserForm(Form):
    """The record of a user."""

    name = TextField(_("Name"), length=NAME_LENGTH, required=True)
    email = TextField(
        _("Email"),
        length=EMAIL_LENGTH,
        checks=[validators.Regexp(EMAIL, message=_("An address like name@example.com, please."))],
        render_kw={"inputmode": "email"},
        description=_("Optional; no two users share one."),
    )
    age = WholeNumberField(_("Age"), lowest=0, highest=OLDEST, description=_("Optional."))
    role = ChoiceField(_("Role"), choices=ROLE_NAMES, default="member")
    active = BooleanField(_("Active"), default=True, description=_("Takes part at present."))
