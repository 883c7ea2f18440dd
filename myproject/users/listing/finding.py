"""How the people of a view are found, page by page.

A page is read by the first of these ways that ends well, and the first two look at a bounded number of rows:

1. *Few*: an index says that no more than `FEW` people meet one of the terms. They are gathered, looked at and sorted;
   but not where an index has everybody asked for in their order.
2. *Along the order*: people are looked at in the order of the list, `FAR` of them, until a page is full; those of
   certain kinds (role, active, posts) along the index of each kind, and on SQLite, in the order of adding, only those
   whose text has the trigrams of the words.
3. *As the database likes*, where many meet each of the terms but hardly anybody all of them, or only at the far end of
   the order. This one takes the longer the more people there are, up to the time limit of requests that read.
"""

import re
from functools import cached_property

from sqlalchemy import text

from ...web.pagination import EVERYTHING, PAGE_SIZE, read_page
from ..models import BY_ADDED
from . import selecting
from .selecting import BEGINNING, MATCHING
from .view import View

# So many people are gathered and sorted in 2 ms or so.
FEW = 1500
# So many entries of an index are looked at: at first, where nobody knows whether a word is common, and then.
NEAR, FAR = 2000, 20_000
# So many entries of an index are counted one by one.
MOST = 10_000
# A word that more people have is of no use beside a rarer one.
COMMON = 0.1
# More trigrams than these leave out nobody, and take longer to look up.
MOST_TRIGRAMS = 24
# A letter that so many trigrams begin with is common.
MOST_BEGINNINGS = 200
LAST_LETTER = "\U0010ffff"
# On PostgreSQL, a plan for these very words: one for any words would read everybody to find few. And no JIT: among ten
# million people it takes 8 ms to compile what then takes 0.1.
PLANS = "SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('jit', 'off', true)"


