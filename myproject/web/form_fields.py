"""The kinds of fields that forms are made of."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import wtforms
from pyramid.i18n import TranslationString

from ..db import Base
from . import rules
from .i18n import _
from .rules import Invalid, Rule, parse_boolean, parse_choice, parse_code, parse_line, parse_prose, visible_text


class VersionField(wtforms.HiddenField):
    """The version of the record that the form shows: a number that rises with each change and is never submitted."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the submitted number; other text is no version, and without any the record's own one stays."""
        if valuelist:
            self.data = int(valuelist[0]) if re.fullmatch(r"[0-9]{1,9}", valuelist[0]) else None

    def populate_obj(self, obj: Base, name: str) -> None:
        """Leave the version of the record alone: the database raises it."""


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

    def pre_validate(self, form: wtforms.Form) -> None:
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
        # Without `maxlength`: browsers cut what is pasted to it, without a word.
        attributes = {"required": required, **(render_kw or {})}
        super().__init__(label, rules.required(rule) if required else rule, render_kw=attributes, **kwargs)


class CodeField(TextField):
    """One line that is compared letter by letter: nothing invisible is part of it."""

    rule = staticmethod(parse_code)


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

    @property
    def is_asked_first(self) -> bool:
        """Whether the form that was sent did not ask for the password yet: nothing is wrong with it."""
        return not self.raw_data

    def pre_validate(self, form: wtforms.Form) -> None:
        """Refuse a wrong password: somebody else may have found the browser open."""
        if self.is_asked_first:
            raise wtforms.ValidationError(_("Enter your password to go on."))
        if not self.data:
            raise wtforms.ValidationError(_("Fill in this field."))
        if not form.request.confirm(self.data):
            raise wtforms.ValidationError(_("Wrong password, or too many attempts. Check it, or try again later."))

    def populate_obj(self, obj: Base, name: str) -> None:
        """Leave the record alone."""


class CheckField(wtforms.BooleanField):
    """A checkbox. Browsers send nothing for one that is not ticked."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read whether the submitted text says yes."""
        self.data = False
        self.data = parse_boolean(valuelist[0] if valuelist else "")


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

    def pre_validate(self, form: wtforms.Form) -> None:
        """Refuse a value that is not among the choices."""
        try:
            parse_choice(self.data, choices={choice.value: choice.label for choice in self.choices})
        except Invalid as error:
            raise wtforms.ValidationError(error.message) from error
