"""Reads the ledger: pages of entries and of changes, at the same cost among many entries as among few."""

import datetime
from collections.abc import Collection, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Row, Select, func, literal, select
from sqlalchemy.orm import Session, aliased, contains_eager, joinedload

from ..db import Base
from ..web.days import start_of_day, start_of_next_day
from ..web.pagination import KeysetCondition, Page, ReadRows, in_order, page_of, read_page
from .filters import Filters
from .kinds import DELETED, Kind, RecordKey, of_kind
from .models import Change, Entry
from .values import is_erased


def read_entries(dbsession: Session, filters: Filters, zone: ZoneInfo, cursor: str | None = None) -> Page:
    """Return a Page of the entries that meet `filters`, the newest first; its days are those of `zone`."""
    conditions = conditions_of(filters, zone)
    if filters.kind is not None and filters.record is None and not conditions:
        return _with_entities(read_page(*_of_kind(dbsession, filters.kind), cursor, **_options(filters)))
    if filters.record is not None:
        # By the order of the record's changes, of which an entry has one.
        of_record = [*is_of(filters.record), *(of_kind(filters.kind) if filters.kind else ())]
        entries = select(Entry).join(Change, Change.entry_id == Entry.id).where(*of_record, *conditions)
        return _read_page(dbsession, entries, [Change.id], cursor, filters)
    if filters.kind is not None:
        conditions.append(_has_change(filters.kind))
    return _read_page(dbsession, select(Entry).where(*conditions), keys_of(filters), cursor, filters)


def keys_of(filters: Filters) -> list[Any]:
    """Return the columns by which entries are sorted: those of the index that finds the first ones."""
    has_other_index = filters.person_id is not None or filters.is_of_program or filters.route
    return [Entry.created_at, Entry.id] if filters.has_days and not has_other_index else [Entry.id]


def conditions_of(filters: Filters, zone: ZoneInfo) -> list[ColumnElement[bool]]:
    """Return the conditions of `filters` on an entry itself: all but those on its changes."""
    conditions = []
    if filters.person_id is not None:
        conditions.append(Entry.actor_id == filters.person_id)
    if filters.is_of_program:
        conditions.append(Entry.route.is_(None))
    if filters.route is not None:
        conditions.append(Entry.route == filters.route)
    if filters.first_day is not None:
        conditions.append(Entry.created_at >= start_of_day(filters.first_day, zone))
    if filters.last_day is not None:
        conditions.append(Entry.created_at < start_of_next_day(filters.last_day, zone))
    return conditions


def is_of(record: RecordKey) -> tuple[ColumnElement[bool], ...]:
    """Return the SQL conditions of a change of this record."""
    table, record_id = record
    return Change.table_name == table, Change.record_id == record_id


def _read_page(
    dbsession: Session,
    entries: Select[Any],
    keys: Sequence[Any],
    cursor: str | None,
    filters: Filters,
) -> Page:
    # PostgreSQL does not know that rows whose route is NULL have the same one, unless it is asked to sort by it.
    same = [Entry.route] if filters.is_of_program else []

    def read(condition: KeysetCondition, ascending: bool, limit: int) -> Sequence[Row[Any]]:
        rows = entries.add_columns(*keys).where(*condition.conditions)
        return dbsession.execute(rows.order_by(*in_order([*same, *keys], ascending)).limit(limit)).all()

    return _with_entities(read_page(read, keys, cursor, **_options(filters)))


def _options(filters: Filters) -> dict[str, Any]:
    return {"descending": True, "list_name": filters.query}


def _with_entities(page: Page) -> Page:
    return Page([entity for entity, *_keys in page.rows], page.previous, page.next, page.is_beyond_end)


def _has_change(kind: Kind) -> ColumnElement[bool]:
    """Return the condition that an entry has a change of this kind: asked for each entry, never by a join with all."""
    found = select(Change.id).where(*of_kind(kind), Change.entry_id == Entry.id).limit(1)
    return found.correlate(Entry).scalar_subquery().is_not(None)


