"""Which imports have been applied, written in the transaction of the import itself."""

import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from ...db import Base
from ...db.base import limit_lengths, utcnow

IMPORT_ID_LENGTH = 36


class AppliedImport(Base):
    """An import that has been applied: after a COMMIT whose answer was lost, any process can tell that it was.

    `user_id` is the person who imported, who may have been deleted since; a command has none.
    """

    __tablename__ = "applied_imports"
    __is_bookkeeping__ = True

    id: Mapped[str] = mapped_column(String(IMPORT_ID_LENGTH), primary_key=True)
    user_id: Mapped[int | None]
    # How many users it has added, and how many it has changed.
    added: Mapped[int]
    changed: Mapped[int]
    created_at: Mapped[datetime.datetime] = mapped_column(default=utcnow)

    __table_args__ = (limit_lengths(id=IMPORT_ID_LENGTH), Index(None, "created_at"))
