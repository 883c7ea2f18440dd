"""What a view asks the database for, as typed values, and the SQL conditions that say it on both databases."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, case, false, func, literal_column, not_, true

from ...web.days import start_of_day, start_of_next_day
from ..models import BY_ADDED, BY_AGE, BY_JOINED, BY_NAME, KINDS, users
from .search import CHOICES, Term
from .view import View

# What the list shows of a user.
SHOWN_COLUMNS = (users.c.id, users.c.name, users.c.email, users.c.age, users.c.role, users.c.active, users.c.created_at)
# The orders that have an index which begins with the columns of KINDS.
ORDERS_WITH_KINDS = (BY_NAME, BY_AGE, BY_JOINED, BY_ADDED)
CHOICE_COLUMNS = {"role": "role", "active": "active", "posts": "has_posts"}


@dataclass(frozen=True)
class Word:
    """Folded text, a word or a phrase, to find in names and email addresses, or in the addresses only."""

    text: str
    in_email: bool = False
    excluded: bool = False
    # Whether a ranked list asks if it begins a word of the name.
    counts_for_rank: bool = field(default=False, compare=False)
    column = "search_text"

    @property
    def beginning(self) -> "Word":
        """The text with the space that is before each word of a name in `search_text`."""
        return Word(f" {self.text}")

    def condition(self, row: Any = users.c) -> ColumnElement[bool]:
        """Return the condition that a row has the word, or does not have it if it is excluded."""
        # In `search_text`, the email is in the third line.
        before = "%\n%\n%" if self.in_email else "%"
        found = row.search_text.like(before + re.sub("([/%_])", r"/\1", self.text) + "%", escape="/")
        return not_(found) if self.excluded else found


@dataclass(frozen=True)
class Range:
    """Bounds of `age`, in years, or of `created_at`, moments with the second one excluded; `None` where open."""

    column: str
    low: Any
    high: Any
    excluded: bool = False

    def is_sought_by(self, keys: tuple[Any, ...]) -> bool:
        """Return whether the users within the bounds are one piece of an index in the order of `keys`."""
        return keys is (BY_AGE if self.column == "age" else BY_JOINED) and not self.excluded

    def condition(self, row: Any = users.c) -> ColumnElement[bool]:
        """Return the condition that a row is within the bounds, or not within them if they are excluded."""
        if self.column == "age":
            # In the index by age, users without an age have -1. They are within no bounds.
            age = func.coalesce(row.age, literal_column("-1"))
            low = 0 if self.low is None else self.low
            within = age >= low if self.high is None else age.between(low, self.high)
        else:
            bounds = [] if self.low is None else [row.created_at >= self.low]
            within = and_(*bounds, *([] if self.high is None else [row.created_at < self.high]))
        return not_(within) if self.excluded else within


@dataclass(frozen=True)
class Choice:
    """The allowed values of one of the columns KINDS."""

    column: str
    values: tuple[Any, ...]

    def condition(self, row: Any = users.c) -> ColumnElement[bool]:
        """Return the condition that a row has one of the values."""
        return row[self.column].in_(self.values)


@dataclass(frozen=True)
class NotAll:
    """That a user lacks at least one of the words."""

    words: tuple[Word, ...]
    column = "search_text"

    def condition(self, row: Any = users.c) -> ColumnElement[bool]:
        """Return the condition that a row does not have all words."""
        return not_(and_(*(word.condition(row) for word in self.words)))


@dataclass(frozen=True)
class Among:
    """That a user is in a set beside the view, such as a selection: `contains(id)` is the SQL condition for an id."""

    contains: Callable[[Any], ColumnElement[bool]]
    column = "id"

    def condition(self, row: Any = users.c) -> ColumnElement[bool]:
        """Return the condition that a row is in the set."""
        return self.contains(row.id)


Part = Word | Range | Choice | NotAll | Among


@dataclass(frozen=True)
class Criteria:
    """Which users to find and in which order: what the two databases need to know of a View.

    A ranked list has two parts, which are read one after the other: see `ranked`.
    """

    words: tuple[Word, ...]
    ranges: tuple[Range, ...]
    choices: tuple[Choice, ...]
    keys: tuple[Any, ...]
    descending: bool
    lacking: tuple[NotAll, ...] = ()
    # In which part of a ranked list the users are.
    begins: bool | None = None
    # What to read of each user.
    columns: tuple[Any, ...] = SHOWN_COLUMNS
    among: tuple[Among, ...] = ()

    @property
    def parts(self) -> list[Part]:
        """What a user has to meet."""
        return [*self.choices, *self.ranges, *self.words, *self.lacking, *self.among]

    @property
    def beginnings(self) -> tuple[Word, ...]:
        """The words of a ranked search, as they begin a word of a name."""
        return tuple(word.beginning for word in self.words if word.counts_for_rank)

    @property
    def ranked_keys(self) -> tuple[Any, ...]:
        """The columns to sort a ranked list by: whether each word begins a word of the name, before `keys`."""
        begins = and_(*(word.condition() for word in self.beginnings))
        return (case((begins, true()), else_=false()), *self.keys)

    def ranked(self, begins: bool) -> "Criteria":
        """Return the part of the list whose users have a word of the name for each word to begin, or all others."""
        if begins:
            others = (word for word in self.words if not word.counts_for_rank)
            return replace(self, words=(*self.beginnings, *others), begins=True)
        return replace(self, lacking=(NotAll(self.beginnings),), begins=False)

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """The SQL conditions of all parts, on a row of `users`."""
        return [part.condition() for part in self.parts]

    @property
    def kind_values(self) -> list[list[Any]]:
        """The allowed values of each of KINDS."""
        values = {CHOICE_COLUMNS[field]: sorted(values) for field, values in CHOICES.items()}
        values |= {choice.column: list(choice.values) for choice in self.choices}
        return [values[column.name] for column in KINDS]

    @property
    def kind_conditions(self) -> list[ColumnElement[bool]]:
        """The conditions on each of KINDS, for an index that begins with them; none if all values are allowed."""
        values = zip(KINDS, self.kind_values, strict=True) if self.choices else ()
        return [column.in_(allowed) for column, allowed in values]

    def kinds(self, keys: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """Return each allowed combination of values of KINDS: an index in the order of `keys` has a piece for each.

        It is `[()]` if all are allowed, or if no index with KINDS is in that order.
        """
        return list(product(*self.kind_values)) if self.choices and keys in ORDERS_WITH_KINDS else [()]

    def seeks(self, keys: tuple[Any, ...]) -> list[ColumnElement[bool]]:
        """Return the range conditions that an index in the order of `keys` can seek, after those of a kind."""
        return [bounds.condition() for bounds in self.ranges if bounds.is_sought_by(keys)]

    def checks(self, keys: tuple[Any, ...]) -> list[Part]:
        """Return what an index in the order of `keys` cannot seek, so that each row has to be checked for it."""
        choices = () if keys in ORDERS_WITH_KINDS else self.choices
        ranges = (bounds for bounds in self.ranges if not bounds.is_sought_by(keys))
        return [*choices, *ranges, *self.words, *self.lacking, *self.among]


def criteria_of(view: View, zone: ZoneInfo) -> Criteria:
    """Return the Criteria of a view, whose days are those of `zone`."""
    return Criteria(
        words=tuple(
            Word(term.value, term.field == "email", term.excluded, term.counts_for_rank)
            for term in view.terms
            if term.is_text
        ),
        ranges=tuple(_range_of(term, zone) for term in view.terms if term.field in ("age", "joined")),
        choices=tuple(
            Choice(CHOICE_COLUMNS[field], tuple(sorted(view.allowed(field))))
            for field in CHOICES
            if any(term.field == field for term in view.terms)
        ),
        keys=view.keys,
        descending=view.descending,
    )


def _range_of(term: Term, zone: ZoneInfo) -> Range:
    first, last = term.value
    if term.field == "age":
        return Range("age", first, last, term.excluded)
    low, high = first and start_of_day(first, zone), last and start_of_next_day(last, zone)
    return Range("created_at", low, high, term.excluded)
