"""The pages below `/users/import`: upload a file, look at what it would change, import it, see how far that is."""

import io
import re
import sqlite3
import tempfile
import time
from dataclasses import replace
from typing import Any

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPConflict, HTTPForbidden, HTTPNotFound, HTTPSeeOther
from pyramid.i18n import TranslationString
from pyramid.response import FileIter, Response
from pyramid.view import view_config

from ...db import to_id
from ...security import SITE_ACL
from ...web.busy import RECORDS_PER_SECOND, time_left
from ...web.csv import BYTE_ORDER_MARK
from ...web.flash import flash
from ...web.i18n import _, message_to_json
from ...web.identity import identity_of
from ...web.keyed import keyed_digest
from ...web.receipts import content_of
from ...web.request import Request
from ..fields import FIELDS, ROLE_NAMES
from .columns import Unreadable, check_columns, guess_columns
from .forms import CHECKED_AGAIN, SaveForm, UploadForm, options_form
from .jobs import FULL, Jobs, is_full_disk
from .planning import KINDS, Plan
from .reading import next_header, read_rows, recognise
from .spool import CANCELLED, CHECKED, CHECKING, FAILED, OUTDATED, SAVED, SAVING, UPLOAD, Claim, Job, Spool
from .staging import SHOWN_CHARACTERS, Options

SHOW = {"route_name": "users.import.show", "renderer": "users/import/show.jinja2", "permission": "add"}
KEY = re.compile("[0-9a-f]{32}")
# The states in which the file can be checked again.
READY = (CHECKED, FAILED, OUTDATED)
KIND_NAMES = {
    "new": _("New users"),
    "changed": _("Changed users"),
    "same": _("Unchanged users"),
    "refused": _("Refused lines"),
}
STEPS = {
    "waiting": _("Waiting for other imports"),
    "reading": _("Checking the lines"),
    "comparing": _("Comparing with the users"),
    "applying": _("Importing the users"),
    "committing": _("Saving"),
}
HEADINGS = {
    CHECKING: _("The file is being checked"),
    CHECKED: _("Check before you import"),
    SAVING: _("The users are being imported"),
    SAVED: _("The users were imported"),
    FAILED: _("The file was not imported"),
    OUTDATED: _("Users have changed meanwhile"),
    CANCELLED: _("The import was cancelled"),
}
MOVED = {
    "changed": _("was changed:"),
    "deleted": _("was deleted"),
    "taken": _("somebody else has this email now"),
}
TEXTS = {
    "whats": MOVED,
    "kinds": KIND_NAMES,
    "steps": STEPS,
    "headings": HEADINGS,
    "labels": {field.name: field.label for field in FIELDS},
    "roles": ROLE_NAMES,
}
# How many lines of each kind the page shows, and how many refused ones.
MOST_SAMPLES, REFUSALS_PER_PAGE = 5, 25
# Beyond the file: the other fields of the form, and the lines around them.
FORM_BYTES = 64 * 1024
# For how long others hardly notice that they have to wait.
UNNOTICED_SECONDS = 2
SAMPLE_FILE = "name,email,age,role,active\r\nAda Lovelace,ada@example.com,36,member,yes\r\n김철수,,,member,yes\r\n"


def includeme(config: Configurator) -> None:
    """Add the pages. Those that only work in the spool do not wait for SQLite's write lock: a long import has it."""
    settings = config.get_settings()
    spool = Spool(settings["spool.folder"], settings["spool.max_megabytes"] * 2**20)
    if spool.folder.is_dir():
        spool.clean()
    config.registry["imports"] = Jobs(config.registry, spool)
    config.add_route("users.import.list", "/users/import")
    config.add_route("users.import.sample", "/users/import/sample.csv")
    config.add_route("users.import.show", "/users/import/{key}", factory=ImportInUrl)
    config.add_route("users.import.check", "/users/import/{key}/check", factory=ImportInUrl)
    config.add_route("users.import.cancel", "/users/import/{key}/cancel", factory=ImportInUrl)
    config.add_route("users.import.refused", "/users/import/{key}/refused.csv", factory=ImportInUrl)
    for route in ("users.import.list", "users.import.check", "users.import.cancel"):
        config.add_reading_route(route)
    # A thread saves the users.
    config.add_fresh_route("users.import.show")
    config.add_view(
        upload,
        route_name="users.import.list",
        request_method="POST",
        renderer="users/import/list.jinja2",
        permission="add",
        receipt=False,
        file_fields={"upload"},
        max_body_bytes=settings["imports.max_megabytes"] * 2**20 + FORM_BYTES,
    )
    config.scan(__name__)


