"""Many users at once: people select them in the list, and choose what happens to all of them.

    models.py   the selection of a person: which users, in which versions, for a day
    action.py   what becomes of each selected user, counted and named, and doing it
    views.py    the page on which users are selected, and the one that asks before it is done

Everything is done by a few statements for all users of the selection, however many.
"""

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPNotFound
from sqlalchemy import delete

from ...db import to_id
from ...db.base import utcnow
from ...security import row_in_url
from ...web.i18n import _
from ...web.identity import identity_of
from ...web.request import Request
from ..erasing import UserErased
from .models import SELECTION_LIFETIME, Selection, delete_expired


def includeme(config: Configurator) -> None:
    """Add the pages below `/users/bulk`."""
    config.add_route("users.bulk", "/users/bulk")
    config.add_route("users.bulk.show", "/users/bulk/{id}", factory=selection_in_url)
    config.add_route("users.bulk.apply", "/users/bulk/{id}/apply", factory=selection_in_url)
    config.add_subscriber(forget_erased, UserErased)
    config.scan(".views")


def forget_erased(erased: UserErased) -> None:
    """Delete the selections of the erased user, and those that have expired: a query may have somebody's name."""
    erased.dbsession.execute(delete(Selection).where(Selection.user_id == erased.user_id))
    delete_expired(erased.dbsession)


def selection_in_url(request: Request) -> Selection:
    """Return the Selection with the id in the URL. Raises `HTTPNotFound` if it is of somebody else, or has expired."""
    return own_selection(request, row_in_url(request, Selection))


def find_selection(request: Request, text: str) -> Selection:
    """Return the Selection with the id that `text` says, as `selection_in_url` does."""
    number = to_id(text)
    return own_selection(request, None if number is None else request.dbsession.get(Selection, number))


def own_selection(request: Request, selection: Selection | None) -> Selection:
    """Return `selection` if it is of the person who is signed in and has not expired, or raise `HTTPNotFound`."""
    if selection is None or selection.user_id != identity_of(request).id:
        raise HTTPNotFound()
    if selection.created_at < utcnow() - SELECTION_LIFETIME:
        raise HTTPNotFound(_("This selection has expired. Select the users in the list again."))
    return selection
