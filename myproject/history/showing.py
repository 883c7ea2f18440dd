"""What the pages of the history show of an entry, of a change and of its fields."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from ..db import to_id
from ..posts.models import Post
from ..users.models import User
from ..web.request import Request
from .access import is_private, sees_everything, undo_path
from .deeds import deeds_of
from .diff import Piece, diff
from .kinds import RecordKey, kind_of
from .labels import PERSON_COLUMNS, changed_columns, column_label, columns_of, show_value, title_of
from .models import Change, Entry
from .people import names_of, people_in
from .reading import existing_ids, last_change, undoing_entries
from .words import LONGEST_VALUE, tell_change, tell_entry

# The models of records that have a page of their own.
PAGES = {"users": (User, "users"), "posts": (Post, "posts")}


@dataclass(frozen=True)
class ShownEntry:
    """An entry with its sentence, the entry that has undone it, and the path of the page that undoes it."""

    entry: Entry
    sentence: Markup
    undone_by: int | None
    undo_path: str | None


@dataclass(frozen=True)
class ShownField:
    """A field of a change: its label, and its value before and after; `pieces` if they are texts to compare."""

    column: str
    label: str
    before: str | Markup | None
    after: str | Markup | None
    pieces: Sequence[Piece] = ()


@dataclass(frozen=True)
class ShownChange:
    """A change with its fields, or none if they are private or erased, and the paths that belong to its record."""

    change: Change
    verb: str
    title: str
    is_private: bool
    is_erased: bool
    fields: Sequence[ShownField]
    path: str | None
    history_path: str | None
    undo_path: str | None
    sentence: Markup


def show_entries(request: Request, entries: Sequence[Entry]) -> list[ShownEntry]:
    """Return the entries in words, by the same number of queries however many they are."""
    ids = [entry.id for entry in entries]
    deeds = deeds_of(request.dbsession, ids)
    changes = [deed.change for parts in deeds.values() for deed in parts]
    people, undone = names_of(request, people_in(entries, changes)), undoing_entries(request.dbsession, ids)
    return [
        ShownEntry(
            entry, tell_entry(request, entry, deeds[entry.id], people), undone.get(entry.id), undo_path(request, entry)
        )
        for entry in entries
    ]


def show_changes(request: Request, changes: Sequence[Change]) -> list[ShownChange]:
    """Return the changes, whose entries are loaded, by the same number of queries however many they are."""
    people = names_of(request, people_in([change.entry for change in changes], changes))
    existing = existing_records(request, changes)
    return [show_change(request, change, people, existing) for change in changes]


def show_change(
    request: Request, change: Change, people: Mapping[int, str], existing: Collection[RecordKey]
) -> ShownChange:
    """Return one change; `people` are names by id, `existing` the records that exist now."""
    hidden, key = is_private(request, change), (change.table_name, change.record_id)
    is_erased = {} in (change.before, change.after)
    return ShownChange(
        change=change,
        verb=kind_of(change).verb,
        title="" if hidden else title_of(change.table_name, change.after or change.before),
        is_private=hidden,
        is_erased=is_erased,
        fields=[] if hidden or is_erased else show_fields(request, change, people),
        path=path_of(request, key) if key in existing else None,
        history_path=history_path_of(request, key),
        undo_path=undo_path(request, change.entry, key),
        sentence=tell_change(request, change.entry, change, people),
    )


def show_fields(request: Request, change: Change, people: Mapping[int, str]) -> list[ShownField]:
    """Return the fields that differ before and after; of an added or a deleted record those that are not empty."""
    return [show_field(request, change, column, people) for column in changed_columns(change)]


def show_field(request: Request, change: Change, column: str, people: Mapping[int, str]) -> ShownField:
    """Return one field of a change."""
    label = column_label(request, change.table_name, column)
    sides = [None if side is None else side.get(column) for side in (change.before, change.after)]
    if all(isinstance(side, str) for side in sides) and max(map(len, map(str, sides))) > LONGEST_VALUE:
        return ShownField(column, label, None, None, diff(*map(str, sides)))
    before, after = (
        None if side is None else show_value(request, column, value, people)
        for side, value in zip((change.before, change.after), sides, strict=True)
    )
    return ShownField(column, label, before, after)


def show_values(request: Request, table: str, values: Mapping[str, Any]) -> list[tuple[str, str, str | Markup]]:
    """Return (column, label, value) of the recorded `values` of a record, as they were at one moment."""
    people = names_of(request, {value for name, value in values.items() if name in PERSON_COLUMNS})
    columns = columns_of(table, values)
    return [
        (name, column_label(request, table, name), show_value(request, name, values[name], people)) for name in columns
    ]


def existing_records(request: Request, changes: Iterable[Change]) -> set[RecordKey]:
    """Return those records of `changes` that have a page now."""
    found: set[RecordKey] = set()
    for table, (model, _route) in PAGES.items():
        ids = {change.record_id for change in changes if change.table_name == table}
        found |= {(table, number) for number in existing_ids(request.dbsession, model, ids)}
    return found


def path_of(request: Request, key: RecordKey) -> str | None:
    """Return the path of a record's page, or `None` for one without a page of its own."""
    table, record_id = key
    is_reachable = table in PAGES and to_id(record_id) is not None
    return request.route_path(f"{PAGES[table][1]}.show", id=record_id) if is_reachable else None


def name_of_record(request: Request, key: RecordKey) -> str:
    """Return the name or title that a record had at last, unless it is a private saved view of somebody else."""
    last = last_change(request.dbsession, key)
    if last is None or is_private(request, last):
        return ""
    return title_of(last.table_name, last.after or last.before)


def history_path_of(request: Request, key: RecordKey) -> str | None:
    """Return the path of the changes of a record, or `None` if there is none that the person may open."""
    table, record_id = key
    # Another program may have given a record an id that no URL can name.
    if to_id(record_id) is None:
        return None
    if table in PAGES:
        return request.route_path(f"{PAGES[table][1]}.history", id=record_id)
    if not sees_everything(request):
        return None
    return request.route_path("history.list", _query={"record": f"{table}-{record_id}"})
