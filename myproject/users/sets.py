"""What the verbs of `User` do to one user, done to many by a few statements, however many they are.

`people` is a select of ids. The rules are those of the verbs: a change of role or activity ends sign-ins, and posts and
saved views are deleted with their user. The caller leaves out whom the database would keep: the last administrator.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, Integer, MetaData, Select, Table, delete, or_, select, text, update
from sqlalchemy.orm import Session

from ..db.temporary import filled
from .models import User, end_sign_ins

users = User.metadata.tables["users"]
# The users of `delete_users`: its first statement may change what selects them.
FIXED = Table("users_fixed", MetaData(), Column("id", Integer, primary_key=True), prefixes=["TEMPORARY"])


def lock_users(dbsession: Session) -> None:
    """Keep all others from writing users until the transaction ends, so that none of them makes it fail.

    Call it as early as possible, where it can be before `announce`: what others have written between the transaction's
    first query and the lock does make it fail on PostgreSQL, and it is tried again. On SQLite, the connection of a
    transaction that may write has the lock.
    """
    connection = dbsession.connection()
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE"))


def change_users(
    dbsession: Session, people: Select[int], values: Mapping[str, Any], *, keep_sign_in: int | None = None
) -> None:
    """Set columns of these users to `values`, as `User.change` does.

    Users whose role or activity changes are signed out everywhere except in the sign-in with the id `keep_sign_in`.
    """
    dbsession.flush()
    differs = [users.c[name] != values[name] for name in ("role", "active") if name in values]
    if differs:
        changed = select(users.c.id).where(users.c.id.in_(people), or_(*differs))
        end_sign_ins(dbsession, changed, keep=keep_sign_in)
    dbsession.execute(update(users).where(users.c.id.in_(people)).values(**values))
    dbsession.expire_all()


def delete_users(dbsession: Session, people: Select[int]) -> None:
    """Delete these users with their posts, as `User.delete` does."""
    dbsession.flush()
    posts = User.metadata.tables["posts"]
    with filled(dbsession, FIXED, people) as fixed:
        ids = select(fixed.c.id)
        # The cascade of the table would delete them too, but for each user by a statement of its own.
        dbsession.execute(delete(posts).where(posts.c.author_id.in_(ids)))
        dbsession.execute(delete(users).where(users.c.id.in_(ids)))
    dbsession.expire_all()