class ImportInUrl:
    """The import that the URL names, of the person who is signed in."""

    __acl__ = SITE_ACL

    def __init__(self, request: Request) -> None:
        """Raise `HTTPForbidden` if nobody is signed in, and `HTTPNotFound` for an import of somebody else."""
        if request.identity is None:
            raise HTTPForbidden()
        self.key, self.jobs = request.matchdict["key"], jobs_of(request)
        job = self.jobs.spool.read(self.key) if KEY.fullmatch(self.key) else None
        if job is None or job.user_id != request.identity.id:
            raise HTTPNotFound(_("Imports are kept for a day. This one has expired or was deleted."))
        self.job = self.jobs.settle(job)

    @property
    def has_files(self) -> bool:
        """Whether the uploaded file is still there."""
        return (self.jobs.spool.folder / self.key / UPLOAD).exists()

    @property
    def can_be_checked(self) -> bool:
        """Whether the file can be checked again."""
        return self.job.state in READY and self.has_files


def jobs_of(request: Request) -> Jobs:
    """Return the imports of this process."""
    jobs: Jobs = request.registry["imports"]
    return jobs


@view_config(
    route_name="users.import.list", request_method="GET", renderer="users/import/list.jinja2", permission="add"
)
def new(request: Request) -> dict[str, Any]:
    """Show the form of the upload, and the person's imports of the last day."""
    return {"form": UploadForm(request), **around_upload(request)}


def around_upload(request: Request) -> dict[str, Any]:
    """Return what the page of the upload shows beside its form."""
    jobs, person_id = jobs_of(request), identity_of(request).id
    own = [jobs.settle(job) for job in jobs.spool.jobs() if job.user_id == person_id]
    return {"earlier": own, "headings": HEADINGS, "megabytes": request.registry.settings["imports.max_megabytes"]}


def upload(request: Request) -> Any:
    """Store an upload, and begin to check it. The same upload again leads to the same import."""
    form = UploadForm(request)
    if not form.validate():
        return form.invalid(request, **around_upload(request))
    jobs, who, key = jobs_of(request), identity_of(request), key_of(request)
    job = Job(key, who.id, who.role, who.sign_in, form.filename, CHECKING, created_at=time.time())
    # The columns are not known yet.
    how = {"columns": (), "mode": form.mode.data, "good_lines_only": form.lines.data == "good"}
    try:
        claim = jobs.spool.create(
            job, form.file, lambda claim: columns_of(claim, Options(format=recognise(claim.upload), **how))
        )
    except Unreadable as error:
        form.upload.errors = [error.message]
        return form.invalid(request, **around_upload(request))
    except OSError as error:
        if not is_full_disk(error):
            raise
        form.upload.errors = [FULL]
        return form.invalid(request, **around_upload(request))
    if claim is not None:
        jobs.check(claim)
    return HTTPSeeOther(request.route_path("users.import.show", key=key))


def key_of(request: Request) -> str:
    """Return the key of an upload: the same for the same content of the same form."""
    content = [f"{name}={content_of(value)!r}" for name, value in request.POST.items() if name != "csrf_token"]
    return keyed_digest(request, "import", f"{identity_of(request).id} {content}")[:32]


def columns_of(claim: Claim, options: Options) -> dict[str, Any]:
    """Return the columns of the file, those of `options` or else those that are recognised, as a job has them.

    The state is `FAILED` if they cannot be imported as they are: the person then chooses them.
    """
    rows = read_rows(claim.upload, options.format)
    header, example = next_header(rows), next_header(rows)
    columns = options.columns if len(options.columns) == len(header) else guess_columns(header)
    # The pages show no more of them.
    shown = {
        name: [cell[:SHOWN_CHARACTERS] for cell in cells] for name, cells in (("header", header), ("example", example))
    }
    values = {**shown, "options": replace(options, columns=columns).as_json()}
    try:
        check_columns(columns, options.mode)
    except Unreadable as error:
        return {**values, "state": FAILED, "failure": message_to_json(error.message)}
    return {**values, "state": CHECKING, "failure": None}


@view_config(route_name="users.import.sample", request_method="GET", permission="add")
def sample(request: Request) -> Response:
    """Return a file to start from, with the mark by which Excel recognises UTF-8."""
    return Response(
        (BYTE_ORDER_MARK + SAMPLE_FILE).encode(),
        content_type="text/csv",
        charset="utf-8",
        content_disposition='attachment; filename="users.csv"',
    )


@view_config(**SHOW, request_method="GET")
def show(context: ImportInUrl, request: Request) -> dict[str, Any]:
    """Show how far an import is, what it would change, or what it has changed."""
    return page_of(context, request)


def page_of(context: ImportInUrl, request: Request) -> dict[str, Any]:
    """Return what the page of an import shows."""
    job, spool = context.job, context.jobs.spool
    page: dict[str, Any] = {"job": job, "plan": None, "form": None, "options": None, "undo_path": None, **TEXTS}
    page["progress"] = spool.progress(job.key) if job.is_working else None
    page["is_being_cancelled"] = spool.is_being_cancelled(job.key)
    page["time_left"] = time_left(page["progress"].seconds_left) if page["progress"] else None
    page["has_files"] = context.has_files
    if context.can_be_checked:
        page["options"] = options_form(request, job)
    if job.state == CHECKED or (job.state == SAVED and job.numbers.get("refused")):
        page |= plan_page(context, request)
    if job.state == SAVED:
        page["undo_path"] = request.undo_path_of(job.key)
    return page


