"""All posts of the list as CSV: `/posts/export.csv`."""

from collections.abc import Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from pyramid.response import Response
from pyramid.view import view_config
from sqlalchemy import ColumnElement, select

from ..db import stream_pages
from ..users.models import User
from ..web.csv import defuse
from ..web.exports import csv_response, write_moment
from ..web.request import Request
from .listing import author_in_query, written_by
from .models import Post

COLUMNS = ("title", "body", "author", "email", "written")
# Even the longest posts of a page take a few megabytes only.
PAGE_SIZE = 100


@view_config(route_name="posts.export", request_method="GET", permission="export")
def export(request: Request) -> Response:
    """Send all posts of the list that the address asks for, the newest first."""
    pages = stream_cells(request, request.time_zone, written_by(author_in_query(request)))
    return csv_response(request, "posts", COLUMNS, pages)


def stream_cells(
    request: Request, zone: ZoneInfo, conditions: Sequence[ColumnElement[bool]]
) -> Iterator[Sequence[Sequence[Any]]]:
    """Yield the posts that meet the conditions in pages: lists of rows with the cells of COLUMNS, moments in `zone`."""
    columns = Post.title, Post.body, Post.created_at, User.name, User.email, User.active
    query = select(*columns).outerjoin(Post.author).where(*conditions)
    for page in stream_pages(request.registry["dbsession_factory"], query, [Post.id], PAGE_SIZE, descending=True):
        yield [
            (
                defuse(post.title),
                defuse(post.body),
                # Another program may have deleted the author without the post.
                post.name and defuse(request.name_of(post)),
                post.email and defuse(post.email),
                write_moment(post.created_at, zone),
            )
            for post in page
        ]
