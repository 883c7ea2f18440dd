"""The page `/history/{id}/undo`: what would become of each record, and the button that does it."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPNotFound, HTTPSeeOther
from pyramid.view import view_config
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from ...db.constraints import violated_constraint
from ...users.administrators import LAST_ADMINISTRATOR
from ...users.fields import LAST_ADMINISTRATOR_STAYS
from ...web.busy import UNDO, announce_writes
from ...web.events import MOST_REPORTED, report_act
from ...web.flash import flash
from ...web.form_fields import ChoiceField
from ...web.forms import ConfirmForm, DeleteForm
from ...web.i18n import _
from ...web.identity import identity_of
from ...web.keyed import keyed_digest
from ...web.request import Request
from ..access import entry_in_url, sees_everything, visible_changes
from ..context import announce, origin_of
from ..filters import read_record
from ..kinds import RecordKey
from ..models import Change, Entry
from ..showing import show_entries
from ..values import MODELS
from .reporting import report_accounts
from .rules import Action, Outcome, Viewer
from .showing import HEADINGS, REASONS, show_steps
from .steps import Group, Undo, applied_outcomes

PAGE = {"route_name": "history.undo", "renderer": "history/undo.jinja2", "permission": "undo"}
# The outcomes of records that can be put back.
APPLICABLE = applied_outcomes(changed_too=True)
# How many records of one outcome the page names.
MOST_NAMED = 25
# Among how many of their newest entries the one of a message is looked for.
NEWEST_ENTRIES = 20
TAKEN_MEANWHILE = _(
    "Nothing was changed: an email or a name is needed for a record that would be left alone. Put that one back, too,"
    " or change it first."
)
CHANGED_MEANWHILE = _(
    "Something has changed since you opened the page. Nothing was put back. Check it, then try again."
)


def includeme(config: Configurator) -> None:
    """Add the page, and `request.undo_path_of`, by which a message leads to it."""
    config.add_route("history.undo", "/history/{id}/undo", factory=EntryToUndo)
    config.add_request_method(undo_path_of)
    config.scan(__name__)


class EntryToUndo:
    """The entry that the URL names, or with `?record=users-7` one record of it, as the person may undo it."""

    def __init__(self, request: Request) -> None:
        """Load the entry. Raises `HTTPNotFound` if it has none, or no such record."""
        self.entry = entry_in_url(request)
        self.only = record_in(request.GET.get("record", ""))
        if self.only is not None and not has_record(request, self.entry, *self.only):
            raise HTTPNotFound()
        who = identity_of(request)
        viewer = Viewer(who.id, who.role, who.sign_in, sees_everything=sees_everything(request))
        self.undo = Undo(self.entry.id, viewer, request.dbsession.get_bind().dialect.name, self.only)

    def __acl__(self) -> list[tuple[str, str, list[str]]]:
        """Return the permissions on the entry. What may be put back is decided for each record (rules.py)."""
        return self.entry.__acl__()


def has_record(request: Request, entry: Entry, table: str, record_id: int) -> bool:
    """Return whether `entry` has changed this record, and the person may see it."""
    of_record = (Change.table_name == table, Change.record_id == record_id, *visible_changes(request))
    found = select(Change.id).where(Change.entry_id == entry.id, *of_record)
    return request.dbsession.scalar(found) is not None


def record_in(text: str) -> RecordKey | None:
    """Return the record that `users-7` names, or `None` for no text. Raises `HTTPNotFound` for any other."""
    record = read_record(text)
    if text and (record is None or record[0] not in MODELS):
        raise HTTPNotFound()
    return record


class UndoForm(DeleteForm, ConfirmForm):
    """Asks before an entry is undone, and whether to put back what was changed since. `named` is what the page said."""

    deletes = False
    changed_notice = CHANGED_MEANWHILE
    changed = ChoiceField(
        _("Records that were changed since"),
        choices={"leave": _("Leave them as they are now"), "too": _("Put them back, too")},
        default="leave",
    )

    def __init__(self, request: Request, groups: Sequence[Group]) -> None:
        super().__init__(request, None, named=keyed_digest(request, "undo", repr(groups)))
        self.numbers: Counter[Outcome] = Counter()
        for group in groups:
            self.numbers[group.outcome] += group.number
        if Outcome.CHANGED not in self.numbers:
            del self.changed
        is_risky = any(group.risky for group in groups if group.outcome in APPLICABLE)
        if "your_password" in self and not is_risky:
            del self.your_password

    @property
    def is_possible(self) -> bool:
        """Whether there is a record to put back."""
        return any(outcome in self.numbers for outcome in APPLICABLE)


@view_config(**PAGE, request_method="GET")
def confirm(context: EntryToUndo, request: Request) -> dict[str, Any]:
    """Show what would become of each record."""
    form = UndoForm(request, context.undo.count(request.dbsession))
    return {"form": form, **named_on_page(context, request, form)}


@view_config(**PAGE, request_method="POST")
def undo(context: EntryToUndo, request: Request) -> Any:
    """Put back the records, in an entry of its own."""
    groups = context.undo.count(request.dbsession)
    form = UndoForm(request, groups)
    if not form.is_possible or not form.validate():
        return form.invalid(request, **named_on_page(context, request, form))
    number = put_back(context, request, form, groups)
    if number is None:
        request.response.status_int = 409
        return {"form": form, **named_on_page(context, request, form)}
    text = _("Undone. ${count} record was put back.") if number == 1 else _("Undone. ${count} records were put back.")
    flash(request, _(text, mapping={"count": number}))
    return HTTPSeeOther(page_after(context, request))


def put_back(context: EntryToUndo, request: Request, form: UndoForm, groups: Sequence[Group]) -> int | None:
    """Put back the records as the form says; return how many, or `None`, with a notice, if the database refuses it."""
    announce(request.tm, origin_of(request, undoes_id=context.entry.id))
    changed_too = form.data.get("changed") == "too"
    announce_writes(request, UNDO, sum(form.numbers[outcome] for outcome in APPLICABLE))
    accounts = context.undo.accounts(request.dbsession, MOST_REPORTED, changed_too=changed_too)
    try:
        with request.dbsession.begin_nested():
            number = context.undo.apply(request.dbsession, groups, changed_too=changed_too)
    except IntegrityError as error:
        is_last = violated_constraint(error) == LAST_ADMINISTRATOR
        form.notice = LAST_ADMINISTRATOR_STAYS if is_last else TAKEN_MEANWHILE
        return None
    report_act(request, "undone", entry=context.entry.id)
    report_accounts(request, accounts)
    return number


def named_on_page(context: EntryToUndo, request: Request, form: UndoForm) -> dict[str, Any]:
    """Return what the template needs beside the form: the first records of each outcome."""
    found = {
        outcome: context.undo.read(request.dbsession, outcome, MOST_NAMED)
        for outcome in HEADINGS
        if outcome in form.numbers
    }
    restored = [step for step in found.get(Outcome.READY, []) if step.action == Action.RESTORE]
    [shown] = show_entries(request, [context.entry])
    return {
        "entry": context.entry,
        # What the entry did to the records of others is not shown to everybody.
        "sentence": shown.sentence if context.undo.viewer.sees_everything else None,
        "steps": {outcome: show_steps(request, steps) for outcome, steps in found.items()},
        "headings": HEADINGS,
        "reasons": REASONS,
        "restores_user": any(step.change.table_name == "users" for step in restored),
    }


def page_after(context: EntryToUndo, request: Request) -> str:
    """Return the path of the record if it is the only one and has a page, and otherwise that of the entry."""
    if context.only and context.only[0] in ("users", "posts"):
        table, record_id = context.only
        if request.dbsession.get(MODELS[table], record_id) is not None:
            return request.route_path(f"{table}.show", id=record_id)
    return request.route_path("history.show", id=context.entry.id)


def undo_path_of(request: Request, request_id: str) -> str | None:
    """Return the path of the page that undoes what the request with this id has changed, or `None` if it is nothing.

    It is one of the newest entries of the person, whose message this page shows.
    """
    # An error page is made after the transaction, without the database.
    if request.exception is not None or request.identity is None:
        return None
    newest = select(Entry.id, Entry.request_id).where(Entry.actor_id == request.identity.id)
    rows = newest.order_by(Entry.id.desc()).limit(NEWEST_ENTRIES).subquery()
    entry_id = request.dbsession.scalar(select(rows.c.id).where(rows.c.request_id == request_id).limit(1))
    return None if entry_id is None else request.route_path("history.undo", id=entry_id)
