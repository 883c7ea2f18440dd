"""The table of security events."""

import datetime
import json
from collections.abc import Mapping
from types import NoneType
from typing import Any

from sqlalchemy import CheckConstraint, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from ...db import Base
from ...db.base import limit_lengths, utcnow
from ...signin.models import ADDRESS_LENGTH

KIND_LENGTH = 40
REQUEST_LENGTH = 32
FACTS_LENGTH = 1000


class SecurityEvent(Base):
    """A security event; with a `number`, that many of a kind in the minute that begins at `happened_at`.

    `user_id` is the person whom it is about, `actor_id` the one who was signed in. They are no foreign keys, since
    events outlive people. `facts` are JSON without names, emails and secrets.
    """

    __tablename__ = "security_events"
    __is_bookkeeping__ = True

    id: Mapped[int] = mapped_column(primary_key=True)
    happened_at: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    kind: Mapped[str] = mapped_column(String(KIND_LENGTH))
    user_id: Mapped[int | None] = mapped_column()
    actor_id: Mapped[int | None] = mapped_column()
    address: Mapped[str] = mapped_column(String(ADDRESS_LENGTH), default="", server_default=text("''"))
    request_id: Mapped[str] = mapped_column(String(REQUEST_LENGTH), default="", server_default=text("''"))
    facts: Mapped[str] = mapped_column(Text, default="{}", server_default=text("'{}'"))
    number: Mapped[int | None] = mapped_column()

    __table_args__ = (
        CheckConstraint("number >= 1", name="number_positive"),
        limit_lengths(kind=KIND_LENGTH, address=ADDRESS_LENGTH, request_id=REQUEST_LENGTH, facts=FACTS_LENGTH),
        Index(None, happened_at, id),
        Index(None, kind, happened_at, id),
        # It also finds when a person signed in last.
        Index(None, user_id, kind, happened_at),
        Index(None, actor_id, happened_at),
        # The id of a deleted event is never given to another one.
        {"sqlite_autoincrement": True},
    )

    def empty(self) -> None:
        """Remove whatever says more than that something happened, when, and to which number."""
        self.address, self.request_id, self.facts = "", "", "{}"

    def keep_facts(self, facts: Mapping[str, Any]) -> None:
        """Store `facts`, which JSON can express."""
        self.facts = json.dumps(facts)

    def load_facts(self) -> dict[str, Any]:
        """Return the stored facts that are texts, numbers and the like; `{}` if they are no JSON object."""
        try:
            facts = json.loads(self.facts)
        except ValueError:
            return {}
        plain = (str, int, bool, NoneType)
        return (
            {name: fact for name, fact in facts.items() if isinstance(fact, plain)} if isinstance(facts, dict) else {}
        )
