"""The page on which people choose the time zone of their own pages."""

from typing import Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.view import view_config

from ..web.days import time_zone_names
from ..web.flash import flash
from ..web.form_fields import ChoiceField
from ..web.forms import Form
from ..web.i18n import _
from ..web.request import Request
from .models import User

PAGE = {"route_name": "users.time_zone", "permission": "own", "renderer": "users/time_zone.jinja2"}
# The choice of no time zone of one's own.
OF_SITE = "site"


class TimeZoneForm(Form):
    """The time zone of a user: one of the IANA database, or that of the site."""

    time_zone = ChoiceField(
        _("Time zone"),
        description=_(
            "Used for all dates and times that you see, and for the days in searches and filters, on every device."
        ),
    )

    def __init__(self, request: Request, user: User) -> None:
        super().__init__(request, time_zone=user.time_zone or OF_SITE)
        zone = request.registry.settings["myproject.timezone"].key
        of_site = _("The time zone of this site: ${zone}", mapping={"zone": zone})
        self.time_zone.set_choices({OF_SITE: of_site, **{name: name for name in time_zone_names()}})


@view_config(**PAGE, request_method="GET")
def edit(user: User, request: Request) -> dict[str, Any]:
    """Ask for the time zone."""
    return {"form": TimeZoneForm(request, user), "user": user}


@view_config(**PAGE, request_method="POST")
def update(user: User, request: Request) -> dict[str, Any] | HTTPSeeOther:
    """Keep the chosen time zone."""
    form = TimeZoneForm(request, user)
    if not form.validate():
        return form.invalid(request, user=user)
    chosen = form.time_zone.data
    user.choose_time_zone(None if chosen == OF_SITE else chosen)
    flash(request, _("Your time zone was saved."))
    return HTTPSeeOther(request.route_path("users.show", id=user.id))
