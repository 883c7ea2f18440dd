"""Forms: the submitted values, valid or as they were submitted, and the messages on their fields.

Every message is a translation string, which templates show by the `translate` filter.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import wtforms
from pyramid.i18n import TranslationString
from sqlalchemy.exc import IntegrityError

from ..db import Base
from ..db.constraints import violated_constraint
from . import rules
from .i18n import _
from .identity import identity_of
from .request import Request
from .rules import Invalid, Rule, parse_choice, parse_line, parse_prose, visible_text

# Turns a violated constraint and the submitted values into the name of a field and the message on it.
Explain = Callable[[str | None, Mapping[str, Any]], tuple[str, TranslationString] | None]


class VersionField(wtforms.HiddenField):
    """The version of the record that the form shows: a number that rises with each change and is never submitted."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the submitted number; other text is no version, and without any the record's own one stays."""
        if valuelist:
            self.data = int(valuelist[0]) if re.fullmatch(r"[0-9]{1,9}", valuelist[0]) else None

    def populate_obj(self, obj: Base, name: str) -> None:
        """Leave the version of the record alone: the database raises it."""


class Form(wtforms.Form):
    """A form over the body of a POST, or before that over a record."""

    def __init__(self, request: Request, record: Base | None = None, **values: Any) -> None:
        submitted = request.POST if request.method == "POST" else None
        super().__init__(submitted, obj=record, **values)
        self.request = request

    def invalid(self, request: Request, **names: Any) -> dict[str, Any]:
        """Return what the template needs to show the form again as it was submitted, with status 422."""
        request.response.status_int = 422
        return {"form": self, **names}


class RecordForm(Form):
    """The form of a record that two people may change at once."""

    version = VersionField("")

    def is_outdated(self, record: Any) -> bool:
        """Return whether `record` was changed after the form was shown."""
        return self.version.data != record.version

    def outdated(self, request: Request, record: Any, **names: Any) -> dict[str, Any]:
        """Return what the template needs to show the form again beside what was saved meanwhile, with status 409.

        Submitted again, it overwrites what the person has now seen.
        """
        request.response.status_int = 409
        for field in self:
            saved = getattr(record, field.name, field.data)
            # A value that could not be read leaves the record's own as the data of some fields.
            if field.data != saved or field.process_errors:
                field.saved_meanwhile = saved
        self.version.process(None, record.version)
        return {"form": self, **names}


def try_write(form: Form, write: Callable[[], object], explain: Explain) -> bool:
    """Call `write()` in a savepoint, and return whether the database accepted it.

    The database decides, since another request may take an email between a look for it and the write. If a constraint
    refuses the write, the message that `explain` gives for it is shown on its field. An error without an explanation
    is raised.
    """
    try:
        with form.request.dbsession.begin_nested():
            write()
    except IntegrityError as error:
        explanation = explain(violated_constraint(error), form.data)
        if explanation is None:
            raise
        name, message = explanation
        form[name].errors = [message]
        return False
    return True


class ParsedField(wtforms.StringField):
    """A field whose value is what the rule `parse` makes of the submitted text."""

    def __init__(self, label: TranslationString | str, parse: Rule, **kwargs: Any) -> None:
        super().__init__(label, **kwargs)
        self.parse = parse

    def process_formdata(self, valuelist: list[str]) -> None:
        """Parse the submitted text; one that is not valid is kept, to be shown again."""
        text = valuelist[0] if valuelist else ""
        try:
            self.data = self.parse(text)
        except Invalid:
            self.data = visible_text(text)
            raise

    def pre_validate(self, form: Form) -> None:
        """Skip further checks of a value that the rule has refused."""
        if self.process_errors:
            raise wtforms.validators.StopValidation()


class TextField(ParsedField):
    """One line of text without the spaces around it; `None` if it is empty."""

    rule: ClassVar[Callable[..., str | None]] = staticmethod(parse_line)

    def __init__(
        self,
        label: TranslationString | str,
        *,
        length: int,
        required: bool = False,
        render_kw: Any = None,
        **kwargs: Any,
    ) -> None:
        rule = partial(self.rule, length=length)
        attributes = {"maxlength": length, "required": required, **(render_kw or {})}
        super().__init__(label, rules.required(rule) if required else rule, render_kw=attributes, **kwargs)


class ProseField(TextField):
    """Text of several lines, each ending in a line feed."""

    rule = staticmethod(parse_prose)
    widget = wtforms.widgets.TextArea()


class PasswordField(wtforms.PasswordField):
    """A password: not stripped, empty if none was submitted, and never shown again."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the submitted password."""
        self.data = valuelist[0] if valuelist else ""


class PasswordAgainField(PasswordField):
    """The password of the person who is signed in, asked for again."""

    def __init__(self, label: TranslationString | None = None, **kwargs: Any) -> None:
        super().__init__(label, render_kw={"autocomplete": "current-password"}, **kwargs)

    def pre_validate(self, form: Form) -> None:
        """Refuse a wrong password: somebody else may have found the browser open."""
        if not form.request.confirm(self.data):
            raise wtforms.ValidationError(_("This is not your password, or there were too many tries."))

    def populate_obj(self, obj: Base, name: str) -> None:
        """Leave the record alone."""


class ConfirmForm(Form):
    """Asks people for their own password if they have not entered it lately."""

    your_password = PasswordAgainField(_("Your own password"), description=_("Asked for again before risky acts."))

    def __init__(self, request: Request, record: Base | None = None, **values: Any) -> None:
        super().__init__(request, record, **values)
        if identity_of(request).is_confirmed:
            del self.your_password


class ChoiceField(wtforms.SelectField):
    """One of a list; `choices` maps each value to its label."""

    def __init__(
        self, label: TranslationString | str, *, choices: Mapping[Any, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(label, choices=[], **kwargs)
        self.set_choices(choices or {})

    def set_choices(self, choices: Mapping[Any, Any]) -> None:
        """Make `choices` the ones to choose from, in this form alone."""
        self.choices = [wtforms.SelectChoice(value, label) for value, label in choices.items()]

    def pre_validate(self, form: Form) -> None:
        """Refuse a value that is not among the choices."""
        try:
            parse_choice(self.data, choices={choice.value: choice.label for choice in self.choices})
        except Invalid as error:
            raise wtforms.ValidationError(error.message) from error
