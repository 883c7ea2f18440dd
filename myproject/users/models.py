"""The record of a person, and the verbs that change it."""

import datetime
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from pyramid.authorization import Allow, Deny
from sqlalchemy import (
    CheckConstraint,
    Index,
    Select,
    String,
    Text,
    and_,
    delete,
    false,
    func,
    inspect,
    literal_column,
    select,
    text,
    true,
    update,
)
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Mapped, Session, mapped_column, object_session, relationship
from sqlalchemy.orm.attributes import set_committed_value

from ..db import Base
from ..db.base import utcnow
from ..db.version import Version, keep_version
from ..security import SITE_ACL

if TYPE_CHECKING:
    from ..posts.models import Post

ROLES = ("member", "editor", "admin")
NAME_LENGTH = 200
EMAIL_LENGTH = 320
TIME_ZONE_LENGTH = 50
OLDEST = 150
FORMER_MEMBER_NAME = "Former member"


# On PostgreSQL, lower() depends on the collation: in a Turkish database, lower('I') is 'ı'. With "C", as on SQLite, it
# knows the letters of ASCII, which are the only ones that forms accept in an email.
EmailText = String(EMAIL_LENGTH).with_variant(String(EMAIL_LENGTH, collation="C"), "postgresql")
# PostgreSQL sorts by an ICU collation, SQLite by code points: both sort folded Korean and Latin as their alphabets do.
SearchText = Text().with_variant(Text(collation="und-x-icu"), "postgresql")


class User(Base):
    """A person; only the name is required. An active user with an email and a password can sign in."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    email: Mapped[str | None] = mapped_column(EmailText)
    age: Mapped[int | None]
    role: Mapped[str] = mapped_column(String(20), default="member", server_default="member")
    active: Mapped[bool] = mapped_column(default=True, server_default=true())
    password_hash: Mapped[str | None] = mapped_column(String(255))
    version: Mapped[Version]
    created_at: Mapped[datetime.datetime] = mapped_column(default=utcnow, server_default=func.now())
    updated_at: Mapped[datetime.datetime] = mapped_column(default=utcnow, onupdate=utcnow, server_default=func.now())
    # Triggers of the database write both, whichever program changes the row: the folded name and the email, by which
    # the list is searched and sorted; and whether the user has written any post.
    search_text: Mapped[str] = mapped_column(SearchText, deferred=True, default="", server_default=text("''"))
    has_posts: Mapped[bool] = mapped_column(deferred=True, default=False, server_default=false())
    # The IANA name of the time zone of their pages; none: that of the site.
    time_zone: Mapped[str | None] = mapped_column(String(TIME_ZONE_LENGTH))

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

    def choose_time_zone(self, name: str | None) -> None:
        """Set the time zone of the user's pages, an IANA name, or that of the site. The record counts as unchanged."""
        chosen = update(User).where(User.id == self.id).values(time_zone=name, updated_at=User.updated_at)
        self._session().execute(chosen)

    def end_sign_ins(self, *, keep: int | None = None) -> None:
        """Sign the user out everywhere except in the sign-in with the id `keep`."""
        dbsession = object_session(self)
        if dbsession is not None and inspect(self).persistent:
            end_sign_ins(dbsession, [self.id], keep=keep)

    def delete(self) -> None:
        """Delete the record, and the user's posts with it, however many: they are not loaded."""
        dbsession = self._session()
        posts = User.metadata.tables["posts"]
        dbsession.execute(delete(posts).where(posts.c.author_id == self.id))
        # Otherwise the cascade would load them.
        set_committed_value(self, "posts", [])
        dbsession.delete(self)

    def erase(self, *, keep_posts: bool) -> None:
        """Delete the record for good, and the user's posts with it, or `keep_posts` under the name "Former member"."""
        dbsession = self._session()
        posts = User.metadata.tables["posts"]
        of_user = posts.c.author_id == self.id
        if keep_posts and dbsession.scalar(select(posts.c.id).where(of_user).limit(1)):
            former_member = get_former_member(dbsession, other_than=self)
            dbsession.execute(update(posts).where(of_user).values(author_id=former_member.id))
        self.delete()

    def _session(self) -> Session:
        dbsession = object_session(self)
        if dbsession is None:
            raise InvalidRequestError("The user is not stored.")
        dbsession.flush()
        return dbsession

    def __acl__(self) -> list[tuple[str, str, list[str]]]:
        """Return the permissions on the record: the user may edit it and manage their own account.

        That of an administrator is closed to editors, who could otherwise take their rights, or their place.
        """
        for_editors = [(Deny, "role:editor", ["edit", "delete"])] if self.role == "admin" else []
        return [*for_editors, *SITE_ACL, (Allow, f"user:{self.id}", ["edit", "account", "own"])]

    __table_args__ = (
        CheckConstraint(f"length(name) BETWEEN 1 AND {NAME_LENGTH}", name="name_length"),
        CheckConstraint(f"length(email) <= {EMAIL_LENGTH} AND email LIKE '_%@_%'", name="email_form"),
        CheckConstraint(f"age BETWEEN 0 AND {OLDEST} AND age = CAST(age AS INTEGER)", name="age_range"),
        CheckConstraint(f"role IN {ROLES}", name="role_known"),
        CheckConstraint(f"length(time_zone) BETWEEN 1 AND {TIME_ZONE_LENGTH}", name="time_zone_length"),
        # SQLite must not give the id of a deleted user to another one.
        {"sqlite_autoincrement": True},
    )