class Finder:
    """Finds the users of one view, and remembers which way leads there."""

    def __init__(self, dbsession, view):
        # The session would make ORM queries of what is asked of it, which take half as long again.
        self.connection, self.view = dbsession.connection(), view
        self.shape, self.values = selecting.shape_of(view)
        self.is_sqlite = self.connection.dialect.name == "sqlite"
        if view.terms and not self.is_sqlite:
            self.connection.execute(text(PLANS))
        # {number of the term: word, folded}
        self.words = {
            number: term.value for number, term in enumerate(view.terms) if term.is_text and not term.excluded
        }
        # SQLite's index counts up to FEW at once; PostgreSQL's, and that of short words, only all or nobody.
        self.words_are_quick = self.is_sqlite and any(len(word) >= 3 for word in self.words.values())
        # SQLite keeps count of each kind.
        self.is_of_kinds = self.is_sqlite and all(term.field in selecting.EVERY for term in view.terms)
        # How many there are, as soon as something has told it by the way.
        self.all = self.count() if self.is_of_kinds and view.terms else None
        # Whether the parameter `few` has the ids of few, among whom is everybody in the view. Nobody is gathered where
        # an index has all of them in their order.
        self.is_few = not selecting.is_read_off(self.shape) and self._gather(
            ([self._by_words] if self.words_are_quick else []) + selecting.by_kinds_and_ranges(self.shape, FEW + 1)
        )
        # Whether nobody has asked yet if they are few.
        self.may_be_few = False

    def page(self, cursor=None, *, start=None, size=PAGE_SIZE):
        """Return the Page beside `cursor`, or at `start`, as `read_page` does."""
        view = self.view
        return read_page(
            self.rows, view.keys, cursor, start=start, descending=view.descending, size=size, of=view.query
        )

    def rows(self, beyond, rising, limit):
        """Return up to `limit` rows, COLUMNS first and the view's keys last, that are `beyond`, sorted by the keys."""
        rows = self._rows(beyond, rising, limit)
        if beyond is EVERYTHING and len(rows) < limit:
            self.all = len(rows)
        return rows

    def kinds(self):
        """Return (role, active, has posts, how many) of each kind of the people found."""
        return self.execute(selecting.kinds_among(*self._those)).all()

    def count(self):
        """Return how many people there are in the view: where there are many of no certain kind, this takes long."""
        if self.is_of_kinds:
            return self.execute(selecting.number_of_kinds(self.shape)).scalar()
        return self.execute(selecting.number_among(*self._those)).scalar()

    @cached_property
    def is_small(self):
        """Whether there are so few people in all, FEW, that all of them may be looked at, on SQLite."""
        # Where more than that were gathered by their words, it needs no look.
        if not self.is_sqlite or self.words_are_quick:
            return False
        return self.execute(selecting.number_of_kinds(View())).scalar() <= FEW

    def up_to(self, most):
        """Return how many there are in the view, `most` + 1 at the most; `None` where no index counts them."""
        others = [term for term in self.view.terms if term.field not in selecting.EVERY]
        if len(others) > 1 or any(term.is_text or term.excluded for term in others):
            return None
        found = selecting.by_kinds_and_ranges(self.shape, most + 1) or [selecting.EVERYBODY]
        return self.execute(selecting.number_of(found[0], most + 1)).scalar()

    def gather_words(self):
        """Gather those who have the words, if they are few, and return whether they are."""
        self.is_few, self.may_be_few = self._gather([self._by_words]), False
        return self.is_few

    def execute(self, statement, **values):
        """Execute a statement about the shape of the view."""
        return self.connection.execute(statement, self.values | values)

    @property
    def _those(self):
        return self.shape, None if self.is_few else self._by_words, self.is_few, self.is_sqlite

    def _rows(self, beyond, rising, limit):
        if not self.view.terms and beyond is EVERYTHING:
            return self._first(rising, limit)
        if not self.is_few and self.words and not self.words_are_quick:
            rows, is_enough = self._along(beyond, rising, limit, NEAR)
            if is_enough:
                return rows
            # To ask the index takes PostgreSQL the longer the more have the words: not where FAR is likely to do.
            self.may_be_few = len(rows) * FAR > 2 * limit * NEAR
            if not self.may_be_few:
                self.gather_words()
        if not self.is_few:
            rows, is_enough = self._along(beyond, rising, limit, FAR)
            if is_enough:
                return rows
        return self._gathered(beyond, rising, limit)

    def _first(self, rising, limit):
        """Return the first rows of all; SQLite tells by the way how many there are."""
        if not self.is_sqlite:
            return self.execute(selecting.listed(self.view.keys, rising, limit)).all()
        rows = self.execute(selecting.listed_and_counted(self.view.keys, rising, limit)).all()
        self.all = rows[0].number if rows else 0
        return rows

    def _gather(self, selects):
        """Gather the ids of the first of `selects` that has only few, and return whether there is one."""
        for found in selects:
            if found is not None:
                number, ids = self.execute(selecting.ids_of(found, FEW + 1, self.is_sqlite)).one()
                if number <= FEW:
                    self.values["few"] = ids or []
                    return True
        return False

    def _along(self, beyond, rising, limit, far):
        """Return what `rows` does as far as a look at the first `far` people tells, and whether that is enough."""
        if self.words_are_quick and self.view.keys is BY_ADDED:
            found, people = selecting.along_words(self.shape, beyond.conditions, rising, limit, far)
        else:
            beside = beyond.conditions, beyond.parts
            found, people = selecting.along(self.shape, *beside, rising, limit, far, self.is_sqlite)
        rows = self.execute(found, **beyond.values).all()
        if people is None or len(rows) == limit:
            return rows, True
        return rows, self.execute(selecting.number_of(people), **beyond.values).scalar() < far

    def _gathered(self, beyond, rising, limit):
        """Return what `rows` does: all are found, and only then sorted; few are counted by the way."""
        counted = self.is_few and beyond is EVERYTHING
        query = selecting.gathered(self._those, beyond.conditions, rising, limit, counted=counted)
        rows = self.execute(query, **beyond.values).all()
        if counted:
            self.all = rows[0].number if rows else 0
        return rows

    @cached_property
    def _by_words(self):
        """A select of the ids of those whose text has all the words, and on SQLite of some others; or `None`."""
        if self.is_sqlite:
            parts = [[trigram] for number in self._leading_words for trigram in _trigrams_of(self.words[number])]
            parts = parts or [found for word in self.words.values() if (found := self._beginnings(word)) is not None]
            self.values["trigrams"] = _expression(parts[:MOST_TRIGRAMS])
            return MATCHING if parts else None
        leading = self._leading_words or tuple(self.words)
        by_letters = not any(re.search(r"\w{3}", self.words[number]) for number in leading)
        self.values["letters"] = sorted(set("".join(self.words.values())))
        return selecting.having_words(self.shape, leading, by_letters) if leading else None

    @cached_property
    def _leading_words(self):
        """The numbers of the words of three letters and more, without those that nearly everybody has."""
        words = tuple(number for number, word in self.words.items() if len(word) >= 3)
        if len(words) < 2:
            return words
        shares = dict(zip(words, self._shares(words), strict=True))
        most = max(COMMON, min(shares.values()))
        return tuple(word for word in words if shares[word] <= most)

    def _shares(self, words):
        """Return which share of the people have each of `words`, as far as a look at some of them tells."""
        if not self.is_sqlite:
            numbers = self.execute(selecting.numbers_having(self.shape, words, NEAR)).one()
            return [number / NEAR for number in numbers]
        counts = selecting.number_and_largest(MATCHING, FEW + 1)
        each = ([[trigram] for trigram in _trigrams_of(self.words[word])] for word in words)
        found = [self.execute(counts, trigrams=_expression(parts)).one() for parts in each]
        return [number / largest if number > FEW else 0 for number, largest in found]

    def _beginnings(self, word):
        """Return the trigrams in use that begin with `word`, one or two letters, or `None` where they are many."""
        found = self.execute(BEGINNING, letters=word, last=word + LAST_LETTER, most=MOST_BEGINNINGS).scalars().all()
        return found if len(found) < MOST_BEGINNINGS else None


def _trigrams_of(word):
    """Return trigrams that together hold every letter of `word`; those that overlap tell little more."""
    return [word[at : at + 3] for at in {*range(0, len(word) - 2, 3), len(word) - 3}]


def _expression(parts):
    """Return the expression of FTS5 for a trigram of each of `parts`."""
    quoted = [[f'"{trigram.replace(chr(34), chr(34) * 2)}"' for trigram in part] for part in parts]
    # Nothing has no trigram: then none is found.
    return " AND ".join(f"({' OR '.join(part)})" if part else '("" )' for part in quoted)
