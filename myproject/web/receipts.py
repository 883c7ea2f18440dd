"""Applies a form once even if it is sent twice: by a double click, by going back, or because an answer was lost.

Each form carries a random token. The request that applies the form stores a Receipt in the same transaction: the token,
a digest of what was sent, and the page that its answer redirected to. The same content under the same token again is
answered by the same redirect and writes nothing. Other content, as of a form gone back to and changed, is not applied
either: the view shows the form again as it was submitted, with a new token and status 409.
"""

import datetime
import hashlib
import hmac
import random
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPConflict, HTTPNotFound, HTTPSeeOther
from pyramid.registry import Registry
from pyramid.response import Response
from pyramid_retry import mark_error_retryable
from sqlalchemy import String, Text, bindparam, delete, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from ..db import Base, read_rows, to_id
from ..db.base import limit_lengths, utcnow
from .flash import flash
from .i18n import _
from .keyed import keyed_digest
from .limits import is_readable_form
from .paths import without_query
from .request import Handler, Request

RECEIPT_LIFETIME = datetime.timedelta(days=1)
# The share of forms after which expired receipts are deleted.
CLEANUP_PROBABILITY = 1 / 100
TOKEN_FIELD = "form_token"  # nosec B105
# Fields that differ each time the same content is sent.
TOKEN_FIELDS = {TOKEN_FIELD, "csrf_token"}
TOKEN_LENGTH, DIGEST_LENGTH, LOCATION_LENGTH = 32, 64, 500

Record = TypeVar("Record", bound=Base)


class Receipt(Base):
    """The token of a form that was applied, a keyed digest of its content, and the path that its answer led to.

    The path has no query, which could hold what somebody searched for.
    """

    __tablename__ = "receipts"
    __is_bookkeeping__ = True

    token: Mapped[str] = mapped_column(String(TOKEN_LENGTH), primary_key=True)
    location: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime.datetime] = mapped_column(default=utcnow, index=True)
    digest: Mapped[str] = mapped_column(String(DIGEST_LENGTH), server_default=text("''"))

    __table_args__ = (limit_lengths(token=TOKEN_LENGTH, digest=DIGEST_LENGTH, location=LOCATION_LENGTH),)


# The row is always there.
STORE_LOCATION = text(
    "INSERT INTO receipts (token, location, created_at, digest) VALUES (:token, :location, :created_at, :digest)"
    " ON CONFLICT (token) DO UPDATE SET location = excluded.location"
).bindparams(bindparam("created_at", type_=Receipt.__table__.c.created_at.type))


def includeme(config: Configurator) -> None:
    """Apply every form with a `form_token` at most once, and let templates make tokens."""
    config.add_request_method(form_token, property=True)
    deriver: Any = receipt_view
    deriver.options = ("receipt",)
    config.add_view_deriver(deriver, under="csrf_view", over="rendered_view")


def receipt_view(view: Callable[..., Response], info: Any) -> Callable[..., Response]:
    """Apply a form once: a view deriver.

    By default a view keeps receipts of people who are signed in. With `receipt=True` it also keeps those of strangers:
    for views that only apply a form with a secret in it. With `receipt=False` it keeps none: for views that may run
    twice without harm, and then do not wait for SQLite's write lock.
    """
    option = info.options.get("receipt")
    if info.exception_only or option is False:
        return view

    def wrapped(context: Any, request: Request) -> Response:
        token = token_of(request)
        if token is None or not (option or request.identity):
            return view(context, request)
        return apply_once(view, context, request, Receipt(token=token, digest=digest_of(request), location=""))

    return wrapped


