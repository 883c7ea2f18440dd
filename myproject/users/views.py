"""The pages below `/users`."""

from typing import Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.view import exception_view_config, view_config
from sqlalchemy.exc import IntegrityError

from ..web.errors import page
from ..web.events import log_event
from ..web.flash import flash
from ..web.i18n import _
from ..web.request import Request
from .forms import ROLE_NAMES, UserForm
from .listing.display import OPTIONAL_COLUMNS, PAGE_SIZES, display_of
from .listing.marking import mark
from .listing.page import count_choices, read_list
from .listing.view import read_start, read_view
from .models import LastAdministrator, User

LAST_ADMINISTRATOR = _("This is the last administrator who can sign in. Make somebody else an administrator first.")
TEXTS_OF_LIST = {"columns": OPTIONAL_COLUMNS, "sizes": PAGE_SIZES, "role_names": ROLE_NAMES}


@view_config(route_name="home", request_method="GET")
def home(request):
    """Lead to the list of users."""
    return HTTPSeeOther(request.route_path("users.list"))


@view_config(route_name="users.list", request_method="GET", renderer="users/list.jinja2")
def index(request: Request) -> dict[str, Any]:
    """List the users that the address asks for."""
    asked, view, display = request.GET, read_view(request.GET), display_of(request)
    start, note = read_start(view, asked.get("from", ""))
    exactly, panel = asked.get("count") == "exact", asked.get("panel")
    page, count = read_list(
        request.dbsession, view, asked.get("cursor"), start=start, size=display.size, exactly=exactly
    )
    return {
        "view": view,
        "display": display,
        "page": page,
        "count": count,
        "panel": panel,
        "choices": count_choices(request.dbsession, view) if panel == "filters" else None,
        "notes": [*view.notes, *([note] if note else [])],
        "mark": mark,
        **TEXTS_OF_LIST,
    }


@view_config(route_name="users.help", request_method="GET", renderer="users/help.jinja2")
def help_page(request):
    """Explain what the search understands, and which keys the list knows."""
    return {}


@view_config(route_name="users.show", request_method="GET", renderer="users/show.jinja2")
def show(user, request):
    """Show one user and their posts."""
    return {"user": user, "role_names": ROLE_NAMES}


@view_config(route_name="users.new", request_method="GET", renderer="users/new.jinja2", permission="add")
def new(request):
    """Ask for a new user's record."""
    return {"form": UserForm(request)}


@view_config(route_name="users.new", request_method="POST", renderer="users/new.jinja2", permission="add")
def create(request):
    """Add a user."""
    form, user = UserForm(request), User()
    if not (form.validate() and store(request, form, user)):
        return form.invalid(request)
    flash(request, _("${name} was added.", mapping={"name": user.name}))
    return HTTPSeeOther(request.route_path("users.show", id=user.id))


@view_config(route_name="users.edit", request_method="GET", renderer="users/edit.jinja2", permission="edit")
def edit(user, request):
    """Show a user's record to change it."""
    return {"form": UserForm(request, user), "user": user}


@view_config(route_name="users.edit", request_method="POST", renderer="users/edit.jinja2", permission="edit")
def update(user, request):
    """Change a user's record."""
    form = UserForm(request, user)
    if form.is_outdated(user):
        return form.outdated(request, user, user=user)
    if not (form.validate() and store(request, form, user)):
        return form.invalid(request, user=user)
    flash(request, _("${name} was saved.", mapping={"name": user.name}))
    return HTTPSeeOther(request.route_path("users.show", id=user.id))


@view_config(route_name="users.delete", request_method="GET", renderer="users/delete.jinja2", permission="delete")
def confirm(user, request):
    """Name what goes with a user, before they are deleted."""
    return {"user": user}


@view_config(route_name="users.delete", request_method="POST", permission="delete")
def delete(user, request):
    """Delete a user with their posts."""
    request.dbsession.delete(user)
    request.after_commit(log_event, request, "user deleted", user=user.id)
    flash(request, _("${name} was deleted.", mapping={"name": user.name}))
    return HTTPSeeOther(request.route_path("users.list"))


def store(request, form, user):
    """Write what `form` holds to `user`; return `False`, with a message beside its field, where that cannot be.

    The database settles it: between a look for the address and the write, another request may take it.
    """
    before = account_of(user)
    try:
        with request.dbsession.begin_nested():
            form.populate_obj(user)
            request.dbsession.add(user)
    except LastAdministrator:
        field_that_takes_them(form).errors = [LAST_ADMINISTRATOR]
        return False
    except IntegrityError as error:
        if "uq_users_email" not in str(error.orig):
            raise
        form.email.errors = [_("This address is taken by another user.")]
        return False
    if account_of(user) != before:
        request.after_commit(log_event, request, "account changed", user=user.id, role=user.role, active=user.active)
    return True


def account_of(user):
    """Return what decides whether and as what somebody signs in."""
    return user.email, user.role, user.active


def field_that_takes_them(form):
    """Return the field of `form` by which an administrator would go."""
    if form.active and not form.active.data:
        return form.active
    return form.role if form.role and form.role.data != "admin" else form.email


@exception_view_config(LastAdministrator, renderer="errors/error.jinja2")
def last_administrator(error, request):
    """Somebody has to stay who can let others in."""
    return page(request, 409, LAST_ADMINISTRATOR, _("Somebody has to stay"))
