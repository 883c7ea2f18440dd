"""A page of the wiki."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .meta import Base
from .user import User


class Page(Base):
    """Text under a name, by the user who wrote it first."""

    __tablename__ = "wiki_pages"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    text: Mapped[str]
    creator_id: Mapped[int] = mapped_column(ForeignKey(User.id))
    creator: Mapped[User] = relationship()
