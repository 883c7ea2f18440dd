"""The page on which users are selected, and the page that asks before something is done to all of them."""

from collections.abc import Mapping
from typing import Any

from pyramid.httpexceptions import HTTPBadRequest, HTTPForbidden, HTTPSeeOther
from pyramid.i18n import TranslationString
from pyramid.view import view_config
from wtforms import HiddenField

from ...db import to_id
from ...web.busy import BULK, announce_writes
from ...web.events import MOST_REPORTED, report_act
from ...web.flash import flash
from ...web.forms import ConfirmForm, DeleteForm
from ...web.i18n import _, format_number
from ...web.identity import identity_of
from ...web.keyed import keyed_digest
from ...web.request import Request
from ..exports import COLUMN_CHOICES
from ..fields import ROLE_NAMES
from ..listing.display import PAGE_SIZES
from ..listing.page import matches_of
from ..listing.view import read_query
from ..sets import lock_users
from ..views import read_table, report_account
from .action import ACTIONS, INCLUDED, Action, Bulk, Outcome
from .models import QUERY_LENGTH, Selection, delete_expired

MOST_SHOWN = max(PAGE_SIZES)
# How many users of one outcome the page names.
MOST_NAMED = 10

REASONS = {
    Outcome.SAME: _("They already have this role or status."),
    Outcome.OWN: _("This is your own account. Change it on its own page."),
    Outcome.FORBIDDEN: _("Only administrators can change the records of administrators."),
    Outcome.LAST_ADMINISTRATOR: _("The last administrator who can sign in has to stay."),
    Outcome.FORMER_MEMBER: _("This is not a person. Posts of erased users are kept under this name."),
    Outcome.LEFT: _("They no longer match the search and the filters."),
    Outcome.GONE: _("They have been deleted since you selected them."),
}
CHANGED_MEANWHILE = _(
    "Something has changed since you opened the page. Nothing was done. Check it, then confirm again."
)
NOBODY_SELECTED = _("No users are selected. Select at least one.")
# The buttons after which users are still selected.
STAYING = {"search", "select", "cursor"}
SHOW = {"route_name": "users.bulk.show", "permission": "edit"}
APPLY = {"route_name": "users.bulk.apply", "permission": "edit", "renderer": "users/bulk/apply.jinja2"}


class BulkForm(DeleteForm, ConfirmForm):
    """Asks before an action is done to many users. `named` is what the page said of them."""

    changed_notice = CHANGED_MEANWHILE
    action = HiddenField()

    def __init__(self, request: Request, bulk: Bulk) -> None:
        stated = (bulk.action.name, bulk.selection.id, bulk.groups, bulk.belongings)
        super().__init__(request, None, named=keyed_digest(request, "bulk", repr(stated)))
        self.action.data = bulk.action.name
        self.deletes = bulk.action.values is None
        if "your_password" in self and not bulk.action.sets_role:
            del self.your_password


# A selection of nobody, twice as well as once.
@view_config(route_name="users.bulk", request_method="POST", permission="edit", receipt=False)
def start(request: Request) -> HTTPSeeOther:
    """Start to select users in the view of the list that the form names."""
    # Encoded as in an address, it may be longer than it was sent.
    query = read_query(request.POST.get("query", "")).query
    if len(query) > QUERY_LENGTH:
        raise HTTPBadRequest(_("The search is too long. Shorten it, then try again."))
    selection = Selection(user_id=identity_of(request).id, query=query)
    request.dbsession.add(selection)
    request.dbsession.flush()
    request.in_own_transaction(delete_expired)
    return HTTPSeeOther(request.route_path("users.bulk.show", id=selection.id))


@view_config(**SHOW, request_method="GET", renderer="users/bulk/show.jinja2")
def show(selection: Selection, request: Request) -> dict[str, Any]:
    """Show a page of the view, with a tick at each selected user; with `?find=kim`, only users who match this too."""
    find = request.GET.get("find", "").strip()
    table = read_table(request, selection.view.narrowed(find))
    ticked = selection.find_ticked([row.id for row in table["page"].rows])
    names = {"selection": selection, "find": find, "ticked": ticked, "number": selection.count()}
    return {**table, **names, **texts_for(request)}


@view_config(**SHOW, request_method="POST", receipt=False, max_fields=MOST_SHOWN + 20, repeated_keys={"ticked"})
def update(selection: Selection, request: Request) -> HTTPSeeOther:
    """Save the ticks of a page, and go on: to another page of the list, or to the action that was chosen."""
    save_ticks(selection, request)
    if STAYING.isdisjoint(request.POST):
        return go_on(selection, request)
    return HTTPSeeOther(request.route_path("users.bulk.show", id=selection.id, _query=place_in(request.POST)))


def save_ticks(selection: Selection, request: Request) -> None:
    """Select the users of the page that are ticked, or those whom a button names: the page, all, none."""
    shown = to_ids(request.POST.get("shown", "").split(","))
    ticked = to_ids(request.POST.getall("ticked"))
    select = request.POST.get("select")
    selection.tick(shown if select == "page" else ticked, shown)
    if select == "all":
        selection.select_all(matches_of(request.dbsession, selection.view, request.time_zone))
    elif select == "none":
        selection.clear()


