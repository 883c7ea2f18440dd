"""A person of the organisation."""

import datetime
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, Index, String, func, true
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..db import Base
from ..db.base import utcnow

if TYPE_CHECKING:
    from ..posts.models import Post

ROLES = ("member", "editor", "admin")
NAME_LENGTH = 200
EMAIL_LENGTH = 320
OLDEST = 150


class User(Base):
    """A person: at least a name; with a password, somebody who can sign in."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    email: Mapped[str | None] = mapped_column(String(EMAIL_LENGTH))
    age: Mapped[int | None]
    role: Mapped[str] = mapped_column(String(20), default="member", server_default="member")
    active: Mapped[bool] = mapped_column(default=True, server_default=true())
    password_hash: Mapped[str | None] = mapped_column(String(255))
    version: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[datetime.datetime] = mapped_column(default=utcnow, server_default=func.now())
    updated_at: Mapped[datetime.datetime] = mapped_column(default=utcnow, onupdate=utcnow, server_default=func.now())

    posts: Mapped[list["Post"]] = relationship(
        back_populates="author", cascade="all, delete-orphan", order_by="Post.id.desc()"
    )

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        CheckConstraint(f"length(name) BETWEEN 1 AND {NAME_LENGTH}", name="name_length"),
        CheckConstraint(f"length(email) <= {EMAIL_LENGTH} AND email LIKE '_%@_%'", name="email_form"),
        CheckConstraint(f"age BETWEEN 0 AND {OLDEST} AND age = CAST(age AS INTEGER)", name="age_range"),
        CheckConstraint(f"role IN {ROLES}", name="role_known"),
        # The id of a deleted user never comes back as somebody else's.
        {"sqlite_autoincrement": True},
    )


# Unique without regard to case; the form's own rule keeps addresses to ASCII, where lower() is the same everywhere.
Index("uq_users_email", func.lower(User.email), unique=True)
# The order of the list: by name without regard to case, unambiguous also among namesakes.
BY_NAME = (func.lower(User.name, type_=User.name.type), User.id)
Index("ix_users_name", *BY_NAME)
