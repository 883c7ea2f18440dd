"""Every model in one place, with the triggers and indexes of its table, for scripts, migrations and the shell."""

from .db import Base
from .history import recording  # noqa: F401
from .history.events.models import SecurityEvent
from .history.models import Change, Entry
from .overview.models import StoredFigures
from .posts import triggers  # noqa: F401
from .posts.models import Post
from .signin import triggers as signin_triggers  # noqa: F401
from .signin.models import FailedSignIn, PasswordLink, SignIn
from .users import administrators  # noqa: F401
from .users.bulk.models import SelectedUser, Selection
from .users.imports.models import AppliedImport
from .users.listing import indexes  # noqa: F401
from .users.models import User
from .users.saved_views.models import SavedView
from .web.receipts import Receipt

__all__ = [
    "AppliedImport",
    "Base",
    "Change",
    "Entry",
    "FailedSignIn",
    "PasswordLink",
    "Post",
    "Receipt",
    "SavedView",
    "SecurityEvent",
    "SelectedUser",
    "Selection",
    "SignIn",
    "StoredFigures",
    "User",
]
