"""Figures that take too long to count for each page: they are stored, and counted again when they are old."""

import datetime
import json
from typing import Any

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from ..db import Base
from ..db.base import limit_lengths, utcnow

# Figures older than this are counted again when somebody opens the page.
COUNTING_INTERVAL = datetime.timedelta(minutes=5)
# How long a process may take to count. If it dies meanwhile, the others wait as long before one of them counts.
CLAIM_LIFETIME = datetime.timedelta(minutes=5)
NAME_LENGTH, FIGURES_LENGTH = 100, 10_000


class StoredFigures(Base):
    """The figures called `name` as JSON, when they were counted, and until when a process has claimed to count them.

    A row without figures was claimed for the first time.
    """

    __tablename__ = "stored_figures"
    __is_bookkeeping__ = True

    name: Mapped[str] = mapped_column(String(NAME_LENGTH), primary_key=True)
    figures: Mapped[str | None] = mapped_column(Text)
    counted_at: Mapped[datetime.datetime | None]
    claimed_until: Mapped[datetime.datetime | None]

    __table_args__ = (limit_lengths(name=NAME_LENGTH, figures=FIGURES_LENGTH),)

    @property
    def is_due(self) -> bool:
        """Whether the figures are missing or old, and no process is counting."""
        # A process whose clock was wrong may have claimed for longer.
        is_claimed = self.claimed_until is not None and utcnow() < self.claimed_until <= utcnow() + CLAIM_LIFETIME
        return not is_claimed and not self.is_recent

    @property
    def is_recent(self) -> bool:
        """Whether the figures need not be counted again. Those of a wrong clock, dated in the future, need it."""
        return self.counted_at is not None and abs(utcnow() - self.counted_at) < COUNTING_INTERVAL

    def claim(self) -> None:
        """Keep other processes from counting."""
        self.claimed_until = utcnow() + CLAIM_LIFETIME

    def store(self, figures: Any, counted_at: datetime.datetime) -> None:
        """Keep `figures`, anything that JSON can express, and end the claim."""
        self.figures, self.counted_at, self.claimed_until = json.dumps(figures), counted_at, None

    def load(self) -> Any:
        """Return the figures, or `None` before they were first counted."""
        return None if self.figures is None else json.loads(self.figures)