def apply_once(view: Callable[..., Response], context: Any, request: Request, receipt: Receipt) -> Response:
    """Return the answer of `view`, whose form is applied only if there is no receipt with its token.

    The receipt is inserted first, and not looked up: on PostgreSQL, two transactions that look for rows that are not
    there conflict, although their forms have nothing to do with each other.
    """
    try:
        with request.dbsession.begin_nested():
            request.dbsession.add(receipt)
    except IntegrityError as error:
        # If the other request committed after this one began, only another attempt can see its receipt.
        mark_error_retryable(error)
        earlier = request.dbsession.get(Receipt, receipt.token)
        if earlier is None:
            raise
        if hmac.compare_digest(earlier.digest, receipt.digest):
            return answer_again(request, earlier.location)
        return refuse_other_content(view, context, request, earlier.location)
    response = view(context, request)
    if response.status_int != 303:
        request.dbsession.delete(receipt)
        return response
    store_location(request.dbsession, receipt, without_query(response.location))
    if random.random() < CLEANUP_PROBABILITY:  # nosec B311
        delete_expired_receipts(request)
    return response


def store_location(dbsession: Session, receipt: Receipt, location: str) -> None:
    """Write where the answer leads into the row of the receipt, without looking for it.

    On PostgreSQL, an UPDATE would read the page of the index to which others add their receipts: of two forms at the
    same time one would fail, and a long one among many short ones each time that it is tried again.
    """
    row = {"token": receipt.token, "location": location, "created_at": receipt.created_at, "digest": receipt.digest}
    dbsession.execute(STORE_LOCATION, row)


def refuse_other_content(view: Callable[..., Response], context: Any, request: Request, location: str) -> Response:
    """Let the view show the form again; every `Form` is invalid now. A view that writes all the same is refused."""
    request.earlier_location = location
    response = view(context, request)
    if response.status_int < 400:
        raise HTTPConflict()
    return response


def earlier_record(request: Request, model: type[Record], route: str) -> Record | None:
    """Return the `model` that the form added when it was applied with other content, by the `route` of its page.

    `None` if the form was not applied before, or led elsewhere, or if the record is gone or closed to the person.
    """
    record_id = to_id((request.earlier_location or "").rpartition("/")[2])
    if record_id is None or request.route_path(route, id=record_id) != request.earlier_location:
        return None
    record = request.dbsession.get(model, record_id)
    return record if request.has_permission("edit", record) else None


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
            done = select(Receipt.location).where(Receipt.token == token, Receipt.digest == digest_of(request))
            rows = read_rows(registry["dbsession_factory"], done)
            if not rows:
                raise
            return answer_again(request, rows[0][0])

    return deleted_already_tween


def form_token(request: Request) -> str:
    """Return the token for the form of this page: a new one, or that of a form that is filled in again (typed.py)."""
    submitted = request.submitted if request.is_restored else None
    return valid_token(submitted) or secrets.token_hex(16)


def token_of(request: Request) -> str | None:
    """Return the token of the form that was sent, or `None`."""
    return valid_token(request.POST) if request.method == "POST" else None


def valid_token(fields: Mapping[str, str] | None) -> str | None:
    """Return the token among the fields of a form, or `None`."""
    token = (fields or {}).get(TOKEN_FIELD, "")
    return token if re.fullmatch("[0-9a-f]{32}", token) else None


def digest_of(request: Request) -> str:
    """Return a digest of the page and the fields that were sent, without the tokens: 64 hexadecimal digits.

    It is keyed, since a form may hold a password, which could be guessed from a plain digest.
    """
    fields = [(name, content_of(value)) for name, value in request.POST.items() if name not in TOKEN_FIELDS]
    return keyed_digest(request, "receipt", urlencode([("", request.path_here), *fields]))


def content_of(value: Any) -> str | bytes:
    """Return the text of a field, or the name and a digest of its file; the file stays at its beginning."""
    if not hasattr(value, "file"):
        return value
    digest = hashlib.file_digest(value.file, "sha256").hexdigest()
    value.file.seek(0)
    return f"{value.filename}/{digest}"


def answer_again(request: Request, location: str) -> HTTPSeeOther:
    """Return the redirect to `location`, where the same form led when it was applied."""
    if request.known_identity:
        # For others it may be the sign-in form: a message would bring back the session cookie of before.
        flash(request, _("This was already done."))
    return HTTPSeeOther(location)
