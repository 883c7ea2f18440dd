"""What is deleted with a user: their posts and saved views, and how the pages name it without loading it."""

import re
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from .models import User

# Titles of posts on the page of a user, and on the one that asks before they are deleted.
MOST_TITLES = 10


class Summary(NamedTuple):
    """The rows of one kind: how many, the newest one's id, and by the sums of ids and versions whether any changed."""

    number: int = 0
    newest: int = 0
    ids: int = 0
    versions: int = 0


class Belongings(NamedTuple):
    """A user's version, and what is deleted with them: summaries, and the versions of the posts that a page names.

    As text, it is what a page named.
    """

    version: int
    posts: Summary
    saved_views: Summary
    versions_of_posts: Mapping[int, int]

    def __str__(self) -> str:
        numbers = [self.version, *self.posts, *self.saved_views, *chain(*self.versions_of_posts.items())]
        return ".".join(map(str, numbers))

    @classmethod
    def parse(cls, text: str) -> "Belongings | None":
        """Return the Belongings that the text says, or `None`."""
        if not re.fullmatch(rf"[0-9]{{1,18}}(\.[0-9]{{1,18}}){{8,{8 + 2 * MOST_TITLES}}}", text):
            return None
        version, *numbers = map(int, text.split("."))
        posts_named = dict(zip(numbers[8::2], numbers[9::2], strict=False))
        return cls(version, Summary(*numbers[:4]), Summary(*numbers[4:8]), posts_named)


def belongings_of(dbsession: Session, user: User, posts_named: Sequence[Any]) -> Belongings:
    """Return what would be deleted with the user now; `posts_named` are the posts that the page names."""
    posts = summarise(dbsession, "posts", "author_id", user)
    saved_views = summarise(dbsession, "saved_views", "user_id", user)
    return Belongings(user.version, posts, saved_views, {post.id: post.version for post in posts_named})


def summarise(dbsession: Session, table_name: str, owner: str, user: User) -> Summary:
    """Return the Summary of the rows whose column `owner` names the user."""
    # The tables of posts and saved views are named by string: both features import this one.
    table = User.metadata.tables[table_name]
    sums: list[ColumnElement[Any]] = [func.max(table.c.id), func.sum(table.c.id), func.sum(table.c.version)]
    query = select(func.count(), *(func.coalesce(each, 0) for each in sums)).where(table.c[owner] == user.id)
    return Summary(*map(int, dbsession.execute(query).one()))


def newest_posts(dbsession: Session, user: User, most: int) -> Sequence[Any]:
    """Return the id, title, day and version of the user's newest posts, at most `most`."""
    posts = User.metadata.tables["posts"]
    columns = posts.c.id, posts.c.title, posts.c.created_at, posts.c.version
    query = select(*columns).where(posts.c.author_id == user.id)
    return dbsession.execute(query.order_by(posts.c.id.desc()).limit(most)).all()


def count_posts(dbsession: Session, user: User) -> int:
    """Return how many posts the user has written."""
    posts = User.metadata.tables["posts"]
    return dbsession.execute(select(func.count()).where(posts.c.author_id == user.id)).scalar_one()
