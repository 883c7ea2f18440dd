"""The base of the wiki's models."""

from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """The base of the wiki's models."""
