"""A person of the organisation."""

import datetime
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from pyramid.authorization import Allow
from sqlalchemy import (
    CheckConstraint,
    Index,
    String,
    Text,
    and_,
    delete,
    event,
    false,
    func,
    inspect,
    literal_column,
    select,
    text,
    true,
)
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Mapped, Session, mapped_column, object_session, relationship

from ..db import Base
from ..db.base import utcnow
from ..security import SITE_ACL

if TYPE_CHECKING:
    from ..posts.models import Post

ROLES = ("member", "editor", "admin")
NAME_LENGTH = 200
EMAIL_LENGTH = 320
OLDEST = 150
FORMER_MEMBER_NAME = "Former member"


# Korean and Latin each in the order of their alphabet; SQLite compares code points, in which folded text has it too.
SearchText = Text().with_variant(Text(collation="und-x-icu"), "postgresql")


class LastAdministrator(Exception):
    """A change would leave nobody who can sign in and administer."""


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
    # Both are kept by triggers of the database, so that no way of writing can forget them: the folded name and the
    # email, which the list is searched and sorted by; and whether the person has written any post.
    search_text: Mapped[str] = mapped_column(SearchText, deferred=True, default="", server_default=text("''"))
    has_posts: Mapped[bool] = mapped_column(deferred=True, default=False, server_default=false())

    posts: Mapped[list["Post"]] = relationship(
        back_populates="author", cascade="all, delete-orphan", order_by="Post.id.desc()"
    )

    def change(self, values: Mapping[str, Any], *, keep_sign_in: int | None = None) -> None:
        """Set columns of the record to `values`, a mapping from their names.

        A change of the role or of the activity signs the user out everywhere except in the sign-in with the id
        `keep_sign_in`, the browser that makes the change.
        """
        before = self.role, self.active
        for name, value in values.items():
            setattr(self, name, value)
        if (self.role, self.active) != before:
            self.end_sign_ins(keep=keep_sign_in)

    def activate(self, *, keep_sign_in: int | None = None) -> None:
        """Let the user sign in again."""
        self.change({"active": True}, keep_sign_in=keep_sign_in)

    def deactivate(self, *, keep_sign_in: int | None = None) -> None:
        """Keep the record, but let the user no longer sign in."""
        self.change({"active": False}, keep_sign_in=keep_sign_in)

    def change_role(self, role: str, *, keep_sign_in: int | None = None) -> None:
        """Give the user another one of ROLES."""
        self.change({"role": role}, keep_sign_in=keep_sign_in)

    def set_password(self, password_hash: str, *, keep_sign_in: int | None = None) -> None:
        """Replace the hash of the user's password, and sign the user out everywhere except in `keep_sign_in`."""
        self.password_hash = password_hash
        self.end_sign_ins(keep=keep_sign_in)

    def end_sign_ins(self, *, keep: int | None = None) -> None:
        """Sign the user out everywhere except in the sign-in with the id `keep`, and make their password link invalid.

        A user who is not stored yet has neither.
        """
        dbsession = object_session(self)
        if dbsession is not None and inspect(self).persistent:
            end_sign_ins(dbsession, [self.id], keep=keep)

    def erase(self, *, keep_posts: bool) -> None:
        """Delete the record for good, and the user's posts with it, or `keep_posts` under the name "Former member"."""
        dbsession = object_session(self)
        if dbsession is None:
            raise InvalidRequestError("Only a stored user can be erased.")
        if keep_posts and self.posts:
            former_member = get_former_member(dbsession, other_than=self)
            for post in list(self.posts):
                post.author = former_member
        dbsession.delete(self)

    def __acl__(self) -> list[tuple[str, str, list[str]]]:
        """Return who may do what to the record: the person themself may edit it and manage their account."""
        return [*SITE_ACL, (Allow, f"user:{self.id}", ["edit", "account", "own"])]

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        CheckConstraint(f"length(name) BETWEEN 1 AND {NAME_LENGTH}", name="name_length"),
        CheckConstraint(f"length(email) <= {EMAIL_LENGTH} AND email LIKE '_%@_%'", name="email_form"),
        CheckConstraint(f"age BETWEEN 0 AND {OLDEST} AND age = CAST(age AS INTEGER)", name="age_range"),
        CheckConstraint(f"role IN {ROLES}", name="role_known"),
        # The id of a deleted user never comes back as somebody else's.
        {"sqlite_autoincrement": True},
    )


