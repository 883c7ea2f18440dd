"""Who is signed in where, links to set a password, and failed sign-ins."""

import datetime
import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ForeignKey, Index, String, and_, bindparam, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from ..db import Base
from ..db.base import limit_lengths, utcnow
from ..users.models import CAN_SIGN_IN, NAME_LENGTH, User

DIGEST_LENGTH = 64
ADDRESS_LENGTH = 45
BROWSER_LENGTH = 300
TOKEN_BYTES = 32
LINK_LIFETIME = datetime.timedelta(days=1)

# Marks in a User-Agent, with the names that people know. A browser also names the browsers that it imitates, so the
# first mark that is found counts.
BROWSER_NAMES = {
    "Edg": "Edge", "OPR": "Opera", "SamsungBrowser": "Samsung Internet", "Whale": "Whale", "Firefox": "Firefox",
    "FxiOS": "Firefox", "CriOS": "Chrome", "Chrome": "Chrome", "Safari": "Safari",
}  # fmt: skip
SYSTEM_NAMES = {
    "Windows": "Windows", "Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Mac OS": "macOS",
    "CrOS": "ChromeOS", "Linux": "Linux",
}  # fmt: skip


def new_token() -> str:
    """Return a random secret of 256 bits for a cookie or a link."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def digest(token: str) -> str:
    """Return the SHA-256 digest under which a token is stored: a reader of the database cannot sign in with it."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class SignIn(Base):
    """A browser in which a user is signed in. Without this row, the browser's cookie is worth nothing."""

    __tablename__ = "sign_ins"

    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(String(DIGEST_LENGTH), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)
    address: Mapped[str] = mapped_column(String(ADDRESS_LENGTH))
    browser: Mapped[str] = mapped_column(String(BROWSER_LENGTH))
    created_at: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    seen_at: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    # When the user last entered the password in this browser.
    confirmed_at: Mapped[datetime.datetime] = mapped_column(default=utcnow)

    @property
    def device(self) -> str:
        """The names of the browser and its system, `Firefox, Windows`; empty if the User-Agent names neither."""
        return ", ".join(filter(None, (_find_name(names, self.browser) for names in (BROWSER_NAMES, SYSTEM_NAMES))))

    __table_args__ = (
        limit_lengths(token=DIGEST_LENGTH, address=ADDRESS_LENGTH, browser=BROWSER_LENGTH),
        # The id of a deleted sign-in is never given to another one.
        {"sqlite_autoincrement": True},
    )


class PasswordLink(Base):
    """A link with which a user sets a password: at most one for each user, valid for one day and one use.

    It ends when its user or its maker changes (triggers.py) or is deleted.
    """

    __tablename__ = "password_links"

    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), primary_key=True)
    maker_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)
    token: Mapped[str] = mapped_column(String(DIGEST_LENGTH), unique=True)
    created_at: Mapped[datetime.datetime] = mapped_column(default=utcnow)

    __table_args__ = (limit_lengths(token=DIGEST_LENGTH),)

    user: Mapped[User] = relationship(foreign_keys=user_id)
    maker: Mapped[User] = relationship(foreign_keys=maker_id)

    @property
    def expires_at(self) -> datetime.datetime:
        """When the link stops working, unless it ends before."""
        return self.created_at + LINK_LIFETIME


class FailedSignIn(Base):
    """A wrong password: when it was entered, and keyed digests of the account and of the network address."""

    __tablename__ = "failed_sign_ins"

    id: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(String(DIGEST_LENGTH))
    address: Mapped[str] = mapped_column(String(DIGEST_LENGTH))
    failed_at: Mapped[datetime.datetime] = mapped_column(default=utcnow)

    __table_args__ = (
        Index(None, account, failed_at),
        Index(None, address, failed_at),
        Index(None, failed_at),
        limit_lengths(account=DIGEST_LENGTH, address=DIGEST_LENGTH),
    )


# SQL condition: the sign-in has not expired. Bind it with `expiry_parameters()`. It names columns of the table and not
# attributes of the model, because the query of every page does (identity.py).
NOT_EXPIRED = and_(
    SignIn.__table__.c.seen_at > bindparam("seen_since"), SignIn.__table__.c.created_at > bindparam("created_since")
)
# Returns a row as soon as the first administrator has been set up.
ANY_USER_WHO_CAN_SIGN_IN = select(User.id).where(CAN_SIGN_IN).limit(1)


def expiry_parameters(settings: Mapping[str, Any]) -> dict[str, datetime.datetime]:
    """Return the parameters of `NOT_EXPIRED` now, by the settings `signin.idle_hours` and `signin.absolute_hours`."""
    now, hour = utcnow(), datetime.timedelta(hours=1)
    return {
        "seen_since": now - settings["signin.idle_hours"] * hour,
        "created_since": now - settings["signin.absolute_hours"] * hour,
    }


def make_administrator(dbsession: Session, email: str, name: str | None, password_hash: str) -> User:
    """Make the user with this email, or a new one, an active administrator with this password; return the user.

    Without a `name`, an existing user keeps theirs and a new one is named after the email.
    """
    user = dbsession.scalar(select(User).where(func.lower(User.email) == email.lower()))
    if user is None:
        user = User(email=email, name=email[:NAME_LENGTH])
        dbsession.add(user)
    user.change({"name": name or user.name, "role": "admin", "active": True})
    user.set_password(password_hash)
    dbsession.flush()
    return user


def can_anybody_sign_in(dbsession: Session) -> bool:
    """Return whether any user can sign in. Until then, the first administrator has to be set up."""
    return dbsession.scalar(ANY_USER_WHO_CAN_SIGN_IN) is not None


def _find_name(names: Mapping[str, str], user_agent: str) -> str | None:
    return next((name for mark, name in names.items() if mark in user_agent), None)
