"""The pages of signing in and out."""

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.security import NO_PERMISSION_REQUIRED
from pyramid.view import forbidden_view_config, view_config
from sqlalchemy import delete, func, select, update

from ..db import read_rows
from ..users.models import User
from ..web.errors import error_page
from ..web.events import log_event
from ..web.flash import flash
from ..web.i18n import _
from ..web.paths import is_own_path
from . import guessing
from .forms import SignInForm
from .identity import begin
from .models import SignIn, anybody_can_sign_in

SIGN_IN = {"route_name": "signin", "permission": NO_PERMISSION_REQUIRED, "renderer": "signin/signin.jinja2"}
SIGN_OUT = {"route_name": "signout", "permission": NO_PERMISSION_REQUIRED, "renderer": "signin/signout.jinja2"}


@forbidden_view_config(renderer="errors/error.jinja2")
def forbidden(error, request):
    """Ask who is not signed in to sign in; tell who is that they may not."""
    if request.known_identity is None:
        return HTTPSeeOther(request.route_path("signin", _query={"next": request.path_here}))
    log_event(request, "refused", method=request.method, path=request.path_here)
    return error_page(request, 403)


@view_config(**SIGN_IN, request_method="GET")
def ask(request):
    """Ask who is there; on a new site, lead to the page of the first administrator."""
    if request.identity:
        return HTTPSeeOther(next_page(request, request.GET.get("next", "")))
    if not anybody_can_sign_in(request.dbsession):
        return HTTPSeeOther(request.route_path("setup"))
    return {"form": SignInForm(request, next=request.GET.get("next", ""))}


@view_config(**SIGN_IN, request_method="POST")
def sign_in(request):
    """Sign in, or say that it was not right: what was not, nobody learns, not by the time it takes either."""
    form = SignInForm(request)
    if not form.validate():
        return form.invalid(request)
    wait = guessing.seconds_to_wait(request, form.email.data)
    if wait:
        return too_many_tries(request, form, wait)
    user = user_of(request, form.email.data, form.password.data)
    if user is None:
        guessing.count(request, form.email.data)
        form.password.errors = [_("The email or the password is not right.")]
        return form.invalid(request)
    begin(request, user)
    return HTTPSeeOther(next_page(request, form.next.data))


def too_many_tries(request, form, wait):
    """Return the form with 429, and when to try again."""
    log_event(request, "sign-in held up", account=guessing.account_key(request, form.email.data)[:16], seconds=wait)
    form.password.errors = [_("There were too many tries. Please wait for ${wait} seconds.", mapping={"wait": wait})]
    request.response.status_int = 429
    request.response.retry_after = wait
    return {"form": form}


def user_of(request, email, password):
    """Return the active User with this email and password, or `None`; in both cases one hash is computed.

    Outside the request's transaction, which on SQLite would have everybody's writes wait for the hash.
    """
    hasher = request.registry["hasher"]
    query = select(User.id, User.password_hash).where(func.lower(User.email) == email.lower(), User.active)
    found = read_rows(request.registry["dbsession_factory"], query)
    user_id, known = found[0] if found else (None, None)
    if not hasher.verify(password, known):
        return None
    better = hasher.hash(password) if hasher.needs_rehash(known) else known
    user = request.dbsession.get(User, user_id)
    if user is None or not user.active or user.password_hash != known:
        return None
    if better != known:
        # Not through the model: the password is the same, and so are those who are signed in with it.
        same = {"password_hash": better, "updated_at": User.updated_at}
        request.dbsession.execute(update(User).where(User.id == user.id).values(same))
    return user


def next_page(request, path):
    """Return `path` if it is one of this site, or else the first page."""
    return path if path and is_own_path(request, path) else request.route_path("home")


@view_config(**SIGN_OUT, request_method="GET")
def ask_to_sign_out(request):
    """Ask before signing out: a link of somebody else's could lead here."""
    return {} if request.identity else HTTPSeeOther(request.route_path("signin"))


@view_config(**SIGN_OUT, request_method="POST")
def sign_out(request):
    """End this sign-in."""
    if request.identity:
        request.dbsession.execute(delete(SignIn).where(SignIn.id == request.identity.sign_in))
        request.after_commit(log_event, request, "signed out")
    request.session.invalidate()
    flash(request, _("You have signed out."))
    # Nobody who comes after gets a page to see by going back.
    return HTTPSeeOther(request.route_path("signin"), headers=[("Clear-Site-Data", '"cache"')])