def _of_kind(dbsession: Session, kind: Kind) -> tuple[ReadRows, Sequence[Any]]:
    """Return the function that reads entries with a change of this kind, and its keys.

    It jumps from one entry to the next in the index of kinds, however many such changes each of them has.
    """

    def read(condition: KeysetCondition, ascending: bool, limit: int) -> Sequence[Row[Any]]:
        def next_entry(edge: Any) -> ColumnElement[int | None]:
            beyond = [] if edge is None else [Change.entry_id > edge if ascending else Change.entry_id < edge]
            entries = select(Change.entry_id).where(*of_kind(kind), *beyond)
            return entries.order_by(*in_order([Change.entry_id], ascending)).limit(1).scalar_subquery()

        edge = condition.values[0] if condition.values else None
        found = select(next_entry(edge).label("id"), literal(1).label("number")).cte("found", recursive=True)
        is_wanted = found.c.id.is_not(None), found.c.number < limit
        found = found.union_all(select(next_entry(found.c.id), found.c.number + 1).where(*is_wanted))
        entries = select(Entry).add_columns(Entry.id).join(found, found.c.id == Entry.id)
        rows: Sequence[Row[Any]] = dbsession.execute(entries.order_by(*in_order([Entry.id], ascending))).all()
        return rows

    return read, [Entry.id]


def changes_of_entry(
    dbsession: Session, entry: Entry, cursor: str | None, conditions: Sequence[ColumnElement[bool]] = ()
) -> Page:
    """Return a Page of the changes of `entry` that meet `conditions`, by table and record."""
    changes = select(Change).where(Change.entry_id == entry.id, *conditions)
    return page_of(dbsession, changes, [Change.table_name, Change.record_id], cursor)


def changes_of_record(dbsession: Session, record: RecordKey, cursor: str | None = None) -> Page:
    """Return a Page of the changes of a record with their entries, the newest first."""
    changes = select(Change).where(*is_of(record)).options(joinedload(Change.entry, innerjoin=True))
    return page_of(dbsession, changes, [Change.id], cursor, descending=True)


def last_change(dbsession: Session, record: RecordKey, until: datetime.datetime | None = None) -> Change | None:
    """Return the last change of a record with its entry, of those `until` a moment, or `None`."""
    changes = select(Change).join(Entry, Entry.id == Change.entry_id).where(*is_of(record))
    if until is not None:
        changes = changes.where(Entry.created_at <= until)
    return dbsession.scalar(changes.order_by(Change.id.desc()).limit(1).options(contains_eager(Change.entry)))


def first_change(dbsession: Session, record: RecordKey) -> Change | None:
    """Return the first change of a record, or `None`."""
    return dbsession.scalar(select(Change).where(*is_of(record)).order_by(Change.id).limit(1))


def deleted_records(dbsession: Session, model: type[Base], cursor: str | None = None) -> Page:
    """Return a Page of the deletions of records of `model` that do not exist now, the newest first.

    Without those of erased people, whose values are gone.
    """
    table, later = model.__table__, aliased(Change)
    exists = select(table.c.id).where(table.c.id == Change.record_id).exists()
    of_record = later.table_name == Change.table_name, later.record_id == Change.record_id
    is_changed_since = select(later.id).where(*of_record, later.id > Change.id).exists()
    conditions = [
        *of_kind(Kind(model.__tablename__, DELETED)),
        ~exists,
        ~is_changed_since,
        ~is_erased(Change),
    ]
    deletions = select(Change).where(*conditions).options(joinedload(Change.entry, innerjoin=True))
    return page_of(dbsession, deletions, [Change.entry_id, Change.id], cursor, descending=True)


def start_of_history(dbsession: Session) -> datetime.datetime | None:
    """Return the moment of the first entry, or `None`: changes before it are not recorded, or no longer."""
    return dbsession.scalar(select(Entry.created_at).order_by(Entry.id).limit(1))


def undoing_entries(dbsession: Session, entry_ids: Collection[int]) -> dict[int, int]:
    """Return the id of the last entry that has undone each of the entries `entry_ids`, if any has."""
    undoing = select(Entry.undoes_id, func.max(Entry.id)).where(Entry.undoes_id.in_(entry_ids))
    return {undone: last for undone, last in dbsession.execute(undoing.group_by(Entry.undoes_id)).all() if undone}


def existing_ids(dbsession: Session, model: type[Base], ids: Collection[int]) -> set[int]:
    """Return those of `ids` that records of `model` have now."""
    column = model.__table__.c.id
    return set(dbsession.scalars(select(column).where(column.in_(ids)))) if ids else set()
