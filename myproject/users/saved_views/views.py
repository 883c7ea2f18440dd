"""The pages of saved views."""

from typing import Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.view import view_config
from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from ...web.flash import flash, forward
from ...web.forms import DeleteForm, try_write
from ...web.i18n import _
from ...web.identity import identity_of
from ...web.pagination import page_of
from ...web.receipts import earlier_record
from ...web.request import Request
from ..fields import ROLE_NAMES
from ..listing.display import OPTIONAL_COLUMNS
from ..listing.view import read_query, read_view
from .forms import NewSavedViewForm, SavedViewForm, explain
from .models import BY_NAME, QUERY_LENGTH, SavedView, is_visible_to, select_by_name

MOST_VIEWS_OF_A_USER = 200
# What the templates need to describe a view in words, and its greatest length in characters.
TEMPLATE_NAMES = {"role_names": ROLE_NAMES, "columns": {"name": _("Name"), **OPTIONAL_COLUMNS}, "longest": QUERY_LENGTH}
EDIT = {"route_name": "users.views.edit", "renderer": "users/views/edit.jinja2", "permission": "edit"}
DELETE = {"route_name": "users.views.delete", "renderer": "users/views/delete.jinja2", "permission": "delete"}


@view_config(route_name="users.views.list", request_method="GET", renderer="users/views/list.jinja2")
def index(request: Request) -> dict[str, Any]:
    """List the views of the person who is signed in, and those for everybody, by name."""
    views = select(SavedView).where(is_visible_to(identity_of(request).id)).options(joinedload(SavedView.user))
    return {"page": page_of(request.dbsession, views, BY_NAME, request.GET.get("cursor")), **TEMPLATE_NAMES}


@view_config(route_name="users.views.new", request_method="GET", renderer="users/views/new.jinja2")
def new(request: Request) -> dict[str, Any]:
    """Ask for the name of the view that the query string describes."""
    view = read_view(request.GET)
    form = NewSavedViewForm(request, query=view.query)
    del form.replace, form.offered
    return {"form": form, "view": view, **TEMPLATE_NAMES}


@view_config(route_name="users.views.new", request_method="POST", renderer="users/views/new.jinja2")
def create(request: Request) -> Any:
    """Save a view, new or in place of the one with its name, and go back to it."""
    form = NewSavedViewForm(request)
    view = read_query(form.query.data)
    saved = save_new(form)
    if saved is None:
        earlier = earlier_record(request, SavedView, "users.views.show")
        return form.invalid(request, view=view, earlier=earlier, **TEMPLATE_NAMES)
    flash(request, _("“${name}” was saved. Open it from “Saved views”.", mapping={"name": saved.name}))
    return HTTPSeeOther(request.route_path("users.views.show", id=saved.id))


@view_config(route_name="users.views.show", request_method="GET")
def show(saved: SavedView, request: Request) -> HTTPSeeOther:
    """Redirect to the list of users as the view describes it, or to the saved views if it is not understood."""
    if saved.view is None:
        return forward(request, request.route_path("users.views.list"))
    return forward(request, request.route_path("users.list", _query=saved.view.parameters))


@view_config(**EDIT, request_method="GET")
def edit(saved: SavedView, request: Request) -> dict[str, Any]:
    """Show the form of a saved view."""
    return {"form": SavedViewForm(request, saved), "saved": saved, **TEMPLATE_NAMES}


@view_config(**EDIT, request_method="POST")
def update(saved: SavedView, request: Request) -> Any:
    """Change a saved view."""
    form = SavedViewForm(request, saved)
    if not save(form, saved):
        return form.invalid(request, saved=saved, **TEMPLATE_NAMES)
    flash(request, _("“${name}” was saved.", mapping={"name": saved.name}))
    return HTTPSeeOther(request.route_path("users.views.list"))


@view_config(**DELETE, request_method="GET")
def confirm(saved: SavedView, request: Request) -> dict[str, Any]:
    """Ask before a saved view is deleted."""
    return {"form": DeleteForm(request, saved), "saved": saved, **TEMPLATE_NAMES}


@view_config(**DELETE, request_method="POST")
def delete(saved: SavedView, request: Request) -> Any:
    """Delete a saved view, but none of the users in it."""
    form = DeleteForm(request, saved)
    if not form.validate():
        return form.invalid(request, saved=saved, **TEMPLATE_NAMES)
    request.dbsession.delete(saved)
    flash(request, _("“${name}” was deleted.", mapping={"name": saved.name}))
    return HTTPSeeOther(request.route_path("users.views.list"))


def save_new(form: NewSavedViewForm) -> SavedView | None:
    """Save a view, new or in place of the one with its name, and return it; `None`, with a message, if refused."""
    dbsession, user_id = form.request.dbsession, identity_of(form.request).id
    form.validate()
    # PostgreSQL compares no text with NUL in it.
    saved = None if form.name.errors else dbsession.scalar(select_by_name(user_id, form.name.data))
    if saved is None and not has_room(form, dbsession, user_id):
        return None
    if saved is None or not form.replaces(saved):
        # If the name is taken, the database refuses the new view.
        saved = SavedView(user_id=user_id, query="")
    return saved if save(form, saved) else None


def has_room(form: NewSavedViewForm, dbsession: Session, user_id: int) -> bool:
    """Return whether the user may save another view; if not, add a message to the name."""
    views_of_user = select(func.count()).select_from(SavedView).where(SavedView.user_id == user_id)
    if dbsession.execute(views_of_user).scalar_one() < MOST_VIEWS_OF_A_USER:
        return True
    counted = {"count": MOST_VIEWS_OF_A_USER}
    form.name.errors = [
        _("You already have ${count} saved views, the most allowed. Delete one first.", mapping=counted)
    ]
    return False


def save(form: SavedViewForm, saved: SavedView) -> bool:
    """Write the form to `saved`; return `False`, with messages on the fields, if it is refused."""

    def write() -> None:
        form.populate_obj(saved)
        form.request.dbsession.add(saved)

    return try_write(form, write, explain)