CAN_SIGN_IN = and_(User.active, User.email.is_not(None), User.password_hash.is_not(None))
# Few among many: it tells at once whether there is one of them, and an administrator.
Index(
    "ix_users_can_sign_in",
    User.role,
    sqlite_where=User.password_hash.is_not(None),
    postgresql_where=User.password_hash.is_not(None),
)
# Unique without regard to case; the form's own rule keeps addresses to ASCII, where lower() is the same everywhere.
Index("uq_users_email", func.lower(User.email), unique=True)
# What the list can be sorted by, `id` last, so that no two rows are equal; what is not given comes before all else. As
# literals: SQLite does not take a parameter for what stands in the index.
users = User.__table__
BY_NAME = (users.c.search_text, users.c.id)
BY_EMAIL = (func.coalesce(func.lower(users.c.email), literal_column("''"), type_=String), users.c.id)
BY_AGE = (func.coalesce(users.c.age, literal_column("-1")), users.c.id)
BY_ROLE = (users.c.role, users.c.id)
BY_ACTIVE = (users.c.active, users.c.id)
BY_JOINED = (users.c.created_at, users.c.id)
BY_ADDED = (users.c.id,)
# Few people, or many: these tell apart the twelve kinds that filters ask for.
KINDS = (users.c.role, users.c.active, users.c.has_posts)


def end_sign_ins(dbsession: Session, user_ids: Collection[int], *, keep: int | None = None) -> None:
    """Sign these users out, except in the sign-in with the id `keep`, and make their password links invalid.

    The tables belong to `signin`, which imports this module and is therefore not imported here.
    """
    sign_ins, password_links = (User.metadata.tables[name] for name in ("sign_ins", "password_links"))
    ended = delete(sign_ins).where(sign_ins.c.user_id.in_(user_ids), sign_ins.c.id.is_distinct_from(keep))
    dbsession.execute(ended)
    dbsession.execute(delete(password_links).where(password_links.c.user_id.in_(user_ids)))


def get_former_member(dbsession: Session, *, other_than: User) -> User:
    """Return the user under whom posts of erased users are kept; create them the first time."""
    conditions = (User.name == FORMER_MEMBER_NAME, User.email.is_(None), User.password_hash.is_(None), ~User.active)
    query = select(User).where(*conditions, User.id != other_than.id).limit(1)
    former_member = dbsession.scalar(query)
    if former_member is None:
        former_member = User(name=FORMER_MEMBER_NAME, active=False)
        dbsession.add(former_member)
    return former_member


def has_administrator(dbsession):
    """Return whether there is somebody who can sign in and administer."""
    return dbsession.scalar(select(User.id).where(CAN_SIGN_IN, User.role == "admin").limit(1)) is not None


# That an administrator stays is seen to here, for no page, script or import can forget it. Of two who leave at the same
# moment, each sees the other stay, but the database lets only one of them commit: db/postgresql.py, db/sqlite.py.


@event.listens_for(Session, "before_flush")
def _note_administrator(session, *_):
    if any(isinstance(row, User) for row in (*session.dirty, *session.deleted)):
        session.info["had_administrator"] = has_administrator(session)


@event.listens_for(Session, "after_flush")
def _keep_administrator(session, _context):
    if session.info.pop("had_administrator", False) and not has_administrator(session):
        raise LastAdministrator


@event.listens_for(Session, "do_orm_execute")
def _keep_administrator_in_bulk(state):
    if (state.is_update or state.is_delete) and state.bind_mapper is User.__mapper__:
        had_administrator = has_administrator(state.session)
        result = state.invoke_statement()
        if had_administrator and not has_administrator(state.session):
            raise LastAdministrator
        return result
    return None
