"""Every model in one place, for scripts, migrations and the shell."""

from .db import Base
from .posts.models import Post
from .receipts import Receipt
from .users.models import User

__all__ = ["Base", "Post", "Receipt", "User"]
