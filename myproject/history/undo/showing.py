"""What the page that asks before an undo shows of each record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from markupsafe import Markup
from pyramid.i18n import TranslationString

from ...web.i18n import _, format_moment, translate
from ...web.rendering import isolate
from ...web.request import Request
from ..access import is_private
from ..labels import TABLE_NAMES, changed_columns, title_of
from ..models import Change
from ..people import names_of, people_in
from ..showing import ShownField, show_field
from ..words import fill_in
from .rules import Action, Outcome
from .steps import Step

# What heads the records of an outcome, in the order of the page.
HEADINGS = {
    Outcome.READY: _("Will be put back"),
    Outcome.CHANGED: _("Changed since"),
    Outcome.EMAIL_TAKEN: _("Email taken meanwhile"),
    Outcome.NAME_TAKEN: _("Name taken meanwhile"),
    Outcome.OWNER_MISSING: _("Author or owner missing"),
    Outcome.GONE: _("Deleted since"),
    Outcome.EXISTS: _("Restored already"),
    Outcome.BELONGINGS: _("Has posts or saved views since"),
    Outcome.FORBIDDEN: _("Not permitted"),
    Outcome.ERASED: _("Permanently erased"),
    Outcome.SAME: _("Nothing to put back"),
}
REASONS = {
    Outcome.CHANGED: _("Choose below whether to put these back, too. What was changed since would be lost."),
    Outcome.EMAIL_TAKEN: _(
        "Another user has the email now, so these stay as they are. Change that user's email first."
    ),
    Outcome.NAME_TAKEN: _("Another saved view has the name now, so these stay as they are. Rename that view first."),
    Outcome.OWNER_MISSING: _(
        "The user to whom these belong was deleted, so they stay deleted. Restore the user first."
    ),
    Outcome.GONE: _("A deleted record cannot be changed. Restore it first."),
    Outcome.EXISTS: _("These records exist again and stay as they are."),
    Outcome.BELONGINGS: _("Deleting these users would delete what they have written since. Delete them on their page."),
    Outcome.FORBIDDEN: _("You don't have permission to change these. Ask an administrator to undo it."),
    Outcome.ERASED: _("The values were removed at the request of a person. They cannot be brought back."),
    Outcome.SAME: _("These records are as they were before."),
}


class Link(NamedTuple):
    """A way on: a label and a path."""

    label: TranslationString
    path: str


@dataclass(frozen=True)
class ShownStep:
    """A record of an undo: what it is called, what would change, who has changed it since, and a way on."""

    name: str | Markup
    action: Action
    fields: Sequence[ShownField]
    changed_by: Markup | None
    way_on: Link | None


def show_steps(request: Request, steps: Sequence[Step]) -> list[ShownStep]:
    """Return what the page shows of the `steps` of one outcome, by the same number of queries for any number."""
    people = names_of(request, people_in([step.last_entry for step in steps], [step.change for step in steps]))
    return [show_step(request, step, people) for step in steps]


def show_step(request: Request, step: Step, people: Mapping[int, str]) -> ShownStep:
    """Return what the page shows of one record; `people` are names by id."""
    hidden = is_private(request, step.change)
    title = "" if hidden else title_of(step.change.table_name, step.change.before or step.change.after)
    name = isolate(title) if title else translate(request, TABLE_NAMES[step.change.table_name])
    shows_fields = step.action == Action.CHANGE and step.outcome in (Outcome.READY, Outcome.CHANGED) and not hidden
    preview = preview_of(step)
    columns = changed_columns(preview) if shows_fields else []
    return ShownStep(
        name,
        step.action,
        [show_field(request, preview, column, people) for column in columns],
        tell_last_change(request, step, people),
        way_on(request, step),
    )


def preview_of(step: Step) -> Change:
    """Return the change that the undo would make of a record: from what it is now to what it would be."""
    before, after, now = (side or {} for side in (step.change.before, step.change.after, step.last.after))
    back = {name: value for name, value in before.items() if after.get(name) != value}
    return Change(table_name=step.change.table_name, before=now, after={**now, **back})


def tell_last_change(request: Request, step: Step, people: Mapping[int, str]) -> Markup | None:
    """Return who has changed the record since, and when; `None` if nobody has."""
    if step.last.id == step.change.id or step.outcome == Outcome.READY:
        return None
    moment = format_moment(request, step.last_entry.created_at)
    actor_id = step.last_entry.actor_id
    name = None if actor_id is None else people.get(actor_id)
    if name is None:
        return fill_in(request, _("last changed on ${moment}"), moment=moment)
    return fill_in(request, _("last changed by ${name} on ${moment}"), name=isolate(name), moment=moment)


def way_on(request: Request, step: Step) -> Link | None:
    """Return where to remove what keeps the record from being put back, if a page can."""
    before: Mapping[str, Any] = step.change.before or {}
    table, record_id = step.change.table_name, step.change.record_id
    if step.outcome == Outcome.EMAIL_TAKEN:
        return Link(_("Find the user"), request.route_path("users.list", _query={"q": before["email"]}))
    if step.outcome == Outcome.NAME_TAKEN:
        return Link(_("Saved views"), request.route_path("users.views.list"))
    if step.outcome == Outcome.OWNER_MISSING:
        owner = before["author_id" if table == "posts" else "user_id"]
        return Link(_("History of the user"), request.route_path("users.history", id=owner))
    if step.outcome == Outcome.GONE:
        query = {"record": f"{table}-{record_id}"}
        return Link(_("Restore"), request.route_path("history.undo", id=step.last.entry_id, _query=query))
    if step.outcome == Outcome.BELONGINGS:
        return Link(_("Delete"), request.route_path("users.delete", id=record_id))
    return None
