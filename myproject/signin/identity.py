"""Who a request is from: `request.identity`, and what is done in their name."""

import datetime
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, select, update

from ..db.base import utcnow
from ..users.models import User
from ..web.events import log_event
from . import guessing
from .models import ADDRESS_LENGTH, BROWSER_LENGTH, STILL_GOOD, SignIn, digest, good_since, new_token

KEY = "sign_in"
# A risky act asks for the password again after so long.
CONFIRMED_FOR = datetime.timedelta(minutes=15)
# "Last seen" is no more exact than this: it costs a write.
SEEN_EVERY = datetime.timedelta(minutes=5)

# Every page asks it. To build it takes longer than to answer it, so it is built once, and of the tables, for the
# connection itself: the models and the session would make an ORM query of it, which takes half as long again.
users, sign_ins = User.__table__.c, SignIn.__table__.c
BEHIND_COOKIE = (
    select(users.id, users.name, users.role, sign_ins.id, sign_ins.confirmed_at, sign_ins.seen_at)
    .join_from(User.__table__, SignIn.__table__, sign_ins.user_id == users.id)
    .where(sign_ins.token == bindparam("token"), STILL_GOOD, users.active)
)


@dataclass(frozen=True)
class Identity:
    """The user who is signed in, and the browser in which; a copy, good also after the request's transaction."""

    id: int
    name: str
    role: str
    sign_in: int
    confirmed_at: datetime.datetime

    @property
    def is_confirmed(self):
        """Whether the password was entered lately enough for a risky act."""
        return utcnow() - self.confirmed_at < CONFIRMED_FOR


def identify(request):
    """Return the Identity behind the request's cookie, or `None`: one query, or none where there is no cookie."""
    token = request.session.get(KEY)
    if not isinstance(token, str):
        return None
    parameters = {"token": digest(token), **good_since(request.registry.settings)}
    row = request.dbsession.connection().execute(BEHIND_COOKIE, parameters).one_or_none()
    if row is None:
        return None
    *values, seen_at = row
    identity = Identity(*values)
    if utcnow() - seen_at > SEEN_EVERY:
        seen = update(SignIn).where(SignIn.id == identity.sign_in).values(seen_at=utcnow())
        request.after_answer(lambda dbsession: dbsession.execute(seen))
    return identity


def begin(request, user):
    """Sign `user` in in this browser, with a new cookie and a new CSRF token, in place of who was there before."""
    previous = request.identity and request.identity.sign_in
    request.dbsession.execute(delete(SignIn).where(SignIn.id == previous))
    since = good_since(request.registry.settings)
    request.in_own_transaction(lambda dbsession: dbsession.execute(delete(SignIn).where(~STILL_GOOD), since))
    token = new_token()
    request.session.invalidate()
    request.session[KEY] = token
    sign_in = SignIn(
        token=digest(token),
        user_id=user.id,
        address=(request.remote_addr or "")[:ADDRESS_LENGTH],
        browser=printable(request.user_agent or "")[:BROWSER_LENGTH],
    )
    request.dbsession.add(sign_in)
    request.after_commit(log_event, request, "signed in", user=user.id)


def confirm(request, password):
    """Return whether `password` is that of the person who is signed in, and remember when they entered it."""
    if not password:
        return False
    user = request.dbsession.get(User, request.identity.id)
    if guessing.seconds_to_wait(request, user.email or ""):
        return False
    if not request.registry["hasher"].verify(password, user.password_hash):
        guessing.count(request, user.email or "")
        return False
    request.dbsession.get(SignIn, request.identity.sign_in).confirmed_at = utcnow()
    request.after_commit(log_event, request, "password confirmed")
    return True


def set_password(request, user, password):
    """Give `user` a password; their sign-ins elsewhere end with the old one."""
    password_hash = request.registry["hasher"].hash(password)
    user.set_password(password_hash, keep_sign_in=request.identity.sign_in if request.identity else None)
    request.after_commit(log_event, request, "password set", user=user.id)


def printable(text):
    """Return `text` without what a page or PostgreSQL cannot show."""
    return "".join(character for character in text if character.isprintable())
