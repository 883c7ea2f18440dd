"""What the ledger consists of: entries, and the changes of records in them. Triggers write both (recording.py)."""

import datetime
from collections.abc import Collection
from typing import Any

from pyramid.authorization import Allow
from sqlalchemy import JSON, Index, String, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..db import Base
from ..db.base import limit_lengths
from ..security import SITE_ACL

ROUTE_LENGTH = 100
REQUEST_ID_LENGTH = 100
TABLE_NAME_LENGTH = 63

# `None` is NULL: a change without `before` added the record.
Values = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class Entry(Base):
    """A transaction that changed records: when, by whom, by which page or command, and in which attempt.

    `route` is the name of the page's route or of the command; without one, the change came from another program.
    `actor_id` is the user who was signed in, who may have been deleted since. `undoes_id` is the entry that this one
    has undone.
    """

    __tablename__ = "history_entries"

    id: Mapped[int] = mapped_column(primary_key=True)
    created_at: Mapped[datetime.datetime]
    actor_id: Mapped[int | None]
    route: Mapped[str | None] = mapped_column(String(ROUTE_LENGTH))
    request_id: Mapped[str | None] = mapped_column(String(REQUEST_ID_LENGTH))
    attempts: Mapped[int | None]
    undoes_id: Mapped[int | None] = mapped_column(index=True)

    changes: Mapped[list["Change"]] = relationship(
        back_populates="entry", order_by="Change.id", viewonly=True, primaryjoin="foreign(Change.entry_id) == Entry.id"
    )

    # The ids of members who may see some of it: set for the member who asks (access.py).
    readers: Collection[int] = ()

    def __acl__(self) -> list[tuple[str, str, list[str]]]:
        """Return the permissions on the entry: members may see, and undo, what has changed their own record or post."""
        return [*SITE_ACL, *((Allow, f"user:{reader}", ["history", "undo"]) for reader in self.readers)]

    __table_args__ = (
        limit_lengths(route=ROUTE_LENGTH, request_id=REQUEST_ID_LENGTH),
        Index(None, "created_at", "id"),
        Index(None, "actor_id", "id"),
        Index(None, "route", "id"),
        # The id of a removed entry is never given to another one.
        {"sqlite_autoincrement": True},
    )


class Change(Base):
    """What a transaction did to one record: its recorded columns before and after.

    `before` is `None` if the record was added, `after` if it was deleted; both are `{}` after its person was erased.
    `record_version` is the version of the record after the change, or that of the deleted record. On SQLite it can be
    lower by one, because the version is raised by a later trigger.
    """

    __tablename__ = "history_changes"

    id: Mapped[int] = mapped_column(primary_key=True)
    # No foreign key: with one, each write would read the entries, and serializable transactions would conflict.
    entry_id: Mapped[int]
    table_name: Mapped[str] = mapped_column(String(TABLE_NAME_LENGTH))
    record_id: Mapped[int]
    record_version: Mapped[int]
    # To whom the record belongs: the user themself, the author of a post, the user of a saved view.
    owner_id: Mapped[int] = mapped_column(index=True)
    before: Mapped[dict[str, Any] | None] = mapped_column(Values)
    after: Mapped[dict[str, Any] | None] = mapped_column(Values)

    entry: Mapped[Entry] = relationship(
        back_populates="changes", viewonly=True, primaryjoin="foreign(Change.entry_id) == Entry.id"
    )

    __table_args__ = (
        limit_lengths(table_name=TABLE_NAME_LENGTH),
        # PostgreSQL's triggers find by it that a record was changed before in the same transaction.
        UniqueConstraint("entry_id", "table_name", "record_id"),
        Index(None, "table_name", "record_id", "id"),
        {"sqlite_autoincrement": True},
    )


# Entries by what they did, and records that were deleted. The table is not its first column: before PostgreSQL has
# statistics of many new changes, it would find those of one record by it, which takes minutes for an undo of many.
Index("ix_history_changes_kind", Change.after.is_(None), Change.before.is_(None), Change.table_name, Change.entry_id)
