"""Asks people who are signed in for their password again, before risky acts."""

import datetime

from sqlalchemy import Select

from ..db import read_rows
from ..db.base import utcnow
from ..users.models import User
from ..web.events import report_act
from ..web.identity import identity_of
from ..web.request import Request
from . import guessing
from .hashing import find_password_problem, hash_password, submitted_form, verify_password
from .models import SignIn

# How long a password entered in a browser counts for risky acts there.
CONFIRMATION_LIFETIME = datetime.timedelta(minutes=15)


def check_submitted_password(request: Request, account: Select) -> None:
    """Compare the submitted `your_password` with the person's, and hash a new `password` if it was right.

    `account` selects the name, email and password hash of the person who is signed in. This runs before the request's
    transaction, and only computes (hashing.py): `confirm` decides, and counts a wrong password.
    """
    form = submitted_form(request)
    password, new_password = form.get("your_password", ""), form.get("password", "")
    for name, email, password_hash in read_rows(request.registry["dbsession_factory"], account) if password else []:
        if guessing.seconds_to_wait(request, email or "") or not verify_password(request, password, password_hash):
            return
        if new_password and find_password_problem(request, new_password, name, email) is None:
            hash_password(request, new_password)


def confirm(request: Request, password: str) -> bool:
    """Return whether `password` is that of the person who is signed in, and note the time if it is."""
    identity = identity_of(request)
    if not password:
        return False
    user = request.dbsession.get_one(User, identity.id)
    if guessing.seconds_to_wait(request, user.email or ""):
        return False
    if not verify_password(request, password, user.password_hash):
        guessing.count_failed_attempt(request, user.email or "")
        return False
    request.dbsession.get_one(SignIn, identity.sign_in).confirmed_at = utcnow()
    report_act(request, "password confirmed")
    return True
