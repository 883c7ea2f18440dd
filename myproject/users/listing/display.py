"""Which columns the list shows, how many people a page, and whether keys lead through it.

Each is the browser's own choice, kept for a year.
"""

from dataclasses import dataclass

from pyramid.httpexceptions import HTTPBadRequest, HTTPSeeOther
from pyramid.security import NO_PERMISSION_REQUIRED
from pyramid.view import view_config

from ...web.cookies import get_preference, set_preference
from ...web.i18n import _
from ...web.paths import is_own_path

COOKIE = "display"
COLUMNS = {"email": _("Email"), "age": _("Age"), "role": _("Role"), "active": _("Active"), "joined": _("Joined")}
SIZES = (25, 50, 100)
KEYS = "keys"


@dataclass(frozen=True)
class Display:
    """The columns beside the name, the people on a page, and whether single keys do something.

    Who speaks to the computer, which types what it hears, does without: https://www.w3.org/TR/WCAG22/#character-key-shortcuts
    """

    columns: tuple[str, ...] = ("email", "age", "role", "joined")
    size: int = SIZES[0]
    keys: bool = True


def display_of(request):
    """Return the Display that this browser has chosen."""
    size, *chosen = (get_preference(request, COOKIE) or "").split(".")
    if size not in map(str, SIZES) or not set(chosen) <= {*COLUMNS, KEYS}:
        return Display()
    return Display(tuple(name for name in COLUMNS if name in chosen), int(size), KEYS in chosen)


# Like the switch of languages: what is kept is the browser's own, so neither a person nor the database is asked.
@view_config(route_name="users.display", request_method="POST", permission=NO_PERMISSION_REQUIRED, receipt=False)
def choose(request):
    """Keep what was chosen, and go back to the list that it was chosen on."""
    size, page = request.POST.get("size"), request.POST.get("page", "")
    if size not in map(str, SIZES) or not is_own_path(request, page):
        raise HTTPBadRequest()
    response = HTTPSeeOther(page)
    chosen = [name for name in (*COLUMNS, KEYS) if name in request.POST]
    set_preference(request, response, COOKIE, ".".join([size, *chosen]))
    return response
