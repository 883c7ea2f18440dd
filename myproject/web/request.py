"""The class of the requests, with the attributes that the includes add."""

import datetime
import uuid
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyramid.request
from markupsafe import Markup
from pyramid.config import Configurator
from pyramid.i18n import TranslationString
from pyramid.response import Response
from sqlalchemy.orm import Session
from transaction import TransactionManager
from webob.multidict import MultiDict
from wtforms import Field

from ..db.outcome import Outcome

if TYPE_CHECKING:
    from ..signin.identity import Identity
    from ..signin.models import PasswordLink
    from ..users.models import User
    from .flash import Message

REQUEST_ID_KEY = "myproject.request_id"


class Request(pyramid.request.Request):
    """Pyramid's request. The annotations declare, for editors and mypy, what `add_request_method` adds elsewhere."""

    # Added by myproject.db.
    dbsession: Session
    tm: TransactionManager
    after_commit: Callable[..., None]
    in_own_transaction: Callable[[Callable[[Session], Any]], None]
    after_answer: Callable[[Callable[[Session], Any]], None]
    outcome: Outcome
    # Set by myproject.web: flash.py, receipts.py, typed.py, lost.py.
    message: str | None = None
    earlier_location: str | None = None
    is_restored: bool = False
    lost_changes: Sequence[tuple[Field, str]] = ()
    # Set by a view for which there is something to do if its page takes too long to read (errors.py).
    slow_advice: TranslationString | None = None
    # Added by myproject.web.
    id: str
    form_token: str
    shown_to: int | None
    path_here: str
    https_address: str | None
    languages: dict[str, str]
    time_zone: ZoneInfo
    pop_flash: "Callable[[], Message | None]"
    # Added by myproject.users.
    name_of: Callable[[Any], str]
    is_former_member: Callable[[Any], bool]
    # Added by myproject.history: who has saved a record last, as a sentence; the page that undoes a request.
    last_saved_by: Callable[[Any], Markup | None]
    undo_path_of: Callable[[str], str | None]
    # Added by myproject.signin.
    identity: "Identity | None"
    known_identity: "Identity | None"
    confirm: Callable[[str], bool]
    open_password_link: "Callable[[User], PasswordLink | None]"
    # Added by myproject.history.events.
    last_sign_ins: Callable[..., dict[int, datetime.datetime]]

    @cached_property
    def submitted(self) -> MultiDict | None:
        """Return the fields that the page's form is filled in from, or `None` for a form that nobody has filled in."""
        return self.POST if self.method == "POST" else None


# What a tween wraps: the next tween, or the router.
Handler = Callable[[Request], Response]


def includeme(config: Configurator) -> None:
    """Make it the class of every request, and give each one an `id`, by which the log can be searched."""
    config.set_request_factory(Request)
    config.add_request_method(request_id, "id", property=True)


def request_id(request: Request) -> str:
    """Return the id of a request, the same for each of its attempts."""
    if REQUEST_ID_KEY not in request.environ:
        request.environ[REQUEST_ID_KEY] = uuid.uuid4().hex
    return request.environ[REQUEST_ID_KEY]