# Stands for people who were erased.
IS_FORMER_MEMBER = and_(
    User.name == FORMER_MEMBER_NAME, User.email.is_(None), User.password_hash.is_(None), ~User.active
)
CAN_SIGN_IN = and_(User.active, User.email.is_not(None), User.password_hash.is_not(None))
# Few users have a password: the index answers at once whether one of them can sign in, or administer.
Index(
    "ix_users_can_sign_in",
    User.role,
    sqlite_where=User.password_hash.is_not(None),
    postgresql_where=User.password_hash.is_not(None),
)
# Case-insensitive: see EmailText.
Index("uq_users_email", func.lower(User.email), unique=True)
# The orders of the list: `id` is last, so that no two rows are equal, and missing values come first. Their defaults are
# literals, because SQLite does not match a parameter with an expression of an index.
users = User.__table__
BY_NAME = (users.c.search_text, users.c.id)
BY_EMAIL = (func.coalesce(func.lower(users.c.email), literal_column("''"), type_=String), users.c.id)
BY_AGE = (func.coalesce(users.c.age, literal_column("-1")), users.c.id)
BY_ROLE = (users.c.role, users.c.id)
BY_ACTIVE = (users.c.active, users.c.id)
BY_JOINED = (users.c.created_at, users.c.id)
BY_ADDED = (users.c.id,)
# The columns that the list filters by equality; their values make twelve kinds of users.
KINDS = (users.c.role, users.c.active, users.c.has_posts)
keep_version(User, but_for={"password_hash", "search_text", "has_posts", "time_zone"})


def end_sign_ins(dbsession: Session, user_ids: Collection[int] | Select[int], *, keep: int | None = None) -> None:
    """Sign these users out, by their ids or a select of them, except in the sign-in with the id `keep`.

    The table belongs to `signin`, which imports this module and is therefore not imported here.
    """
    sign_ins = User.metadata.tables["sign_ins"]
    ended = delete(sign_ins).where(sign_ins.c.user_id.in_(user_ids), sign_ins.c.id.is_distinct_from(keep))
    dbsession.execute(ended)


def get_former_member(dbsession: Session, *, other_than: User) -> User:
    """Return the user under whom posts of erased users are kept; create them the first time."""
    query = select(User).where(IS_FORMER_MEMBER, User.id != other_than.id).limit(1)
    former_member = dbsession.scalar(query)
    if former_member is None:
        former_member = User(name=FORMER_MEMBER_NAME, active=False)
        dbsession.add(former_member)
        dbsession.flush()
    return former_member
