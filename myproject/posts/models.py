"""The posts that users write."""

import datetime

from pyramid.authorization import Allow
from sqlalchemy import CheckConstraint, ForeignKey, String, Text, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..db import Base
from ..db.base import utcnow
from ..db.version import Version, keep_version
from ..security import SITE_ACL
from ..users.models import User

TITLE_LENGTH = 200
BODY_LENGTH = 20_000


class Post(Base):
    """A title and a body by one author. It is deleted with its author.

    `author` is `None` only after another program has deleted the user with foreign keys off.
    """

    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(TITLE_LENGTH))
    body: Mapped[str] = mapped_column(Text)
    author_id: Mapped[int] = mapped_column(ForeignKey(User.id), index=True)
    version: Mapped[Version]
    created_at: Mapped[datetime.datetime] = mapped_column(default=utcnow, server_default=func.now())
    updated_at: Mapped[datetime.datetime] = mapped_column(default=utcnow, onupdate=utcnow, server_default=func.now())

    author: Mapped[User | None] = relationship(back_populates="posts")

    def __acl__(self) -> list[tuple[str, str, list[str]]]:
        """Return the permissions on the post: its author may edit and delete it, as an editor may."""
        return [*SITE_ACL, (Allow, f"user:{self.author_id}", ["edit", "delete"])]

    __table_args__ = (
        CheckConstraint(f"length(title) BETWEEN 1 AND {TITLE_LENGTH}", name="title_length"),
        CheckConstraint(f"length(body) BETWEEN 1 AND {BODY_LENGTH}", name="body_length"),
        {"sqlite_autoincrement": True},
    )


keep_version(Post)
