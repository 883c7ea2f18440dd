"""Who is signed in where, who may set a password, and who guessed."""

import datetime
import hashlib
import secrets

from sqlalchemy import ForeignKey, Index, String, and_, bindparam, func, select
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Base
from ..db.base import utcnow
from ..users.models import CAN_SIGN_IN, NAME_LENGTH, User

DIGEST_LENGTH = 64
ADDRESS_LENGTH = 45
BROWSER_LENGTH = 300


# By what a User-Agent says; browsers name those whose pages they can show too, so the order counts.
DEVICES = (
    {
        "Edg": "Edge", "OPR": "Opera", "SamsungBrowser": "Samsung Internet", "Whale": "Whale", "Firefox": "Firefox",
        "FxiOS": "Firefox", "CriOS": "Chrome", "Chrome": "Chrome", "Safari": "Safari",
    },
    {
        "Windows": "Windows", "Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Mac OS": "macOS",
        "CrOS": "ChromeOS", "Linux": "Linux",
    },
)  # fmt: skip


def new_token():
    """Return a secret for a cookie or a link: 256 random bits."""
    return secrets.token_urlsafe(32)


def digest(token):
    """Return what is stored of a token: who reads the database cannot sign in with it."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class SignIn(Base):
    """A browser in which a user is signed in; without this row, its cookie is nobody's."""

    __tablename__ = "sign_ins"

    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(String(DIGEST_LENGTH), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)
    address: Mapped[str] = mapped_column(String(ADDRESS_LENGTH))
    browser: Mapped[str] = mapped_column(String(BROWSER_LENGTH))
    created_at: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    seen_at: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    # When the password was entered last.
    confirmed_at: Mapped[datetime.datetime] = mapped_column(default=utcnow)

    @property
    def device(self):
        """What people call their browser and its system: `Firefox, Windows`; empty where it says nothing known."""
        known = [next((called for mark, called in names.items() if mark in self.browser), None) for names in DEVICES]
        return ", ".join(filter(None, known))

    # The id of an ended sign-in never comes back as another one's.
    __table_args__ = ({"sqlite_autoincrement": True},)


class PasswordLink(Base):
    """A link by which a user sets a password: one for each user, good for one day and one use."""

    __tablename__ = "password_links"

    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), primary_key=True)
    token: Mapped[str] = mapped_column(String(DIGEST_LENGTH), unique=True)
    created_at: Mapped[datetime.datetime] = mapped_column(default=utcnow)


class FailedSignIn(Base):
    """A wrong password: digests of the account and of the address that it came from, and when."""

    __tablename__ = "failed_sign_ins"

    id: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(String(DIGEST_LENGTH))
    address: Mapped[str] = mapped_column(String(DIGEST_LENGTH))
    failed_at: Mapped[datetime.datetime] = mapped_column(default=utcnow)

    __table_args__ = (Index(None, account, failed_at), Index(None, address, failed_at), Index(None, failed_at))


# That a SignIn has not run out; its parameters are `good_since`. Of the table: the query of each page (identity.py) is.
STILL_GOOD = and_(
    SignIn.__table__.c.seen_at > bindparam("seen_since"), SignIn.__table__.c.created_at > bindparam("created_since")
)


def good_since(settings):
    """Return the parameters of `STILL_GOOD` at this moment, by `signin.idle_hours` and `signin.absolute_hours`."""
    now, hour = utcnow(), datetime.timedelta(hours=1)
    return {
        "seen_since": now - settings["signin.idle_hours"] * hour,
        "created_since": now - settings["signin.absolute_hours"] * hour,
    }


def let_in(dbsession, email, name, password_hash):
    """Make the user with this email, or else a new one, an active administrator who can sign in; return them.

    Without a `name`, a new one is called by their address.
    """
    user = dbsession.scalar(select(User).where(func.lower(User.email) == email.lower()))
    if user is None:
        user = User(email=email, name=email[:NAME_LENGTH])
        dbsession.add(user)
    user.change({"name": name or user.name, "role": "admin", "active": True})
    user.set_password(password_hash)
    dbsession.flush()
    return user


def anybody_can_sign_in(dbsession):
    """Return whether there is a user who can sign in; until then, the first administrator is to be set up."""
    return dbsession.scalar(select(User.id).where(CAN_SIGN_IN).limit(1)) is not None