def plan_page(context: ImportInUrl, request: Request) -> dict[str, Any]:
    """Return what the page shows of a plan."""
    job = context.job
    after = to_id(request.GET.get("after")) or 0
    try:
        plan = Plan(context.jobs.spool.staged(job.key))
        refusals = plan.refusals(REFUSALS_PER_PAGE + 1, after)
        samples = {kind: plan.samples(kind, MOST_SAMPLES) for kind in KINDS}
    except sqlite3.Error as error:
        # In another tab, the file is just being checked again.
        raise HTTPConflict(CHECKED_AGAIN) from error
    return {
        "plan": plan,
        "samples": samples,
        "refusals": refusals[:REFUSALS_PER_PAGE],
        "before": max(0, after - REFUSALS_PER_PAGE) if after else None,
        "after": after + REFUSALS_PER_PAGE if len(refusals) > REFUSALS_PER_PAGE else None,
        "closed_for": time_without_saving(plan.writes),
        "form": SaveForm(request, job, is_risky=plan.changes_accounts),
    }


def time_without_saving(writes: int) -> TranslationString | None:
    """Return for how long nobody else can save while this many users are written; `None` if hardly noticeable."""
    seconds = writes / RECORDS_PER_SECOND
    return time_left(seconds) if seconds > UNNOTICED_SECONDS else None


@view_config(**SHOW, request_method="POST", receipt=False)
def save(context: ImportInUrl, request: Request) -> Any:
    """Begin to save the plan that the page has shown. A form that is sent twice begins it once."""
    here = HTTPSeeOther(request.route_path("users.import.show", key=context.key))
    if context.job.state != CHECKED:
        return here
    page = page_of(context, request)
    form = page["form"]
    if not form.validate():
        return form.invalid(request, **{**page, "form": form})
    request.after_commit(context.jobs.save, context.key, form.plan.data, identity_of(request).sign_in)
    return here


@view_config(
    route_name="users.import.check",
    request_method="POST",
    renderer="users/import/check.jinja2",
    permission="add",
    receipt=False,
)
def check(context: ImportInUrl, request: Request) -> Any:
    """Check the file again, read as the person says; `again` reads it as before, perhaps without the refused lines."""
    here = HTTPSeeOther(request.route_path("users.import.show", key=context.key))
    if not context.can_be_checked:
        return here
    form = options_form(request, context.job)
    if "again" in request.POST:
        before = Options.from_json(context.job.options)
        options = replace(before, good_lines_only=before.good_lines_only or request.POST["again"] == "good")
    elif form.validate():
        options = form.chosen
    else:
        return form.invalid(request, **{**page_of(context, request), "options": form, "form": None})
    claim = context.jobs.spool.claim(context.key, *READY)
    if claim is not None:
        who = identity_of(request)
        claim.change(role=who.role, sign_in=who.sign_in)
        check_or_ask(context.jobs, claim, options)
    return here


def check_or_ask(jobs: Jobs, claim: Claim, options: Options) -> None:
    """Begin to check a locked import, unless the person has to choose its columns first."""
    try:
        values = columns_of(claim, options)
    except Unreadable as error:
        values = {"state": FAILED, "failure": message_to_json(error.message), "options": options.as_json()}
    except BaseException:
        claim.release()
        raise
    claim.change(**values)
    jobs.check(claim)


@view_config(route_name="users.import.cancel", request_method="POST", permission="add", receipt=False)
def cancel(context: ImportInUrl, request: Request) -> HTTPSeeOther:
    """Stop the work on an import; if nobody works on it, remove what is left of it."""
    spool = context.jobs.spool
    if context.job.is_working:
        spool.cancel(context.key)
        return HTTPSeeOther(request.route_path("users.import.show", key=context.key))
    claim = spool.claim(context.key, *READY, SAVED, CANCELLED)
    if claim is not None:
        spool.remove(claim)
        flash(request, _("The file was deleted from the server."))
    return HTTPSeeOther(request.route_path("users.import.list"))


@view_config(route_name="users.import.refused", request_method="GET", permission="add")
def refused(context: ImportInUrl, request: Request) -> Response:
    """Return the refused lines as a CSV file, to be corrected and sent again."""
    file = tempfile.TemporaryFile()  # noqa: SIM115  # FileIter closes it.
    try:
        # The mark by which Excel recognises UTF-8 comes first.
        text = io.TextIOWrapper(file, "utf-8-sig", newline="")
        Plan(context.jobs.spool.staged(context.key)).write_refused(text, request.localizer.translate)
        # Otherwise it would close the file.
        text.detach()
    except (sqlite3.Error, FileNotFoundError) as error:
        raise HTTPNotFound() from error
    size = file.tell()
    file.seek(0)
    return Response(
        app_iter=FileIter(file),
        content_length=size,
        content_type="text/csv",
        charset="utf-8",
        content_disposition='attachment; filename="refused-lines.csv"',
    )
