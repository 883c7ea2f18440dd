"""What editors and mypy know of a request: mypy reads this file, nothing runs it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, assert_type
from zoneinfo import ZoneInfo

from markupsafe import Markup
from pyramid.i18n import TranslationString
from sqlalchemy.orm import Session
from transaction import TransactionManager
from webob.multidict import MultiDict
from wtforms import Field

from myproject.db.outcome import Outcome
from myproject.models import PasswordLink, User
from myproject.signin.identity import Identity
from myproject.web.flash import Message
from myproject.web.request import Request


def attributes_have_types(request: Request) -> None:
    """Name each attribute that the includes add, with its type."""
    assert_type(request.dbsession, Session)
    assert_type(request.tm, TransactionManager)
    assert_type(request.after_commit, Callable[..., None])
    assert_type(request.in_own_transaction, Callable[[Callable[[Session], Any]], None])
    assert_type(request.after_answer, Callable[[Callable[[Session], Any]], None])
    assert_type(request.outcome, Outcome)
    assert_type(request.message, str | None)
    assert_type(request.earlier_location, str | None)
    assert_type(request.submitted, MultiDict | None)
    assert_type(request.shown_to, int | None)
    assert_type(request.is_restored, bool)
    assert_type(request.lost_changes, Sequence[tuple[Field, str]])
    assert_type(request.slow_advice, TranslationString | None)
    assert_type(request.time_zone, ZoneInfo)
    assert_type(request.id, str)
    assert_type(request.form_token, str)
    assert_type(request.path_here, str)
    assert_type(request.https_address, str | None)
    assert_type(request.languages, dict[str, str])
    assert_type(request.pop_flash(), Message | None)
    assert_type(request.name_of(User()), str)
    assert_type(request.is_former_member(User()), bool)
    assert_type(request.last_saved_by(User()), Markup | None)
    assert_type(request.undo_path_of("id of a request"), str | None)
    assert_type(request.last_sign_ins([1]), dict[int, datetime])
    assert_type(request.last_sign_ins([1], request.dbsession), dict[int, datetime])
    assert_type(request.identity, Identity | None)
    assert_type(request.known_identity, Identity | None)
    assert_type(request.confirm("password"), bool)
    assert_type(request.open_password_link(User()), PasswordLink | None)


def an_identity_has_types(request: Request) -> None:
    """Check that what is behind an attribute is known too, and that nobody may be signed in."""
    if request.identity is not None:
        assert_type(request.identity.id, int)
        assert_type(request.identity.role, str)
    request.identity.id  # type: ignore[union-attr]  # noqa: B018
