"""The pages below `/users`."""

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.view import view_config
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from ..flash import flash
from ..i18n import _
from ..pagination import page_of
from .forms import ROLE_NAMES, UserForm
from .models import BY_NAME, User


@view_config(route_name="home", request_method="GET")
def home(request):
    """Lead to the list of users."""
    return HTTPSeeOther(request.route_path("users.list"))


@view_config(route_name="users.list", request_method="GET", renderer="users/list.jinja2")
def index(request):
    """List the users by name."""
    return {
        "page": page_of(request.dbsession, select(User), BY_NAME, request.GET.get("cursor")),
        "role_names": ROLE_NAMES,
        "total": request.dbsession.scalar(select(func.count()).select_from(User)),
    }


@view_config(route_name="users.show", request_method="GET", renderer="users/show.jinja2")
def show(user, request):
    """Show one user and their posts."""
    return {"user": user, "role_names": ROLE_NAMES}


@view_config(route_name="users.new", request_method="GET", renderer="users/new.jinja2")
def new(request):
    """Ask for a new user's record."""
    return {"form": UserForm(request)}


@view_config(route_name="users.new", request_method="POST", renderer="users/new.jinja2")
def create(request):
    """Add a user."""
    form, user = UserForm(request), User()
    if not (form.validate() and store(request, form, user)):
        return form.invalid(request)
    flash(request, _("${name} was added.", mapping={"name": user.name}))
    return HTTPSeeOther(request.route_path("users.show", id=user.id))


@view_config(route_name="users.edit", request_method="GET", renderer="users/edit.jinja2")
def edit(user, request):
    """Show a user's record to change it."""
    return {"form": UserForm(request, user), "user": user}


@view_config(route_name="users.edit", request_method="POST", renderer="users/edit.jinja2")
def update(user, request):
    """Change a user's record."""
    form = UserForm(request, user)
    if form.is_outdated(user):
        return form.outdated(request, user, user=user)
    if not (form.validate() and store(request, form, user)):
        return form.invalid(request, user=user)
    flash(request, _("${name} was saved.", mapping={"name": user.name}))
    return HTTPSeeOther(request.route_path("users.show", id=user.id))


@view_config(route_name="users.delete", request_method="GET", renderer="users/delete.jinja2")
def confirm(user, request):
    """Name what goes with a user, before they are deleted."""
    return {"user": user}


@view_config(route_name="users.delete", request_method="POST")
def delete(user, request):
    """Delete a user with their posts."""
    request.dbsession.delete(user)
    flash(request, _("${name} was deleted.", mapping={"name": user.name}))
    return HTTPSeeOther(request.route_path("users.list"))


def store(request, form, user):
    """Write what `form` holds to `user`; return `False`, with a message beside the email, where that is taken.

    The database settles it: between a look for the address and the write, another request may take it.
    """
    try:
        with request.dbsession.begin_nested():
            form.populate_obj(user)
            request.dbsession.add(user)
    except IntegrityError as error:
        if "uq_users_email" not in str(error.orig):
            raise
        form.email.errors = [_("This address is taken by another user.")]
        return False
    return True
