"""The pages below `/users`."""

from typing import Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.view import exception_view_config, view_config
from sqlalchemy.exc import IntegrityError

from ..web.errors import error_page
from ..web.events import report_act
from ..web.flash import flash, forward
from ..web.forms import try_write
from ..web.i18n import _, translate
from ..web.identity import identity_of
from ..web.receipts import earlier_record
from ..web.request import Request
from .administrators import LAST_ADMINISTRATOR
from .belongings import MOST_TITLES, count_posts, newest_posts
from .exports import COLUMN_CHOICES
from .fields import FIELDS, LAST_ADMINISTRATOR_STAYS, ROLE_NAMES, explain
from .forms import DeleteUserForm, UserForm
from .listing.display import OPTIONAL_COLUMNS, PAGE_SIZES, columns_for, display_of
from .listing.marking import mark
from .listing.page import count_choices, read_list
from .listing.view import View, read_start, read_view
from .models import User

# The email, the role and the activity of a user; `None` of one who was not there.
SignInFacts = tuple[str | None, str | None, bool | None]
TEXTS_OF_LIST = {"sizes": PAGE_SIZES, "role_names": ROLE_NAMES, "column_choices": COLUMN_CHOICES}


@view_config(route_name="home", request_method="GET")
def home(request: Request) -> HTTPSeeOther:
    """Redirect to the list of users."""
    return forward(request, request.route_path("users.list"))


@view_config(route_name="users.list", request_method="GET", renderer="users/list.jinja2")
def index(request: Request) -> dict[str, Any]:
    """List the users that the address asks for."""
    view, panel = read_view(request.GET), request.GET.get("panel")
    return {
        **read_table(request, view),
        "panel": panel,
        "choices": count_choices(request.dbsession, view, request.time_zone) if panel == "filters" else None,
        **TEXTS_OF_LIST,
    }


def read_table(request: Request, view: View) -> dict[str, Any]:
    """Return what templates need to show the page of a view that the address asks for."""
    asked, display, zone = request.GET, display_of(request), request.time_zone
    if view.terms:
        request.slow_advice = _("Make the search more specific or remove a filter, then try again.")
    start, note = read_start(view, asked.get("from", ""), zone)
    exactly = asked.get("count") == "exact"
    page, count = read_list(
        request.dbsession, view, zone, asked.get("cursor"), start=start, size=display.size, exactly=exactly
    )
    return {
        "view": view,
        "display": display,
        "page": page,
        "count": count,
        "notes": [*view.notes, *([note] if note else [])],
        "mark": mark,
        # Translated once: each row has them.
        "columns": columns_for(request),
        "labels": {name: translate(request, label) for name, label in OPTIONAL_COLUMNS.items()},
        "roles": {role: translate(request, name) for role, name in ROLE_NAMES.items()},
    }


@view_config(route_name="users.help", request_method="GET", renderer="users/help.jinja2")
def help_page(request: Request) -> dict[str, Any]:
    """Explain the syntax of the search and the keys of the list."""
    return {}


@view_config(route_name="users.show", request_method="GET", renderer="users/show.jinja2")
def show(user: User, request: Request) -> dict[str, Any]:
    """Show one user and their posts."""
    posts = newest_posts(request.dbsession, user, MOST_TITLES)
    total = count_posts(request.dbsession, user) if len(posts) == MOST_TITLES else len(posts)
    return {"user": user, "fields": FIELDS, "posts": posts, "total": total}


@view_config(route_name="users.new", request_method="GET", renderer="users/new.jinja2", permission="add")
def new(request: Request) -> dict[str, Any]:
    """Show an empty form for a new user."""
    return {"form": UserForm(request)}


@view_config(route_name="users.new", request_method="POST", renderer="users/new.jinja2", permission="add")
def create(request: Request) -> Any:
    """Add a user."""
    # With a name, so that the database can check the other fields of a form without one.
    form, user = UserForm(request), User(name="?")
    if not save(form, user):
        return form.invalid(request, earlier=earlier_record(request, User, "users.show"))
    flash(request, _("${name} was added.", mapping={"name": user.name}))
    return HTTPSeeOther(request.route_path("users.show", id=user.id))


@view_config(route_name="users.edit", request_method="GET", renderer="users/edit.jinja2", permission="edit")
def edit(user: User, request: Request) -> dict[str, Any]:
    """Show the form of a user's record."""
    return {"form": UserForm(request, user), "user": user}


@view_config(route_name="users.edit", request_method="POST", renderer="users/edit.jinja2", permission="edit")
def update(user: User, request: Request) -> Any:
    """Change a user's record."""
    form = UserForm(request, user)
    if not save(form, user):
        return form.invalid(request, user=user)
    if user.id == identity_of(request).id and not user.active:
        flash(request, _("Your account is inactive now, so you were signed out."))
    else:
        flash(request, _("The changes to ${name} were saved.", mapping={"name": request.name_of(user)}))
    return HTTPSeeOther(request.route_path("users.show", id=user.id))


@view_config(route_name="users.delete", request_method="GET", renderer="users/delete.jinja2", permission="delete")
def confirm(user: User, request: Request) -> dict[str, Any]:
    """Ask before a user is deleted, and name what is deleted with them."""
    return {"form": DeleteUserForm(request, user), "user": user}


@view_config(route_name="users.delete", request_method="POST", renderer="users/delete.jinja2", permission="delete")
def delete(user: User, request: Request) -> Any:
    """Delete a user, their posts and their saved views."""
    form = DeleteUserForm(request, user)
    if not form.validate():
        return form.invalid(request, user=user)
    user.delete()
    report_act(request, "user deleted", user=user.id)
    flash(request, _("${name} was deleted.", mapping={"name": request.name_of(user)}))
    return HTTPSeeOther(request.route_path("users.list"))


def save(form: UserForm, user: User) -> bool:
    """Write the values of the form to `user`; return `False`, with messages on the fields, if they are refused."""
    request, before = form.request, sign_in_facts(user)

    def write() -> None:
        request.dbsession.add(user)
        user.change(form.values, keep_sign_in=identity_of(request).sign_in)

    if not try_write(form, write, explain):
        return False
    report_account(request, user.id, before, sign_in_facts(user))
    return True


def sign_in_facts(user: User) -> SignInFacts:
    """Return what decides whether a user can sign in, and what they may then do."""
    return user.email, user.role, user.active


def report_account(request: Request, user_id: int, before: SignInFacts, now: SignInFacts) -> None:
    """Report a security event if what `sign_in_facts` returned `before` is not what it returns `now`."""
    if now == before:
        return
    (email_before, role_before, active_before), (email, role, active) = before, now
    facts = {"role_before": role_before, "active_before": active_before, "email_changed": email != email_before}
    report_act(request, "account changed", user=user_id, role=role, active=active, **facts)


@exception_view_config(IntegrityError, violated_constraint=LAST_ADMINISTRATOR, renderer="errors/error.jinja2")
def refuse_to_remove_last_administrator(error: IntegrityError, request: Request) -> dict[str, Any]:
    """Answer 409 if a page without a form field for it would remove the last administrator."""
    return error_page(request, 409, LAST_ADMINISTRATOR_STAYS, _("The last administrator cannot be removed"))
