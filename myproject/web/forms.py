"""Forms: the submitted values, valid or as they were submitted, and the messages on their fields.

Every message is a translation string, which templates show by the `translate` filter.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import wtforms
from pyramid.i18n import TranslationString
from sqlalchemy.exc import IntegrityError
from wtforms import HiddenField

from ..db import Base
from ..db.constraints import violated_constraint
from .form_fields import PasswordAgainField, VersionField
from .i18n import _
from .identity import identity_of
from .merging import Change, compare, digest, normalised, text_of
from .request import Request

# Turns a violated constraint and the submitted values into the name of a field and the message on it.
Explain = Callable[[str | None, Mapping[str, Any]], tuple[str, TranslationString] | None]


MERGED = _(
    "Somebody else changed this while you were editing. Nothing has been saved yet. The changes of both of you are in"
    " the fields below: check them, then save again."
)
CONFLICT = _(
    "Somebody else changed this while you were editing. Nothing has been saved yet. Where both of you changed a field,"
    " choose which value to keep, then save again."
)
CHANGED_BEFORE_DELETION = _(
    "This has changed since you opened the page. Nothing was deleted. Check what will be deleted, then confirm again."
)


class Form(wtforms.Form):
    """A form over the submitted fields, or before that over a record."""

    # What the page says above the fields.
    notice: TranslationString | None = None
    # Of a form with files: multipart/form-data.
    enctype: str | None = None
    # Whether it deletes something. Then its page does not talk of saving.
    deletes = False

    def __init__(self, request: Request, record: Base | None = None, **values: Any) -> None:
        super().__init__(request.submitted, obj=record, **values)
        self.request = request

    @property
    def is_outdated(self) -> bool:
        """Whether something has changed that the person has not seen; the form of a stored record can tell."""
        return False

    @property
    def has_entries(self) -> bool:
        """Whether people enter anything but a password."""
        return not all(isinstance(field, HiddenField | wtforms.PasswordField) for field in self)

    @property
    def has_mistakes(self) -> bool:
        """Whether a field is wrong. A password that the form did not ask for before is not."""
        return any(field.errors and not getattr(field, "is_asked_first", False) for field in self)

    def validate(self, extra_validators: Any = None) -> bool:
        """Return whether the form can be applied: not outdated, valid, and not applied before with other values."""
        return not self.is_outdated and super().validate(extra_validators) and self.request.earlier_location is None

    def populate_obj(self, obj: Any) -> None:
        """Write the values of the valid fields to the record."""
        for field in self:
            if not field.errors:
                field.populate_obj(obj, field.name)

    def invalid(self, request: Request, **names: Any) -> dict[str, Any]:
        """Return what the template needs to show the form again as it was submitted.

        The status is 422, or 409 if it is outdated, or was applied before with other values.
        """
        request.response.status_int = 409 if self.is_outdated or request.earlier_location else 422
        return {"form": self, **names}


class RecordForm(Form):
    """The form of a record that several people may change at once: changes of different fields are merged.

    Beside each field, the form sends back the text that it showed, as `shown_name`. If something else has been saved
    meanwhile, the form is not valid: it is shown again with both changes, and nothing is saved before the person has
    seen them. For a field that both have changed, `choice_name=saved` takes the saved value. A program's form may leave
    all that out and send the `version` that it has read.
    """

    version = VersionField("")

    def __init__(self, request: Request, record: Any = None, **values: Any) -> None:
        super().__init__(request, record, **values)
        self.record = record
        fields = {field.name: field for field in self if field is not self.version and hasattr(record, field.name)}
        self.saved = {name: text_of(getattr(record, name)) for name in fields}
        self.changes: dict[str, Change] = {}
        if request.submitted is not None and record is not None:
            submitted = {name: submitted_text(field) for name, field in fields.items()}
            is_older = self.version.data != record.version
            self.changes = compare(self.saved, submitted, self.sent, is_older=is_older)
        for name, change in self.changes.items():
            if change.is_left_alone:
                # The saved value stays, exactly as it is.
                fields[name].process(None, getattr(record, name))

    @property
    def sent(self) -> Mapping[str, str]:
        """The fields that were sent. A form that was applied before counts as one that has shown what it saved then.

        Otherwise a person who goes back and undoes their change would seem to have left the field alone. This holds
        unless somebody else has changed the record since.
        """
        sent = self.request.submitted or {}
        if self.request.earlier_location is None or self.version.data != self.record.version - 1:
            return sent
        return {**sent, **{key: text for name, text in self.saved.items() if (key := f"shown_{name}") in sent}}

    @property
    def shown(self) -> dict[str, str]:
        """What the page says that it showed, by names of fields: what it showed at first, until it shows the news."""
        if self.notice is not None or not self.changes:
            return self.saved
        return {name: change.shown for name, change in self.changes.items() if change.shown is not None}

    @property
    def is_outdated(self) -> bool:
        """Whether something has been saved meanwhile that the person has not seen."""
        return any(change.is_news for name, change in self.changes.items() if name in self)

    @property
    def has_conflict(self) -> bool:
        """Whether the person has to choose between two values of a field."""
        return any(change.is_conflict for name, change in self.changes.items() if name in self)

    def invalid(self, request: Request, **names: Any) -> dict[str, Any]:
        """Return what the template needs to show the form again, beside what was saved meanwhile."""
        if self.is_outdated:
            self.notice = CONFLICT if self.has_conflict else MERGED
            for name, change in self.changes.items():
                if name in self:
                    self[name].change = change
                    self[name].digest = digest(text_of(self[name].data))
            # Sent again, the form can save over what the person has now seen.
            self.version.process(None, self.record.version)
        return super().invalid(request, **names)


def submitted_text(field: wtforms.Field) -> str:
    """Return the text that was sent for `field`, valid or not."""
    if field.raw_data and not isinstance(field.data, bool):
        return normalised(field.raw_data[0])
    return text_of(field.data)


class DeleteForm(Form):
    """Asks before a record is deleted. `named` is what the page named: its version, and what is deleted with it.

    If that has changed meanwhile, the form is not valid: it asks again, with status 409. A program may leave it out.
    """

    deletes = True
    # What the page says if it was outdated.
    changed_notice = CHANGED_BEFORE_DELETION
    named = HiddenField()

    def __init__(self, request: Request, record: Any, *, named: str | None = None) -> None:
        self.named_now = str(record.version) if named is None else named
        super().__init__(request, named=self.named_now)

    @property
    def is_outdated(self) -> bool:
        """Whether the page has named something else than what would be deleted now."""
        return self.named.data != self.named_now

    def invalid(self, request: Request, **names: Any) -> dict[str, Any]:
        """Return what the template needs to ask again, and name what would be deleted now."""
        answer = super().invalid(request, **names)
        if self.is_outdated:
            self.notice = self.changed_notice
            self.named.data = self.named_now
        return answer


class ConfirmForm(Form):
    """Asks people for their own password if they have not entered it lately."""

    your_password = PasswordAgainField(_("Confirm your password"), description=_("Needed for sensitive actions."))

    def __init__(self, request: Request, record: Base | None = None, **values: Any) -> None:
        super().__init__(request, record, **values)
        if identity_of(request).is_confirmed:
            del self.your_password

    def __iter__(self) -> Iterator[wtforms.Field]:
        """Return the fields in the order of the page: the password comes last, after what it confirms."""
        return iter(sorted(super().__iter__(), key=lambda field: isinstance(field, PasswordAgainField)))


def try_write(form: Form, write: Callable[[], object], explain: Explain) -> bool:
    """Validate `form`, call `write()` in a savepoint, and return whether the form and the database accept the values.

    The database decides, since another request may take an email between a look for it and the write. If a constraint
    refuses the write, the message that `explain` gives for it is shown on its field. An error without an explanation
    is raised.

    An invalid form is tried too, with the values of its valid fields, so that all mistakes are told at once; then the
    savepoint is rolled back.
    """
    is_valid = form.validate()
    if not is_valid and not form.errors:  # Outdated, or applied before with other values.
        return False
    try:
        with form.request.dbsession.begin_nested() as savepoint:
            write()
            if not is_valid:
                form.request.dbsession.flush()
                savepoint.rollback()
    except IntegrityError as error:
        explanation = explain(violated_constraint(error), form.data)
        if explanation is None and is_valid:
            raise
        if explanation is not None:
            name, message = explanation
            form[name].errors = form[name].errors or [message]
        return False
    return is_valid
