"""“Former member”, the user under whom posts of erased people are kept: pages show the name translated."""

from typing import Any

from ..web.i18n import _, translate
from ..web.request import Request
from .models import FORMER_MEMBER_NAME

FORMER_MEMBER = _("Former member")


def name_of(request: Request, user: Any) -> str:
    """Return the name to show for `user`, a User or a row with its name, email and activity."""
    return translate(request, FORMER_MEMBER) if is_former_member(request, user) else user.name


def is_former_member(request: Request, user: Any) -> bool:
    """Return whether `user` is not a person, but stands for people who were erased."""
    return user.name == FORMER_MEMBER_NAME and user.email is None and not user.active
