"""Every model in one place, with the triggers and indexes of its table, for scripts, migrations and the shell."""

from .db import Base
from .posts import triggers  # noqa: F401
from .posts.models import Post
from .receipts import Receipt
from .signin.models import FailedSignIn, PasswordLink, SignIn
from .users import indexes  # noqa: F401
from .users.models import User
from .users.saved_views import SavedView

__all__ = ["Base", "FailedSignIn", "PasswordLink", "Post", "Receipt", "SavedView", "SignIn", "User"]