def place_in(fields: Mapping[str, str]) -> dict[str, str]:
    """Return the query of the page to show: that of a search, of a cursor, or of the page that was sent."""
    if "search" in fields:
        places = {"find": fields.get("find") if fields["search"] == "find" else None}
    else:
        # The cursor is one of the list that was shown, whatever is typed into the search by now.
        places = {"find": fields.get("found"), "cursor": fields.get("cursor", fields.get("here"))}
    return {name: text for name, text in places.items() if text}


def go_on(selection: Selection, request: Request) -> HTTPSeeOther:
    """Redirect to the page that asks before the chosen action is done."""
    if not selection.count():
        flash(request, NOBODY_SELECTED)
        return HTTPSeeOther(request.route_path("users.bulk.show", id=selection.id))
    query = {"action": request.POST.get("action", "")}
    return HTTPSeeOther(request.route_path("users.bulk.apply", id=selection.id, _query=query))


def to_ids(texts: list[str]) -> list[int]:
    """Return the ids among `texts`. Raises `HTTPBadRequest` if they are more than a page has."""
    if len(texts) > MOST_SHOWN:
        raise HTTPBadRequest()
    return [number for number in map(to_id, texts) if number is not None]


@view_config(**APPLY, request_method="GET")
def confirm(selection: Selection, request: Request) -> dict[str, Any]:
    """Say what the action would do to whom; without one, let the person choose it."""
    action = chosen_action(request, request.GET.get("action", ""))
    if action is None:
        return {"bulk": None, "number": selection.count(), "selection": selection, **texts_for(request)}
    request.slow_advice = _("Select fewer users, then try again.")
    bulk = bulk_of(selection, request, action)
    return page_of_bulk(request, bulk, BulkForm(request, bulk))


@view_config(**APPLY, request_method="POST")
def apply(selection: Selection, request: Request) -> Any:
    """Do the action to the selected users, or ask again."""
    action = chosen_action(request, request.POST.get("action", ""))
    if action is None or not action.writes:
        query = {"action": action.name} if action else None
        return HTTPSeeOther(request.route_path("users.bulk.apply", id=selection.id, _query=query))
    lock_users(request.dbsession)
    bulk = bulk_of(selection, request, action)
    form = BulkForm(request, bulk)
    if not bulk.number or not form.validate():
        return form.invalid(request, **page_of_bulk(request, bulk, form))
    report_accounts(request, bulk)
    number = bulk.number
    announce_writes(request, BULK, number)
    bulk.apply(identity_of(request).sign_in)
    flash(request, done(request, action, number))
    return HTTPSeeOther(request.route_path("users.list", _query=selection.view.parameters))


def chosen_action(request: Request, name: str) -> Action | None:
    """Return the Action with this name, `None` without one. Raises `HTTPBadRequest` or `HTTPForbidden` for others."""
    if not name:
        return None
    if name not in ACTIONS:
        raise HTTPBadRequest(_("There is no such action. Choose one of the list."))
    if not request.has_permission(ACTIONS[name].permission):
        raise HTTPForbidden()
    return ACTIONS[name]


def bulk_of(selection: Selection, request: Request, action: Action) -> Bulk:
    """Return the action on the users of the selection, by the person who is signed in."""
    person = identity_of(request)
    return Bulk(request.dbsession, selection, action, person.id, person.role, request.time_zone)


def texts_for(request: Request) -> dict[str, Any]:
    """Return the actions that the person may choose from, and what describes a view in words."""
    actions = [action for action in ACTIONS.values() if request.has_permission(action.permission)]
    return {"actions": actions, "role_names": ROLE_NAMES, "column_choices": COLUMN_CHOICES}


def page_of_bulk(request: Request, bulk: Bulk, form: BulkForm) -> dict[str, Any]:
    """Return what the template needs: the first users of each outcome, and what has changed meanwhile."""
    return {
        "form": form,
        "bulk": bulk,
        "selection": bulk.selection,
        "view": bulk.selection.view,
        "included": bulk.name_users(INCLUDED, MOST_NAMED) if bulk.number else (),
        "changed": bulk.name_users([Outcome.CHANGED], MOST_NAMED) if Outcome.CHANGED in bulk.groups else (),
        "left_out": bulk.name_left_out(MOST_NAMED),
        "number_left_out": sum(group.number for group in bulk.groups.values()) - bulk.number,
        "joined": bulk.joined,
        "reasons": REASONS,
        **texts_for(request),
    }


def report_accounts(request: Request, bulk: Bulk) -> None:
    """Report the action, and what becomes of the account of each user, of at most `MOST_REPORTED` of them."""
    action = bulk.action
    report_act(request, "many changed", action=action.name, users=bulk.number)
    for user in bulk.name_users(INCLUDED, MOST_REPORTED):
        if action.values is None:
            report_act(request, "user deleted", user=user.id)
        else:
            before = {"role": user.role, "active": user.active}
            after = {**before, **action.values}
            report_account(request, user.id, (user.email, *before.values()), (user.email, *after.values()))


def done(request: Request, action: Action, number: int) -> TranslationString:
    """Return the message that the action was done to this number of users."""
    if action.values is None:
        text = _("${count} user was deleted.") if number == 1 else _("${count} users were deleted.")
    else:
        text = _("${count} user was changed.") if number == 1 else _("${count} users were changed.")
    return _(text, mapping={"count": format_number(request, number)})
