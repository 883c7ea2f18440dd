"""What stands in the cells of the list."""

from markupsafe import escape

from ..i18n import _, format_date, translate
from ..rendering import breakable
from .forms import ROLE_NAMES
from .marking import mark


def cells(request, rows, columns, words, badge):
    """Return the id, the name, `badge` of whoever is inactive, and `columns`, of each of `rows`, read by a Finder.

    They are texts, numbers and HTML; the `words` that were searched for are marked.
    """
    ids, names, emails, ages, roles, actives, joined = zip(*rows, strict=True)
    role_names = {role: escape(translate(request, name)) for role, name in ROLE_NAMES.items()}
    yes, no = escape(translate(request, _("Yes"))), escape(translate(request, _("No")))
    cells_of = {
        "email": lambda: ["–" if not email else mark(email, words) if words else breakable(email) for email in emails],
        "age": lambda: ["–" if age is None else age for age in ages],
        "role": lambda: [role_names[role] for role in roles],
        "active": lambda: [yes if active else no for active in actives],
        "joined": lambda: [format_date(request, moment) for moment in joined],
    }
    badges = ["" if active else badge for active in actives]
    shown = [mark(name, words) for name in names] if words else names
    return zip(ids, shown, badges, *(cells_of[name]() for name in columns), strict=True)
