"""Who a request comes from, `request.identity`, and how that person signs in."""

import datetime
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, select, update

from ..db.base import utcnow
from ..users.models import User
from ..web.events import report_act
from ..web.request import Request
from .confirmation import CONFIRMATION_LIFETIME, check_submitted_password
from .hashing import hash_password
from .models import ADDRESS_LENGTH, BROWSER_LENGTH, NOT_EXPIRED, SignIn, digest, expiry_parameters, new_token

# The key of the token in `request.session`.
SESSION_KEY = "sign_in"
# The key of the email that the sign-in form suggests. Not in the URL, which proxies log.
EMAIL_KEY = "email"
# "Last seen" is written at most this often, since it costs a write.
LAST_SEEN_INTERVAL = datetime.timedelta(minutes=5)

# Built once, because every page runs it and building it takes longer than running it. It selects columns of the tables,
# to be run on the connection: the same query through the Session takes half as long again.
users, sign_ins = User.__table__.c, SignIn.__table__.c
IDENTITY_QUERY = (
    select(users.id, users.name, users.role, sign_ins.id, sign_ins.confirmed_at, users.time_zone, sign_ins.seen_at)
    .join_from(User.__table__, SignIn.__table__, sign_ins.user_id == users.id)
    .where(sign_ins.token == bindparam("token"), NOT_EXPIRED, users.active)
)
ACCOUNT_QUERY = IDENTITY_QUERY.with_only_columns(users.name, users.email, users.password_hash)


@dataclass(frozen=True)
class Identity:
    """The user who is signed in and the browser, the `SignIn` with the id `sign_in`.

    A copy, which is still valid after the request's transaction has ended.
    """

    id: int
    name: str
    role: str
    sign_in: int
    confirmed_at: datetime.datetime
    time_zone: str | None

    @property
    def is_confirmed(self) -> bool:
        """Whether the password was entered recently enough for a risky act."""
        return utcnow() - self.confirmed_at < CONFIRMATION_LIFETIME


def identify(request: Request) -> Identity | None:
    """Return the Identity that the request's cookie names, if any. It takes one query, or none without a cookie."""
    token = request.session.get(SESSION_KEY)
    if not isinstance(token, str):
        return None
    parameters = {"token": digest(token), **expiry_parameters(request.registry.settings)}
    # First, because the request's transaction begins with the query below.
    check_submitted_password(request, ACCOUNT_QUERY.params(parameters))
    row = request.dbsession.connection().execute(IDENTITY_QUERY, parameters).one_or_none()
    if row is None:
        return None
    *values, seen_at = row
    identity = Identity(*values)
    if utcnow() - seen_at > LAST_SEEN_INTERVAL:
        seen = update(SignIn).where(SignIn.id == identity.sign_in).values(seen_at=utcnow())
        request.after_answer(lambda dbsession: dbsession.execute(seen))
    return identity


def start_sign_in(request: Request, user: User) -> None:
    """Sign `user` in in this browser, with a new cookie and a new CSRF token; end the sign-in that it had before."""
    previous = request.session.get(SESSION_KEY)
    if isinstance(previous, str):
        request.dbsession.execute(delete(SignIn).where(SignIn.token == digest(previous)))
    parameters = expiry_parameters(request.registry.settings)
    request.in_own_transaction(lambda dbsession: dbsession.execute(delete(SignIn).where(~NOT_EXPIRED), parameters))
    token = new_token()
    request.session.invalidate()
    request.session[SESSION_KEY] = token
    sign_in = SignIn(
        token=digest(token),
        user_id=user.id,
        address=(request.remote_addr or "")[:ADDRESS_LENGTH],
        browser=keep_printable(request.user_agent or "")[:BROWSER_LENGTH],
    )
    request.dbsession.add(sign_in)
    report_act(request, "signed in", user=user.id)


def end_sign_in(request: Request) -> None:
    """End the sign-in of this browser, if there is one, and give the browser a new session."""
    if request.identity:
        request.dbsession.execute(delete(SignIn).where(SignIn.id == request.identity.sign_in))
        report_act(request, "signed out")
    request.session.invalidate()


def suggest_email(request: Request, user: User) -> None:
    """Let the sign-in form of this browser show the email of `user`, until somebody signs in."""
    request.session[EMAIL_KEY] = user.email


def set_password(request: Request, user: User, password: str, *, keep_sign_in: int | None = None) -> None:
    """Give `user` a new password, which ends all sign-ins of the user except the one with the id `keep_sign_in`."""
    user.set_password(hash_password(request, password), keep_sign_in=keep_sign_in)
    report_act(request, "password set", user=user.id)


def keep_printable(text: str) -> str:
    """Return `text` without the characters that a page or PostgreSQL cannot show."""
    return "".join(character for character in text if character.isprintable())
