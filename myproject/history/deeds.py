"""What entries have done: how many records of each kind. Counting 100,000 changes takes no longer than 1,000."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, false, func, literal, select, true, union_all
from sqlalchemy.orm import Session

from .kinds import IS_MISSING, KINDS, Kind, kind_of
from .models import Change, Entry

# Beyond it, a page says "more than".
MOST_COUNTED = 1000


@dataclass(frozen=True)
class Deed:
    """One kind of changes in an entry: `number` of them, at most MOST_COUNTED + 1; `change` if it is the only one."""

    kind: Kind
    number: int
    change: Change | None = None


def deeds_of(dbsession: Session, entry_ids: Collection[int]) -> Mapping[int, list[Deed]]:
    """Return the Deeds of each entry, in the order of KINDS, by two queries."""
    rows = dbsession.execute(_select_numbers(entry_ids)).all() if entry_ids else []
    only_ids = [change_id for *_, number, change_id in rows if number == 1]
    found = dbsession.scalars(select(Change).where(Change.id.in_(only_ids))) if only_ids else ()
    changes = {(change.entry_id, *kind_of(change)): change for change in found}
    deeds: dict[int, list[Deed]] = {entry_id: [] for entry_id in entry_ids}
    for entry_id, name, number, _change_id in sorted(rows, key=lambda row: list(KINDS).index(row.name)):
        if number:
            change = changes.get((entry_id, *KINDS[name])) if number == 1 else None
            deeds[entry_id].append(Deed(KINDS[name], number, change))
    return deeds


def _select_numbers(entry_ids: Collection[int]) -> Select[Any]:
    """Select (entry, name of the kind, number, id of one change); each number is counted in the index of kinds."""
    kinds = union_all(*(_select_kind(name, kind) for name, kind in KINDS.items())).cte("kinds")
    changes = (
        select(Change.id)
        .where(
            Change.table_name == kinds.c.table_name,
            Change.after.is_(None) == kinds.c.no_after,
            Change.before.is_(None) == kinds.c.no_before,
            Change.entry_id == Entry.id,
        )
        .correlate(kinds, Entry)
    )
    counted = select(func.count()).select_from(changes.limit(MOST_COUNTED + 1).subquery()).scalar_subquery()
    one = changes.limit(1).scalar_subquery()
    numbers = select(Entry.id, kinds.c.name, counted.label("number"), one).select_from(Entry).join(kinds, true())
    return numbers.where(Entry.id.in_(entry_ids))


def _select_kind(name: str, kind: Kind) -> Select[*tuple[Any, ...]]:
    no_after, no_before = (true() if is_missing else false() for is_missing in IS_MISSING[kind.verb])
    names = literal(name).label("name"), literal(kind.table).label("table_name")
    return select(*names, no_after.label("no_after"), no_before.label("no_before"))
