"""The forms of an import: the upload, how the file is read, and saving what the check has found."""

import io
from typing import Any, BinaryIO

import wtforms

from ...web.form_fields import ChoiceField
from ...web.forms import ConfirmForm, Form
from ...web.i18n import _
from ...web.request import Request
from ..fields import FIELDS
from .columns import Unreadable, check_columns
from .reading import DELIMITERS, ENCODINGS, Format
from .spool import Job
from .staging import Options

FILENAME_LENGTH = 200
# Of pasted lines. Unlike a file, they are kept in memory, and on the page if something is wrong.
MOST_PASTED = 1_000_000
# How many columns of a file the page offers; the others are left out.
MOST_COLUMNS = 50
# Of the first value of a column.
SHOWN_CHARACTERS = 60
# What a person may correct of the Format.
READ_BY = ("encoding", "delimiter", "sheet")
MODES = {
    "both": _("Add new users and update existing ones"),
    "add": _("Only add new users"),
    "update": _("Only update existing users"),
}
MODE_HELP = _("Existing users are found by their email.")
CHECKED_AGAIN = _(
    "The file was checked again since you opened this page. Nothing was imported. Look at the result, then import it."
)
LINES = {"all": _("Import nothing if a line has a mistake"), "good": _("Import the other lines")}


