"""What pages call the tables, columns, pages and commands that the ledger names, and how they show a recorded value."""

import datetime
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup
from pyramid.i18n import TranslationString

from ..users.fields import FIELDS, ROLE_NAMES
from ..web.i18n import _, format_moment, format_number, translate
from ..web.rendering import isolate
from ..web.request import Request
from .kinds import ADDED, CHANGED, DELETED
from .models import Change

VERB_NAMES = {ADDED: _("Added"), CHANGED: _("Changed"), DELETED: _("Deleted")}
KIND_NAMES = {
    "users-added": _("Users added"),
    "users-changed": _("Users changed"),
    "users-deleted": _("Users deleted"),
    "posts-added": _("Posts added"),
    "posts-changed": _("Posts changed"),
    "posts-deleted": _("Posts deleted"),
    "saved_views-added": _("Saved views added"),
    "saved_views-changed": _("Saved views changed"),
    "saved_views-deleted": _("Saved views deleted"),
}
TABLE_NAMES = {"users": _("User"), "posts": _("Post"), "saved_views": _("Saved view")}
# In the order in which pages show them.
COLUMN_NAMES: Mapping[str, Mapping[str, TranslationString]] = {
    "users": {
        **{field.name: field.label for field in FIELDS},
        "time_zone": _("Time zone"),
        "created_at": _("Joined"),
    },
    "posts": {"title": _("Title"), "body": _("Text"), "author_id": _("Author"), "created_at": _("Written")},
    "saved_views": {
        "name": _("Name"),
        "query": _("Filters"),
        "for_all": _("Shared"),
        "user_id": _("Saved by"),
        "created_at": _("Saved"),
    },
}
PAGE_NAMES = {
    "users.new": _("Add a user"),
    "users.edit": _("Edit a user"),
    "users.delete": _("Delete a user"),
    "users.erase": _("Erase permanently"),
    "users.import.show": _("Import users"),
    "users.time_zone": _("Time zone"),
    "users.bulk.apply": _("Change many users"),
    "posts.new": _("Write a post"),
    "posts.edit": _("Edit a post"),
    "posts.delete": _("Delete a post"),
    "users.views.new": _("Save a view"),
    "users.views.edit": _("Edit a saved view"),
    "users.views.delete": _("Delete a saved view"),
    "history.undo": _("Undo"),
    "setup": _("Set up this site"),
}
COMMANDS = ("create_admin", "demo", "import_users")
# Columns that name a user by their id.
PERSON_COLUMNS = ("author_id", "user_id")
CHOICES: Mapping[str, Mapping[str, TranslationString]] = {"role": ROLE_NAMES}


def column_label(request: Request, table: str, column: str) -> str:
    """Return the label of a column; of one that this version does not know, its name."""
    return translate(request, COLUMN_NAMES.get(table, {}).get(column, column))


def columns_of(table: str, *sides: Mapping[str, Any] | None) -> list[str]:
    """Return the columns that recorded values of a table have, in the order of pages; unknown ones come last."""
    found = {column for side in sides for column in side or {}}
    known = [column for column in COLUMN_NAMES.get(table, {}) if column in found]
    return [*known, *sorted(found.difference(known))]


def changed_columns(change: Change) -> list[str]:
    """Return the columns whose values differ before and after a change, in the order of pages."""
    before, after = change.before or {}, change.after or {}
    return [name for name in columns_of(change.table_name, before, after) if before.get(name) != after.get(name)]


def origin_label(request: Request, route: str | None) -> str:
    """Return what pages call the page or command of an entry."""
    if route is None:
        return translate(request, _("outside the application"))
    return translate(request, PAGE_NAMES.get(route, route))


def is_command(request: Request, route: str) -> bool:
    """Return whether `route` of an entry is the name of a command, and not that of a page."""
    return request.registry.introspector.get("routes", route) is None


def title_of(table: str, values: Mapping[str, Any] | None) -> str:
    """Return the name or title among the recorded `values` of a record; empty if they were erased."""
    return str((values or {}).get("title" if table == "posts" else "name") or "")


def show_value(request: Request, column: str, value: Any, people: Mapping[int, str]) -> str | Markup:
    """Return a recorded value as pages show it; `people` are names by id. A program may have written any JSON."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return translate(request, _("Yes") if value else _("No"))
    if isinstance(value, int):
        return show_number(request, column, value, people)
    moment = read_moment(value) if column == "created_at" else None
    if moment is not None:
        return format_moment(request, moment)
    text = str(value)
    return isolate(translate(request, CHOICES.get(column, {}).get(text, text)))


def show_number(request: Request, column: str, number: int, people: Mapping[int, str]) -> str | Markup:
    """Return a number, or the name of the person whose id it is."""
    if column in PERSON_COLUMNS:
        return isolate(people.get(number) or translate(request, _("Deleted user")))
    return format_number(request, number)


def read_moment(value: Any) -> datetime.datetime | None:
    """Return the moment that a column has, or the JSON of one: without a zone it is UTC. `None` if it is none."""
    try:
        moment = value if isinstance(value, datetime.datetime) else datetime.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
