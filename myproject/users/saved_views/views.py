"""The pages of saved views: views of the list that people keep by name."""

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.view import view_config
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload
from wtforms import BooleanField, HiddenField, validators

from ...web.flash import flash
from ...web.forms import RecordForm, TextField
from ...web.i18n import _
from ...web.pagination import page_of
from ..forms import ROLE_NAMES
from ..listing.display import OPTIONAL_COLUMNS
from ..listing.view import read_query, read_view
from .models import BY_NAME, NAME_LENGTH, QUERY_LENGTH, SavedView, of_name, seen_by

TAKEN = _("There is a saved view of this name already.")
REPLACEABLE = _("There is a saved view of this name already. Choose another name, or replace it below.")
# So many of one's own.
MOST = 200
# What a page puts a view into words with, and the longest that can be kept.
SHOWN = {"role_names": ROLE_NAMES, "columns": {"name": _("Name"), **OPTIONAL_COLUMNS}, "longest": QUERY_LENGTH}


class SavedViewForm(RecordForm):
    """The name of a view, and for whom it is: only editors and administrators may save one for all."""

    name = TextField(_("Name"), length=NAME_LENGTH, required=True)
    for_all = BooleanField(_("For all"), description=_("Everybody who signs in here finds it among the saved views."))

    def __init__(self, request, record=None, **values):
        super().__init__(request, record, **values)
        if not request.has_permission("share"):
            del self.for_all


class NewSavedViewForm(SavedViewForm):
    """A view to save, by its query string, written as the list writes it."""

    query = HiddenField(
        filters=[lambda query: read_query(query or "").query],
        validators=[validators.Length(max=QUERY_LENGTH)],
    )
    replace = BooleanField(_("Replace the saved view of this name"))
    # Which view, and which version of it, the person was asked about.
    offered = HiddenField()

    def invalid(self, request, **names):
        """Return what the template needs; where the name is that of another view, it offers to replace that one."""
        taken = None
        if TAKEN in self.name.errors:
            taken = request.dbsession.scalar(of_name(request.identity, self.name.data))
        if taken:
            self.name.errors = [REPLACEABLE]
            self.offered.data = offer_of(taken)
            self.replace.data = False
            self.replace.description = _("It is for all.") if taken.for_all else ""
        else:
            del self.replace
        return super().invalid(request, **names)


@view_config(route_name="users.views.list", request_method="GET", renderer="users/views/list.jinja2")
def index(request):
    """List the person's views, and those for all, by name."""
    views = select(SavedView).where(seen_by(request.identity)).options(joinedload(SavedView.user))
    return {"page": page_of(request.dbsession, views, BY_NAME, request.GET.get("cursor")), **SHOWN}


@view_config(route_name="users.views.new", request_method="GET", renderer="users/views/new.jinja2")
def new(request):
    """Ask for the name of the view that the address describes."""
    view = read_view(request.GET)
    form = NewSavedViewForm(request, query=view.query)
    del form.replace, form.offered
    return {"form": form, "view": view, **SHOWN}


@view_config(route_name="users.views.new", request_method="POST", renderer="users/views/new.jinja2")
def create(request):
    """Save a view, as a new one or in place of that of the same name, and go back to it."""
    form = NewSavedViewForm(request)
    view = read_query(form.query.data)
    if not (form.validate() and keep(request, form)):
        return form.invalid(request, view=view, **SHOWN)
    flash(request, _("“${name}” was saved. You find it among the saved views.", mapping={"name": form.name.data}))
    return HTTPSeeOther(request.route_path("users.list", _query=view.parameters))


@view_config(route_name="users.views.edit", request_method="GET", renderer="users/views/edit.jinja2", permission="edit")
def edit(saved, request):
    """Show a saved view to rename it, or to change for whom it is."""
    return {"form": SavedViewForm(request, saved), "saved": saved, **SHOWN}


@view_config(
    route_name="users.views.edit", request_method="POST", renderer="users/views/edit.jinja2", permission="edit"
)
def update(saved, request):
    """Change a saved view."""
    form = SavedViewForm(request, saved)
    if form.is_outdated(saved):
        return form.outdated(request, saved, saved=saved, **SHOWN)
    if not (form.validate() and store(request, form, saved)):
        return form.invalid(request, saved=saved, **SHOWN)
    flash(request, _("“${name}” was saved.", mapping={"name": saved.name}))
    return HTTPSeeOther(request.route_path("users.views.list"))


@view_config(
    route_name="users.views.delete", request_method="GET", renderer="users/views/delete.jinja2", permission="delete"
)
def confirm(saved, request):
    """Ask before a saved view is deleted."""
    return {"saved": saved, **SHOWN}


@view_config(route_name="users.views.delete", request_method="POST", permission="delete")
def delete(saved, request):
    """Delete a saved view; the people in it stay."""
    request.dbsession.delete(saved)
    flash(request, _("“${name}” was deleted.", mapping={"name": saved.name}))
    return HTTPSeeOther(request.route_path("users.views.list"))


def keep(request, form):
    """Store a view, new or in place of the one of its name; return `False`, with a message beside the name, if not."""
    taken = request.dbsession.scalar(of_name(request.identity, form.name.data))
    if taken is None and not has_room(request, form):
        return False
    is_replaced = taken and form.replace.data and form.offered.data == offer_of(taken)
    saved = taken if is_replaced else SavedView(user_id=request.identity.id)
    if not form.for_all:
        # Who may not share, any more, shows nobody else what they replace it with.
        saved.for_all = False
    return store(request, form, saved)


def offer_of(saved):
    """Return the text that stands for a saved view as it is now."""
    return f"{saved.id}.{saved.version}"


def has_room(request, form):
    """Return whether the person may save one more; where not, with a message beside the name."""
    own = select(func.count()).select_from(SavedView).where(SavedView.user_id == request.identity.id)
    if request.dbsession.scalar(own) < MOST:
        return True
    form.name.errors = [_("You have saved ${count} views, the most there can be.", mapping={"count": MOST})]
    return False


def store(request, form, saved):
    """Write what `form` holds to `saved`; return `False`, with a message beside the name, where that is taken.

    The database settles it, as it does for emails.
    """
    try:
        with request.dbsession.begin_nested():
            form.populate_obj(saved)
            request.dbsession.add(saved)
    except IntegrityError as error:
        if "uq_saved_views_name" not in str(error.orig):
            raise
        form.name.errors = [TAKEN]
        return False
    return True
