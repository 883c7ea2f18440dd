"""Every model in one place, for scripts, migrations and the shell."""

from .db import Base
from .posts.models import Post
from .receipts import Receipt
from .signin.models import FailedSignIn, PasswordLink, SignIn
from .users.models import User

__all__ = ["Base", "FailedSignIn", "PasswordLink", "Post", "Receipt", "SignIn", "User"]
