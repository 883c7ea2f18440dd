"""Forms: the submitted values, valid or as they were submitted, and the messages on their fields.

Every message is a translation string, which templates show by the `translate` filter.
"""

from collections.abc import Callable, Mapping
from typing import Any

import wtforms
from pyramid.i18n import TranslationString
from sqlalchemy.exc import IntegrityError

from ..db import Base
from ..db.constraints import violated_constraint
from .form_fields import PasswordAgainField, VersionField
from .i18n import _
from .identity import identity_of
from .request import Request

# Turns a violated constraint and the submitted values into the name of a field and the message on it.
Explain = Callable[[str | None, Mapping[str, Any]], tuple[str, TranslationString] | None]


class Form(wtforms.Form):
    """A form over the submitted fields, or before that over a record."""

    def __init__(self, request: Request, record: Base | None = None, **values: Any) -> None:
        super().__init__(request.submitted, obj=record, **values)
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


class ConfirmForm(Form):
    """Asks people for their own password if they have not entered it lately."""

    your_password = PasswordAgainField(_("Confirm your password"), description=_("Needed for sensitive actions."))

    def __init__(self, request: Request, record: Base | None = None, **values: Any) -> None:
        super().__init__(request, record, **values)
        if identity_of(request).is_confirmed:
            del self.your_password


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
