"""How the list is displayed: its columns, the rows on a page, and whether single keys are shortcuts.

Each browser keeps its own choice for a year.
"""

from dataclasses import dataclass

from pyramid.httpexceptions import HTTPBadRequest, HTTPSeeOther
from pyramid.response import Response
from pyramid.view import view_config

from ...web.cookies import keep_in_browser, kept_in_browser
from ...web.i18n import PATH_HERE, _
from ...web.request import Request

COOKIE = "display"
OPTIONAL_COLUMNS = {
    "email": _("Email"),
    "age": _("Age"),
    "role": _("Role"),
    "active": _("Active"),
    "joined": _("Joined"),
}
PAGE_SIZES = (25, 50, 100)
# The part of the cookie, and the field of the form, that turns the shortcuts on.
SHORTCUTS = "keys"


@dataclass(frozen=True)
class Display:
    """The columns beside the name, the rows on a page, and whether single keys are shortcuts.

    Speech input types what it hears, so its users turn the shortcuts off:
    https://www.w3.org/TR/WCAG22/#character-key-shortcuts
    """

    columns: tuple[str, ...] = ("email", "age", "role", "joined")
    size: int = PAGE_SIZES[0]
    keys: bool = True


def display_of(request: Request) -> Display:
    """Return the Display that this browser has chosen."""
    size, *chosen = (kept_in_browser(request, COOKIE) or "").split(".")
    if size not in map(str, PAGE_SIZES) or not set(chosen) <= {*OPTIONAL_COLUMNS, SHORTCUTS}:
        return Display()
    columns = tuple(name for name in OPTIONAL_COLUMNS if name in chosen)
    return Display(columns, int(size), SHORTCUTS in chosen)


@view_config(route_name="users.display", request_method="POST")
def choose_display(request: Request) -> Response:
    """Keep the chosen display in the browser and go back to the list."""
    size, page = request.POST.get("size"), request.POST.get("page", "")
    if size not in map(str, PAGE_SIZES) or not PATH_HERE.fullmatch(page):
        raise HTTPBadRequest()
    response = HTTPSeeOther(page)
    chosen = [name for name in (*OPTIONAL_COLUMNS, SHORTCUTS) if name in request.POST]
    keep_in_browser(request, response, COOKIE, ".".join([size, *chosen]))
    return response
