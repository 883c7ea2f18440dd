"""A user of the wiki."""

from sqlalchemy.orm import Mapped, mapped_column

from .meta import Base


class User(Base):
    """Somebody who writes pages."""

    __tablename__ = "wiki_users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
