"""Applies a form once even if it is sent twice: by a double click, by going back, or because an answer was lost.

Each form carries a random token. The request that applies the form stores a Receipt in the same transaction: the token
and the page that its answer redirected to. The same token again is answered by the same redirect and writes nothing.
"""

import datetime
import random
import re
import secrets
from collections.abc import Callable
from typing import Any

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPNotFound, HTTPSeeOther
from pyramid.registry import Registry
from pyramid.response import Response
from pyramid_retry import mark_error_retryable
from sqlalchemy import String, Text, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Base, read_rows
from ..db.base import utcnow
from .flash import flash
from .i18n import _
from .limits import is_readable_form
from .request import Handler, Request

RECEIPT_LIFETIME = datetime.timedelta(days=1)
# The share of forms after which expired receipts are deleted.
CLEANUP_PROBABILITY = 1 / 100
TOKEN_FIELD = "form_token"  # nosec B105


class Receipt(Base):
    """The token of a form that was applied, and the page that its answer redirected to."""

    __tablename__ = "receipts"

    token: Mapped[str] = mapped_column(String(32), primary_key=True)
    location: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime.datetime] = mapped_column(default=utcnow, index=True)


def includeme(config: Configurator) -> None:
    """Apply every form with a `form_token` at most once, and let templates make tokens."""
    config.add_request_method(lambda request: secrets.token_hex(16), TOKEN_FIELD, property=True)
    deriver: Any = receipt_view
    # A view with `receipt=False` may run twice without harm; it does not wait for SQLite's write lock.
    deriver.options = ("receipt",)
    config.add_view_deriver(deriver, under="csrf_view", over="rendered_view")


def receipt_view(view: Callable[..., Response], info: Any) -> Callable[..., Response]:
    """Answer a form that was applied before by the redirect of then: a view deriver.

    The receipt is inserted first, and not looked up: on PostgreSQL, two transactions that look for rows that are not
    there conflict, although their forms have nothing to do with each other.
    """
    if info.exception_only or not info.options.get("receipt", True):
        return view

    def wrapped(context: Any, request: Request) -> Response:
        token = token_of(request)
        if token is None:
            return view(context, request)
        receipt = Receipt(token=token, location=request.path_here)
        try:
            with request.dbsession.begin_nested():
                request.dbsession.add(receipt)
        except IntegrityError as error:
            # If the other request committed after this one began, only another attempt can see its receipt.
            mark_error_retryable(error)
            done = request.dbsession.get(Receipt, token)
            if done is None:
                raise
            return answer_again(request, done.location)
        response = view(context, request)
        if response.status_int != 303:
            request.dbsession.delete(receipt)
            return response
        receipt.location = response.location
        if random.random() < CLEANUP_PROBABILITY:  # nosec B311
            delete_expired_receipts(request)
        return response

    return wrapped


def delete_expired_receipts(request: Request) -> None:
    """Delete the receipts older than `RECEIPT_LIFETIME`, after this request's transaction."""
    expired = delete(Receipt).where(Receipt.created_at < utcnow() - RECEIPT_LIFETIME)
    request.in_own_transaction(lambda dbsession: dbsession.execute(expired))


def deleted_already_tween_factory(handler: Handler, registry: Registry) -> Handler:
    """Answer a form again although the row of its URL is missing: the form itself may have deleted it."""

    def deleted_already_tween(request: Request) -> Response:
        try:
            return handler(request)
        except HTTPNotFound:
            # Only if the row is missing and the view did not run: a view that raises 404 has stored a receipt, which
            # its abort removes. No check of the view has run either, so the body is checked here.
            is_row_missing = request.matched_route and not hasattr(request, "context")
            token = token_of(request) if is_row_missing and is_readable_form(request) else None
            if token is None:
                raise
            # In a transaction of its own: strangers come here too and must not wait for SQLite's write lock.
            location = read_rows(registry["dbsession_factory"], select(Receipt.location).where(Receipt.token == token))
            if not location:
                raise
            return answer_again(request, location[0][0])

    return deleted_already_tween


def token_of(request: Request) -> str | None:
    """Return the token of the form that was sent, or `None`."""
    token = request.POST.get(TOKEN_FIELD, "") if request.method == "POST" else ""
    return token if re.fullmatch("[0-9a-f]{32}", token) else None


def answer_again(request: Request, location: str) -> HTTPSeeOther:
    """Return the redirect to `location`, where the same form led when it was applied."""
    if request.known_identity:
        # For others it may be the sign-in form: a message would bring back the session cookie of before.
        flash(request, _("This was already done."))
    return HTTPSeeOther(location)
