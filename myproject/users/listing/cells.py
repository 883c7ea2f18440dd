"""What stands in the cells of the list."""

from markupsafe import Markup

from ...web.i18n import _, format_date, translate
from ...web.rendering import breakable
from ..fields import ROLE_NAMES
from .marking import mark

NOTHING = Markup()


def cells(request, rows, columns, view, badge):
    """Return the ids, the names, `badge` for whoever is inactive, and `columns`, of `rows` read by a Finder.

    Each is a column, as `for_each` takes them; the words that were searched for in it are marked.
    """
    ids, names, emails, ages, roles, actives, joined, *_keys = zip(*rows, strict=True)

    def in_words(column, names):
        translated = {value: translate(request, name) for value, name in names.items()}
        return [translated[value] for value in column]

    def marked(texts, *fields):
        words = view.words(*fields)
        return mark(texts, words) if words else texts

    cells_of = {
        "email": lambda: breakable(marked([email or "–" for email in emails], "text", "email")),
        "age": lambda: ["–" if age is None else str(age) for age in ages],
        "role": lambda: in_words(roles, ROLE_NAMES),
        "active": lambda: in_words(actives, {True: _("Yes"), False: _("No")}),
        "joined": lambda: [format_date(request, moment) for moment in joined],
    }
    badges = [NOTHING if active else badge for active in actives]
    return [ids, marked(names, "text"), badges, *(cells_of[name]() for name in columns)]
