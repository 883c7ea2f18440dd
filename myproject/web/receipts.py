"""A form sent twice is done once: by a double click, by going back, or because the answer to the first was lost.

Each form carries a token of its own. The request that does what the form says stores the token in the same
transaction, and where it led; the same token again leads there, and does nothing.
"""

import datetime
import random
import re
import secrets

from pyramid.httpexceptions import HTTPNotFound, HTTPSeeOther
from pyramid_retry import mark_error_retryable
from sqlalchemy import String, Text, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Base, read_rows
from ..db.base import utcnow
from .flash import flash
from .i18n import _
from .limits import is_readable_form

KEPT = datetime.timedelta(days=1)
# One form in so many clears away the receipts that are older.
CLEANING = 1 / 100
FIELD = "form_token"


class Receipt(Base):
    """The token of a form that was done, and the page that its answer led to."""

    __tablename__ = "receipts"

    token: Mapped[str] = mapped_column(String(32), primary_key=True)
    location: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime.datetime] = mapped_column(default=utcnow, index=True)


def includeme(config):
    """Do every form that carries a `form_token` at most once, and let templates make one."""
    config.add_request_method(lambda request: secrets.token_hex(16), FIELD, property=True)
    config.add_view_deriver(do_once, under="csrf_view", over="rendered_view")


def do_once(view, info):
    """Answer a form that was done before by where it led then.

    The token is stored first, and not looked for: on PostgreSQL, a look for what is not there would make two forms that
    have nothing to do with each other lose a race.
    """
    if info.exception_only or not info.options.get("receipt", True):
        return view

    def wrapped(context, request):
        token = token_of(request)
        if token is None:
            return view(context, request)
        receipt = Receipt(token=token, location=request.path_here)
        try:
            with request.dbsession.begin_nested():
                request.dbsession.add(receipt)
        except IntegrityError as error:
            # Where it was done only just now, another attempt finds it.
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
        if random.random() < CLEANING:  # nosec B311
            request.in_own_transaction(
                lambda dbsession: dbsession.execute(delete(Receipt).where(Receipt.created_at < utcnow() - KEPT))
            )
        return response

    return wrapped


# A view with `receipt=False` may be done twice without harm, and does not wait for SQLite's write lock.
do_once.options = ("receipt",)  # type: ignore[attr-defined]


def deleted_already_tween_factory(handler, registry):
    """Answer a form by where it led before, also where the row of its URL has gone: it was the one that deleted it."""

    def deleted_already_tween(request):
        try:
            return handler(request)
        except HTTPNotFound:
            # Only where the row is missing: a view that finds nothing has a receipt of its own, which is to abort. And
            # what no view has seen, none of its checks has seen either.
            is_row_missing = request.matched_route and not hasattr(request, "context")
            token = token_of(request) if is_row_missing and is_readable_form(request) else None
            if token is None:
                raise
            # Read apart from the request's transaction: strangers come here too, and shall not wait for its lock.
            location = read_rows(registry["dbsession_factory"], select(Receipt.location).where(Receipt.token == token))
            if not location:
                raise
            return answer_again(request, location[0][0])

    return deleted_already_tween


def token_of(request):
    """Return the token of the form sent, or `None`."""
    token = request.POST.get(FIELD, "") if request.method == "POST" else ""
    return token if re.fullmatch("[0-9a-f]{32}", token) else None


def answer_again(request, location):
    """Return the answer to a form that was done before, and that led to `location` then."""
    if request.known_identity:
        # Else it may have been the form by which they signed in: the message would bring the cookie of before back.
        flash(request, _("This was saved already."))
    return HTTPSeeOther(location)
