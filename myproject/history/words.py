"""An entry in words, who did what: “Ada Lovelace changed the role of Bob from member to editor”.

Each text is a whole sentence or, in a list of what was done, a whole part of one, so that a language can order it in
its own way. Korean needs no particle after a name.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from babel.lists import format_list
from markupsafe import Markup, escape
from pyramid.i18n import TranslationString

from ..web.i18n import _, format_number, translate
from ..web.rendering import isolate
from ..web.request import Request
from .access import is_private
from .deeds import MOST_COUNTED, Deed
from .kinds import ADDED, CHANGED, DELETED, Kind, kind_of
from .labels import CHOICES, changed_columns, column_label, is_command, show_value, title_of
from .models import Change, Entry

# A longer value is shown on the page of the entry only.
LONGEST_VALUE = 60

BY_PERSON = _("${who} ${deeds}")
BY_DELETED = _("A deleted user ${deeds}")
BY_STRANGER = _("Somebody who was not signed in ${deeds}")
BY_COMMAND = _("The command ${who} ${deeds}")
BY_PROGRAM = _("Another program ${deeds}")

ONE: Mapping[Kind, TranslationString] = {
    Kind("users", ADDED): _("added ${name}"),
    Kind("users", CHANGED): _("changed the ${fields} of ${name}"),
    Kind("users", DELETED): _("deleted ${name}"),
    Kind("posts", ADDED): _("added the post “${name}”"),
    Kind("posts", CHANGED): _("changed the ${fields} of the post “${name}”"),
    Kind("posts", DELETED): _("deleted the post “${name}”"),
    Kind("saved_views", ADDED): _("saved the view “${name}”"),
    Kind("saved_views", CHANGED): _("changed the ${fields} of the saved view “${name}”"),
    Kind("saved_views", DELETED): _("deleted the saved view “${name}”"),
}
SEVERAL: Mapping[Kind, TranslationString] = {
    Kind("users", ADDED): _("added ${count} users"),
    Kind("users", CHANGED): _("changed ${count} users"),
    Kind("users", DELETED): _("deleted ${count} users"),
    Kind("posts", ADDED): _("added ${count} posts"),
    Kind("posts", CHANGED): _("changed ${count} posts"),
    Kind("posts", DELETED): _("deleted ${count} posts"),
    Kind("saved_views", ADDED): _("saved ${count} views"),
    Kind("saved_views", CHANGED): _("changed ${count} saved views"),
    Kind("saved_views", DELETED): _("deleted ${count} saved views"),
}
# With the values of the only field that was changed.
FROM_TO: Mapping[str, TranslationString] = {
    "users": _("changed the ${fields} of ${name} from ${before} to ${after}"),
    "posts": _("changed the ${fields} of the post “${name}” from ${before} to ${after}"),
    "saved_views": _("changed the ${fields} of the saved view “${name}” from ${before} to ${after}"),
}
ENTERED, REMOVED = _("entered the ${fields} of ${name}: ${after}"), _("removed the ${fields} of ${name}: ${before}")
SHARED, UNSHARED = _("shared the view “${name}” with everyone"), _("stopped sharing the view “${name}”")
ACTIVATED, DEACTIVATED = _("activated ${name}"), _("deactivated ${name}")
RENAMED = _("renamed ${before} to ${after}")
PRIVATE = {
    ADDED: _("saved a private view"),
    CHANGED: _("changed a private saved view"),
    DELETED: _("deleted a private saved view"),
}
ERASED = _("changed data that was permanently erased later")


def tell_entry(request: Request, entry: Entry, deeds: Sequence[Deed], people: Mapping[int, str]) -> Markup:
    """Return the sentence who did the `deeds` of an entry, as HTML; `people` are names by id."""
    parts = [tell_deed(request, deed, people) for deed in deeds]
    # The parts are HTML, and Babel joins them by commas and words.
    listed = Markup(format_list(parts, locale=request.locale_name)) if parts else Markup("–")  # nosec B704
    return tell_who(request, entry, listed, people)


def tell_change(request: Request, entry: Entry, change: Change, people: Mapping[int, str]) -> Markup:
    """Return the sentence who made one `change` of an entry, as HTML."""
    return tell_entry(request, entry, [Deed(kind_of(change), 1, change)], people)


def tell_who(request: Request, entry: Entry, deeds: Markup, people: Mapping[int, str]) -> Markup:
    """Return the sentence of who did the `deeds` of an entry."""
    if entry.actor_id is not None:
        name = people.get(entry.actor_id)
        return fill_in(request, BY_PERSON if name else BY_DELETED, who=isolate(name), deeds=deeds)
    if entry.route is None:
        return fill_in(request, BY_PROGRAM, deeds=deeds)
    if is_command(request, entry.route):
        return fill_in(request, BY_COMMAND, who=isolate(entry.route), deeds=deeds)
    return fill_in(request, BY_STRANGER, deeds=deeds)


def tell_deed(request: Request, deed: Deed, people: Mapping[int, str]) -> Markup:
    """Return what was done to the records of one kind: “added 3 users”; to a single one, by its name."""
    if deed.change is None:
        most = format_number(request, min(deed.number, MOST_COUNTED))
        return fill_in(request, SEVERAL[deed.kind], count=f"{most}+" if deed.number > MOST_COUNTED else most)
    change = deed.change
    if is_private(request, change):
        return fill_in(request, PRIVATE[deed.kind.verb])
    # A changed record by its name before: “renamed Bob to Robert”.
    name = title_of(change.table_name, change.before or change.after)
    if not name or {} in (change.before, change.after):
        return fill_in(request, ERASED)
    text, values = tell_fields(request, change, people) if deed.kind.verb == CHANGED else (ONE[deed.kind], {})
    return fill_in(request, text, name=isolate(name), **values)


def tell_fields(
    request: Request, change: Change, people: Mapping[int, str]
) -> tuple[TranslationString, dict[str, Any]]:
    """Return the text for what was changed in a record, and its values: with both values if it is one short field."""
    columns = changed_columns(change)
    labels = [column_label(request, change.table_name, column).lower() for column in columns]
    values: dict[str, Any] = {"fields": format_list(labels, locale=request.locale_name) if labels else "–"}
    if len(columns) != 1:
        return ONE[kind_of(change)], values
    [column] = columns
    sides = [(side or {}).get(column) for side in (change.before, change.after)]
    if any(len(str(side)) > LONGEST_VALUE for side in sides):
        return ONE[kind_of(change)], values
    values["before"], values["after"] = (show_in_sentence(request, column, side, people) for side in sides)
    return text_for_field(change.table_name, column, *sides), values


def show_in_sentence(request: Request, column: str, value: Any, people: Mapping[int, str]) -> str:
    """Return a value within a sentence, where a role is written as other words are."""
    shown = show_value(request, column, value, people)
    return shown.lower() if column in CHOICES else shown


def text_for_field(table: str, column: str, before: Any, after: Any) -> TranslationString:
    """Return the text for a change of one short field of a record."""
    if (table, column) == ("users", "active"):
        return ACTIVATED if after else DEACTIVATED
    if (table, column) == ("saved_views", "for_all"):
        return SHARED if after else UNSHARED
    if (table, column) == ("users", "name"):
        return RENAMED
    if table == "users" and None in (before, after):
        return ENTERED if before is None else REMOVED
    return FROM_TO[table]


def fill_in(request: Request, text: TranslationString, **values: Any) -> Markup:
    """Return the translated `text` as HTML, with `values` in place of its `${names}`, escaped unless they are HTML."""
    translated = escape(translate(request, text))
    # The text is escaped, and so is each value.
    return Markup(re.sub(r"\$\{(\w+)\}", lambda match: escape(values[match[1]]), translated))  # nosec B704
