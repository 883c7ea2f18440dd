"""Argon2 hashes and checks of new passwords, computed before the request's transaction and kept for the view.

Both take tens of milliseconds, and on SQLite the transaction of a form holds the only write lock from its start. So
the code that runs first, a route factory or `identify`, reads what it needs in a short read-only transaction and calls
the functions below. The view calls them again, with the same arguments, and gets the result from `request.environ`,
which all attempts of a retried request share. If the stored hash has changed in between, it is computed again.
"""

from collections.abc import Mapping

from pyramid.csrf import check_csrf_token
from pyramid.i18n import TranslationString

from ..web.limits import is_readable_form
from ..web.request import Request
from .password_rules import find_problem

VERIFIED = "myproject.signin.verified"
HASHED = "myproject.signin.hashed"
CHECKED = "myproject.signin.checked"


def submitted_form(request: Request) -> Mapping[str, str]:
    """Return the fields of the submitted form; none unless it may be parsed and has this session's CSRF token.

    Other forms are refused later, before their view: no hash is computed for them.
    """
    if request.method != "POST" or not is_readable_form(request):
        return {}
    return request.POST if check_csrf_token(request, raises=False) else {}


def verify_password(request: Request, password: str, password_hash: str | None) -> bool:
    """Return whether `password_hash` is a hash of `password`; see `Hasher.verify`."""
    results = request.environ.setdefault(VERIFIED, {})
    if (password, password_hash) not in results:
        results[password, password_hash] = request.registry["hasher"].verify(password, password_hash)
    return results[password, password_hash]


def find_password_problem(request: Request, password: str, *personal_words: str | None) -> TranslationString | None:
    """Return the message why a person cannot have `password`, or `None`; see `password_rules.find_problem`."""
    results = request.environ.setdefault(CHECKED, {})
    if (password, personal_words) not in results:
        results[password, personal_words] = find_problem(password, *personal_words)
    return results[password, personal_words]


def hash_password(request: Request, password: str) -> str:
    """Return a new hash of `password`; see `Hasher.hash`."""
    results = request.environ.setdefault(HASHED, {})
    if password not in results:
        results[password] = request.registry["hasher"].hash(password)
    return results[password]
