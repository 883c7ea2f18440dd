"""How the list is displayed: its columns, the rows on a page, and whether single keys are shortcuts.

Each browser keeps its own choice for a year.
"""

from dataclasses import dataclass

from pyramid.httpexceptions import HTTPBadRequest, HTTPSeeOther
from pyramid.i18n import TranslationString
from pyramid.response import Response
from pyramid.security import NO_PERMISSION_REQUIRED
from pyramid.view import view_config

from ...web.cookies import get_preference, set_preference
from ...web.i18n import _
from ...web.paths import is_own_path
from ...web.request import Request

COOKIE = "display"
OPTIONAL_COLUMNS = {
    "email": _("Email"),
    "age": _("Age"),
    "role": _("Role"),
    "active": _("Active"),
    "joined": _("Joined"),
    "last_sign_in": _("Last sign-in"),
}
# The list cannot be sorted by it, and only those who may manage accounts see it.
LAST_SIGN_IN = "last_sign_in"
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
    size, *chosen = (get_preference(request, COOKIE) or "").split(".")
    if size not in map(str, PAGE_SIZES) or not set(chosen) <= {*OPTIONAL_COLUMNS, SHORTCUTS}:
        return Display()
    columns = tuple(name for name in columns_for(request) if name in chosen)
    return Display(columns, int(size), SHORTCUTS in chosen)


def columns_for(request: Request) -> dict[str, TranslationString]:
    """Return the names of the columns that the person may choose from, by column."""
    if request.has_permission("account"):
        return OPTIONAL_COLUMNS
    return {name: label for name, label in OPTIONAL_COLUMNS.items() if name != LAST_SIGN_IN}


# The cookie belongs to the browser, as that of the language does: neither a person nor the database is asked.
@view_config(route_name="users.display", request_method="POST", permission=NO_PERMISSION_REQUIRED, receipt=False)
def choose_display(request: Request) -> Response:
    """Keep the chosen display in the browser and go back to the list."""
    size, page = request.POST.get("size"), request.POST.get("page", "")
    if size not in map(str, PAGE_SIZES) or not is_own_path(request, page):
        raise HTTPBadRequest()
    response = HTTPSeeOther(page)
    chosen = [name for name in (*OPTIONAL_COLUMNS, SHORTCUTS) if name in request.POST]
    set_preference(request, response, COOKIE, ".".join([size, *chosen]))
    return response
