"""Forms: what a person typed, kept as typed; their values once they hold; their messages beside the field.

Every message is a translation string; templates show it by the `translate` filter.
"""

import re
import unicodedata

import wtforms
from wtforms import validators

from .i18n import _


class VersionField(wtforms.HiddenField):
    """The version of the record that the form shows: a number that rises with each change, not the person's to set."""

    def process_formdata(self, valuelist):
        """Take the number sent; another text is no version, and nothing at all leaves the record's."""
        if valuelist:
            self.data = int(valuelist[0]) if re.fullmatch(r"[0-9]{1,9}", valuelist[0]) else None

    def populate_obj(self, obj, name):
        """Leave the record's own."""


class Form(wtforms.Form):
    """A form over a request's body, or, before anything was sent, over a record."""

    def __init__(self, request, record=None, **values):
        sent = request.POST if request.method == "POST" else None
        super().__init__(sent, obj=record, **values)
        self.request = request

    def invalid(self, request, **names):
        """Return what the template needs to show the form again, with 422, as it was filled in."""
        request.response.status_int = 422
        return {"form": self, **names}


class RecordForm(Form):
    """The form of a record that two people may change at once."""

    version = VersionField("")

    def is_outdated(self, record):
        """Return whether `record` was changed since the person saw it."""
        return self.version.data != record.version

    def outdated(self, request, record, **names):
        """Return what the template needs to show the form again, with 409, beside what was saved meanwhile.

        Sent once more, it overwrites what the person has now seen.
        """
        request.response.status_int = 409
        for field in self:
            saved = getattr(record, field.name, field.data)
            # What is no number keeps the record's as its data.
            if field.data != saved or field.process_errors:
                field.saved_meanwhile = saved
        self.version.process(None, record.version)
        return {"form": self, **names}


class TextField(wtforms.StringField):
    """One line of text without the spaces around it; `None` where nothing was typed."""

    allowed_controls = ""

    def __init__(self, label, *, length, required=False, checks=(), **kwargs):
        presence = validators.DataRequired(_("Please fill in this field.")) if required else validators.Optional()
        size = validators.Length(max=length, message=_("At most ${max} characters, please.", mapping={"max": length}))
        super().__init__(label, [presence, size, _no_control_characters, *checks], **kwargs)

    def process_formdata(self, valuelist):
        """Take the text sent; one without anything to see, such as zero-width spaces, is none."""
        text = valuelist[0].strip() if valuelist else ""
        self.data = text if any(map(_is_visible, text)) else None


class ProseField(TextField):
    """Text of several lines, each ending in a line feed."""

    allowed_controls = "\n\t"
    widget = wtforms.widgets.TextArea()

    def process_formdata(self, valuelist):
        """Take the text sent; browsers end its lines with CR LF."""
        super().process_formdata([value.replace("\r\n", "\n") for value in valuelist])


class PasswordField(wtforms.PasswordField):
    """A password: taken as it was typed, empty where none was sent, and never shown again."""

    def process_formdata(self, valuelist):
        """Take the password sent."""
        self.data = valuelist[0] if valuelist else ""


class PasswordAgainField(PasswordField):
    """The password of the person who is signed in, once more."""

    def __init__(self, label=None, **kwargs):
        super().__init__(label, render_kw={"autocomplete": "current-password"}, **kwargs)

    def pre_validate(self, form):
        """Refuse whoever has only found the browser open."""
        if not form.request.confirm(self.data):
            raise wtforms.ValidationError(_("This is not your password, or there were too many tries."))

    def populate_obj(self, obj, name):
        """Leave the record alone."""


class ConfirmForm(Form):
    """Asks for the person's own password where they have not entered it lately."""

    your_password = PasswordAgainField(_("Your own password"), description=_("Asked for again before risky acts."))

    def __init__(self, request, record=None, **values):
        super().__init__(request, record, **values)
        if request.identity.is_confirmed:
            del self.your_password


class WholeNumberField(wtforms.IntegerField):
    """A whole number in ASCII digits from `lowest` to `highest`; `None` where nothing was typed."""

    # A browser's own number field forgets what is not a number, and we could not show it again.
    widget = wtforms.widgets.TextInput()

    def __init__(self, label, *, lowest, highest, **kwargs):
        limits = {"min": lowest, "max": highest}
        self.message = _("A whole number from ${min} to ${max}, please.", mapping=limits)
        in_range = validators.NumberRange(lowest, highest, self.message)
        super().__init__(label, [validators.Optional(), in_range], render_kw={"inputmode": "numeric"}, **kwargs)

    def process_formdata(self, valuelist):
        """Take the number sent. int() alone would take '３０', '1_0' and a million digits too."""
        text = valuelist[0].strip() if valuelist else ""
        if text and not re.fullmatch(r"-?[0-9]{1,9}", text):
            raise ValueError(self.message)
        self.data = int(text) if text else None


class ChoiceField(wtforms.SelectField):
    """One of a list. `choices` maps each value to its label; `offer` changes them for one form."""

    def __init__(self, label, *, choices=None, **kwargs):
        super().__init__(label, choices=[], **kwargs)
        self.offer(choices or {})

    def offer(self, choices):
        """Make `choices` the ones to choose from."""
        self.choices = [wtforms.SelectChoice(value, label) for value, label in choices.items()]

    def pre_validate(self, form):
        """Refuse what was not among the choices."""
        if self.data not in [choice.value for choice in self.choices]:
            raise wtforms.ValidationError(_("Please choose one of the list."))


def _is_visible(character):
    # The fillers of Hangul are letters to Unicode, but blank.
    return unicodedata.category(character)[0] not in "CZ" and character not in "\u115f\u1160\u3164\uffa0"


def _no_control_characters(form, field):
    # PostgreSQL keeps no NUL, and no page shows the others; Zl and Zp break lines.
    controls = {character for character in field.data or "" if unicodedata.category(character) in ("Cc", "Zl", "Zp")}
    if controls.difference(field.allowed_controls):
        raise wtforms.ValidationError(_("Please remove the control characters from this field."))
