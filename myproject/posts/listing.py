"""Which posts the list shows: all of them, or with `?author=7` those of one person."""

from collections.abc import Sequence

from pyramid.httpexceptions import HTTPNotFound
from sqlalchemy import ColumnElement

from ..db import to_id
from ..users.models import User
from ..web.request import Request
from .models import Post


def author_in_query(request: Request) -> User | None:
    """Return the user whose posts the address asks for, or `None` for all posts. Raises `HTTPNotFound`."""
    if "author" not in request.GET:
        return None
    author_id = to_id(request.GET["author"])
    author = request.dbsession.get(User, author_id) if author_id is not None else None
    if author is None:
        raise HTTPNotFound()
    return author


def written_by(author: User | None) -> Sequence[ColumnElement[bool]]:
    """Return the condition that a post is one of `author`, or none for all posts."""
    return [] if author is None else [Post.author_id == author.id]