class UploadField(wtforms.FileField):
    """A file: `data` is a `cgi.FieldStorage`, or `None` if the person chose none."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        """Read the file; browsers send an empty text where none was chosen."""
        self.data = valuelist[0] if valuelist and hasattr(valuelist[0], "file") else None


class UploadForm(Form):
    """A file, or pasted lines, and what to do with them."""

    enctype = "multipart/form-data"

    upload = UploadField(
        _("File"),
        description=_("CSV or Excel (.xlsx). Choose a file, or drag one here."),
        render_kw={"accept": ".csv,.tsv,.txt,.xlsx,text/csv"},
    )
    text = wtforms.TextAreaField(
        _("Or paste the lines"),
        description=_("For instance copied from a spreadsheet, with the names of the columns in the first line."),
        render_kw={"rows": 4, "spellcheck": "false"},
    )
    mode = ChoiceField(_("What to do"), choices=MODES, default="both", description=MODE_HELP)
    lines = ChoiceField(_("Lines with mistakes"), choices=LINES, default="all")

    def validate_upload(self, field: wtforms.Field) -> None:
        """Require a file or pasted lines, and not both."""
        has_text = bool((self.text.data or "").strip())
        if field.data is None and not has_text:
            raise wtforms.ValidationError(_("Choose a file, or paste the lines below."))
        if field.data is not None and has_text:
            raise wtforms.ValidationError(_("Choose a file or paste the lines, but not both."))

    def validate_text(self, field: wtforms.Field) -> None:
        """Refuse a long text; it is not shown again."""
        if len(field.data or "") > MOST_PASTED:
            field.data = ""
            raise wtforms.ValidationError(_("This is too long to be pasted. Save it as a file, then choose that."))

    @property
    def file(self) -> BinaryIO:
        """What was sent, from its beginning."""
        if self.upload.data is None:
            return io.BytesIO(self.text.data.encode())
        file: BinaryIO = self.upload.data.file
        file.seek(0)
        return file

    @property
    def filename(self) -> str:
        """The name of the file, without its folder; empty for pasted lines."""
        name = self.upload.data.filename if self.upload.data is not None else ""
        bare = name.replace("\\", "/").rpartition("/")[2]
        return "".join(character for character in bare if character.isprintable())[-FILENAME_LENGTH:]


class OptionsForm(Form):
    """How a file is read: what was recognised, for the person to correct. `options_form` adds the columns."""

    encoding = ChoiceField(_("Encoding"), choices=ENCODINGS)
    delimiter = ChoiceField(_("Columns are separated by"), choices=DELIMITERS)

    def __init__(self, request: Request, job: Job) -> None:
        self.job = job
        read = job.options["format"]
        columns: dict[str, Any] = {
            column_name(number): column or "" for number, column in enumerate(job.options["columns"])
        }
        super().__init__(
            request,
            encoding=read["encoding"],
            delimiter=read["delimiter"],
            sheet=read["sheet"],
            mode=job.options["mode"],
            lines="good" if job.options["good_lines_only"] else "all",
            **columns,
        )
        if read["kind"] != "csv":
            del self.encoding, self.delimiter

    @property
    def columns(self) -> tuple[str | None, ...]:
        """The field that each column of the file is; `None` for one that is left out."""
        names = [column_name(number) for number in range(len(self.job.header))]
        return tuple(self[name].data or None if name in self else None for name in names)

    @property
    def is_read_otherwise(self) -> bool:
        """Whether the encoding, the delimiter or the sheet is another one: the columns have to be recognised again."""
        read = {name: self[name].data for name in READ_BY if name in self}
        return any(self.job.options["format"][name] != value for name, value in read.items())

    @property
    def chosen(self) -> Options:
        """The options as the person says; without the columns if those have to be recognised again."""
        read = {name: self[name].data for name in READ_BY if name in self}
        return Options(
            format=Format(**{**self.job.options["format"], **read}),
            columns=() if self.is_read_otherwise else self.columns,
            mode=self.mode.data,
            good_lines_only=self.lines.data == "good",
        )

    def validate(self, extra_validators: Any = None) -> bool:
        """Return whether the columns can be imported too."""
        if not super().validate(extra_validators):
            return False
        try:
            if not self.is_read_otherwise:
                check_columns(self.columns, self.mode.data)
        except Unreadable as error:
            self[column_name(0)].errors = [error.message]
            return False
        return True


def options_form(request: Request, job: Job) -> OptionsForm:
    """Return the form of how the file of `job` is read, with a choice for each of its columns."""
    choices = {"": _("Leave out"), **{field.name: field.label for field in FIELDS}}
    fields: dict[str, Any] = {}
    # What another version of the application has stored lacks it.
    sheets = job.options["format"].get("sheets", ())
    if len(sheets) > 1:
        fields["sheet"] = ChoiceField(_("Sheet"), choices=dict(zip(sheets, sheets, strict=True)))
    for number, title in enumerate(job.header[:MOST_COLUMNS]):
        label = _("Column “${title}”", mapping={"title": title or number + 1})
        value = "".join(job.example[number : number + 1])[:SHOWN_CHARACTERS]
        hint = _("For instance: ${value}", mapping={"value": value}) if value else ""
        fields[column_name(number)] = ChoiceField(label, choices=choices, description=hint)
    last = {
        "mode": ChoiceField(_("What to do"), choices=MODES, description=MODE_HELP),
        "lines": ChoiceField(_("Lines with mistakes"), choices=LINES),
    }
    return type("OptionsFormOfFile", (OptionsForm,), {**fields, **last})(request, job)


def column_name(number: int) -> str:
    """Return the name of the form's field for a column of the file, counted from 0."""
    return f"column_{number}"


class SaveForm(ConfirmForm):
    """Asks before a plan is saved; `plan` is the one that the page has shown."""

    plan = wtforms.HiddenField()

    def __init__(self, request: Request, job: Job, *, is_risky: bool) -> None:
        self.job = job
        super().__init__(request, plan=job.plan)
        if "your_password" in self and not is_risky:
            del self.your_password

    @property
    def is_outdated(self) -> bool:
        """Whether the file was checked again after the page was opened."""
        return self.plan.data != self.job.plan

    def invalid(self, request: Request, **names: Any) -> dict[str, Any]:
        """Return what the template needs to ask again, for the plan of now."""
        answer = super().invalid(request, **names)
        if self.is_outdated:
            self.notice = CHECKED_AGAIN
            self.plan.data = self.job.plan
        return answer
