"""Which columns the list shows, and how many people a page: each browser's own choice, kept for a year."""

from dataclasses import dataclass

from pyramid.httpexceptions import HTTPBadRequest, HTTPSeeOther
from pyramid.view import view_config

from ..i18n import PATH_HERE, _
from ..security import keep_in_browser, kept_in_browser

COOKIE = "display"
COLUMNS = {"email": _("Email"), "age": _("Age"), "role": _("Role"), "active": _("Active"), "joined": _("Joined")}
SIZES = (25, 50, 100)


@dataclass(frozen=True)
class Display:
    """The columns beside the name, and the people on a page."""

    columns: tuple[str, ...] = ("email", "age", "role", "joined")
    size: int = SIZES[0]


def display_of(request):
    """Return the Display that this browser has chosen."""
    size, *columns = (kept_in_browser(request, COOKIE) or "").split(".")
    if size not in map(str, SIZES) or not set(columns) <= set(COLUMNS):
        return Display()
    return Display(tuple(name for name in COLUMNS if name in columns), int(size))


@view_config(route_name="users.display", request_method="POST")
def choose(request):
    """Keep what was chosen, and go back to the list that it was chosen on."""
    size, page = request.POST.get("size"), request.POST.get("page", "")
    if size not in map(str, SIZES) or not PATH_HERE.fullmatch(page):
        raise HTTPBadRequest()
    response = HTTPSeeOther(page)
    columns = [name for name in COLUMNS if name in request.POST]
    keep_in_browser(request, response, COOKIE, ".".join([size, *columns]))
    return response
