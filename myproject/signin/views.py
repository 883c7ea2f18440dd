"""The pages on which people sign in and out."""

from typing import Any

from pyramid.httpexceptions import HTTPForbidden, HTTPSeeOther
from pyramid.renderers import render_to_response
from pyramid.response import Response
from pyramid.security import NO_PERMISSION_REQUIRED
from pyramid.view import forbidden_view_config, view_config
from sqlalchemy import func, select, update

from ..db import read_rows
from ..users.models import User
from ..web.carried import carry
from ..web.errors import error_page, page_with_changes
from ..web.events import name_page, report_refusal
from ..web.flash import flash, forward
from ..web.i18n import _
from ..web.limits import MAX_BODY_BYTES
from ..web.paths import is_own_path
from ..web.request import Request
from ..web.routes import path_of_form
from ..web.rules import UNSEEN
from ..web.typed import read_typed
from . import guessing
from .forms import SignInForm
from .hashing import hash_password, verify_password
from .identity import EMAIL_KEY, Identity, end_sign_in, start_sign_in
from .models import can_anybody_sign_in

SIGN_IN_PAGE = {"route_name": "signin", "permission": NO_PERMISSION_REQUIRED, "renderer": "signin/signin.jinja2"}
SIGN_OUT_PAGE = {"route_name": "signout", "permission": NO_PERMISSION_REQUIRED, "renderer": "signin/signout.jinja2"}
WRONG = _("Wrong email or password. Try again.")
WITH_INVISIBLE = _(
    "Wrong email or password. The password contains an invisible character, perhaps because it was copied. Type it"
    " instead."
)


@forbidden_view_config(renderer="errors/error.jinja2")
def forbidden(error: HTTPForbidden, request: Request) -> dict[str, Any] | Response:
    """Ask people who are not signed in to sign in; answer 403 to others."""
    if request.known_identity is None:
        return ask_to_sign_in(request)
    report_refusal(request, "refused", page=name_page(request))
    return page_with_changes(request, 403)


def ask_to_sign_in(request: Request) -> dict[str, Any] | Response:
    """Redirect to `/signin`, or show it here if the request is a form, to keep what the person has typed.

    A form that is too long for that is answered by 413: going back keeps its text, a redirect would lose it.
    """
    page, typed = path_of_form(request), read_typed(request)
    text = carry(request, typed) if typed and typed.has_entries else ""
    if text is None or (request.content_length or 0) > MAX_BODY_BYTES:
        return error_page(request, 413)
    if not text:
        # With the message for this page: a person who has deleted their own record is told here.
        return forward(request, request.route_path("signin", _query={"next": page}))
    # The page's own form is another one than the form that was sent.
    request.submitted = None
    form = sign_in_form(request, next=page, typed=text)
    response = render_to_response("signin/signin.jinja2", {"form": form}, request=request)
    response.status_int = 403
    return response


@view_config(**SIGN_IN_PAGE, request_method="GET")
def show_sign_in(request: Request) -> dict[str, Any] | HTTPSeeOther:
    """Ask for email and password; on a new site, redirect to `/setup`."""
    form = sign_in_form(request, next=request.GET.get("next", ""), email=request.session.get(EMAIL_KEY))
    if request.identity:
        return go_on(request, form, request.identity)
    if not can_anybody_sign_in(request.dbsession):
        return HTTPSeeOther(request.route_path("setup"))
    return {"form": form}


@view_config(**SIGN_IN_PAGE, request_method="POST", receipt=False)
def sign_in(request: Request) -> dict[str, Any] | HTTPSeeOther:
    """Sign in. The error does not reveal whether the email or the password was wrong; neither does the response time.

    Without a receipt, which would take SQLite's write lock before the password is verified.
    """
    form = sign_in_form(request)
    if not form.validate():
        return form.invalid(request)
    email, password = form.email.data or "", form.password.data or ""
    seconds = guessing.seconds_to_wait(request, email)
    if seconds:
        return too_many_attempts(request, form, seconds)
    user = authenticate(request, email, password)
    if user is None:
        guessing.count_failed_attempt(request, email)
        form.password.errors = [WITH_INVISIBLE if UNSEEN.search(password) else WRONG]
        return form.invalid(request)
    start_sign_in(request, user)
    return go_on(request, form, user)


def sign_in_form(request: Request, **values: Any) -> SignInForm:
    """Return the form; a page that carries another form is marked as shown to the person whose form that is."""
    form = SignInForm(request, **values)
    if form.carried is not None:
        request.shown_to = form.carried.person
    return form


def go_on(request: Request, form: SignInForm, user: User | Identity) -> dict[str, Any] | HTTPSeeOther:
    """Redirect to the page that was asked for; if a form of `user` was refused there, offer to go back to it."""
    page = next_page(request, form.next.data or "")
    if form.carried is not None and form.carried.person == user.id:
        request.shown_to = user.id
        return {"form": form, "page": page, "signed_in": user}
    if form.carries_entries:
        flash(request, _("Somebody else was signed in before. Their entries were not saved and are not kept."))
    return HTTPSeeOther(page)


def too_many_attempts(request: Request, form: SignInForm, seconds: int) -> dict[str, Any]:
    """Return the form for an answer with status 429 that says in how many seconds to try again."""
    email = form.email.data or ""
    account = guessing.account_key(request, email)[:16]
    report_refusal(request, "sign-in held up", email=email, account=account, seconds=seconds)
    form.password.errors = [_("Too many attempts. Try again in ${wait} seconds.", mapping={"wait": seconds})]
    request.response.status_int = 429
    request.response.retry_after = seconds
    return {"form": form}


def authenticate(request: Request, email: str, password: str) -> User | None:
    """Return the active User with this email and password, or `None`; one hash is computed in either case.

    It is computed before the request's transaction (hashing.py). The stored hash may have changed since, so it is
    compared again in the transaction. A hash with outdated parameters is replaced.
    """
    query = select(User.id, User.password_hash).where(func.lower(User.email) == email.lower(), User.active)
    rows = read_rows(request.registry["dbsession_factory"], query)
    user_id, stored_hash = rows[0] if rows else (None, None)
    if not verify_password(request, password, stored_hash):
        return None
    is_outdated = request.registry["hasher"].needs_rehash(stored_hash)
    new_hash = hash_password(request, password) if is_outdated else stored_hash
    user = request.dbsession.get(User, user_id)
    if user is None or not user.active or user.password_hash != stored_hash:
        return None
    if is_outdated:
        # Not through the model: the password is the same, so the user's sign-ins and the record's version stay.
        values = {"password_hash": new_hash, "updated_at": User.updated_at}
        request.dbsession.execute(update(User).where(User.id == user.id).values(values))
    return user


def next_page(request: Request, path: str) -> str:
    """Return `path` if it is a path of this site, and the path of the first page otherwise."""
    return path if path and is_own_path(request, path) else request.route_path("home")


@view_config(**SIGN_OUT_PAGE, request_method="GET")
def show_sign_out(request: Request) -> dict[str, Any] | HTTPSeeOther:
    """Ask before signing out, since a link on another site could lead here."""
    return {} if request.identity else HTTPSeeOther(request.route_path("signin"))


@view_config(**SIGN_OUT_PAGE, request_method="POST", receipt=False)
def sign_out(request: Request) -> HTTPSeeOther:
    """End this sign-in."""
    end_sign_in(request)
    flash(request, _("You have signed out."))
    return HTTPSeeOther(request.route_path("signin"))
