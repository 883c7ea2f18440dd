"""A view of the list, put into `select()`: the one place where what is asked for becomes SQL, and the way it is found.

A page is read by the first of these ways that ends well, and the first two look at a bounded number of rows:

1. *Few*: an index says that no more than `FEW` people meet one of the terms. They are gathered, looked at and sorted.
2. *Along the order*: people are looked at in the order of the list, `FAR` of them, until a page is full; those of
   certain kinds (role, active, posts) along the index of each kind.
3. *As the database likes*, where many meet each of the terms but hardly anybody all of them, or only at the far end of
   the order. This one takes the longer the more people there are, up to the time limit of requests that read.
"""

import re
from functools import cached_property, lru_cache
from itertools import product

from sqlalchemy import (
    ARRAY,
    Integer,
    Text,
    and_,
    any_,
    case,
    cast,
    column,
    false,
    func,
    literal_column,
    not_,
    select,
    table,
    text,
    true,
    union_all,
)

from ..pagination import EVERYTHING, PAGE_SIZE, in_order, read_page
from .indexes import LETTERS
from .models import BY_AGE, BY_JOINED, BY_NAME, KINDS, users
from .search import EVERY, Term

# So many people are gathered and sorted in 2 ms or so.
FEW = 1500
# So many entries of an index are looked at: at first, where nobody knows whether a word is common, and then.
NEAR, FAR = 2000, 20_000
COLUMNS = (users.c.id, users.c.name, users.c.email, users.c.age, users.c.role, users.c.active, users.c.created_at)
COLUMN_OF = {
    "text": "search_text", "email": "search_text", "age": "age", "joined": "created_at",
    "role": "role", "active": "active", "posts": "has_posts",
}  # fmt: skip
RANGES = {"age": BY_AGE, "joined": BY_JOINED}
# The orders that have an index for each kind.
ORDERS_OF_KINDS = (BY_NAME, BY_AGE, BY_JOINED)
# A word that more people have is of no use beside a rarer one.
COMMON = 0.1
# More trigrams than these leave out nobody, and take longer to look up.
MOST_TRIGRAMS = 24
# A letter that so many trigrams begin with is common.
MOST_BEGINNINGS = 200
LAST_LETTER = "\U0010ffff"

trigrams = table("users_trigrams", column("rowid"))
used_trigrams = table("users_trigrams_used", column("term"))


def conditions(view):
    """Return what a row of users has to meet to be in `view`."""
    return _meets(view.terms, view, users.c)


def _meets(terms, view, row):
    # Several terms of one kind are one condition: what all of them allow.
    kinds = {term.field for term in terms if term.field in EVERY}
    of_kinds = [row[COLUMN_OF[name]].in_(sorted(view.of(name))) for name in sorted(kinds)]
    return [*of_kinds, *(_condition(term, row) for term in terms if term.field not in EVERY)]


def _condition(term, row=users.c):
    if term.is_text:
        # The address begins after the line feed.
        pattern = ("%\n%" if term.field == "email" else "%") + re.sub("([/%_])", r"/\1", term.value) + "%"
        condition = row.search_text.like(pattern, escape="/")
    elif term.field == "age":
        low, high = term.value
        age = func.coalesce(row.age, literal_column("-1"))
        condition = age >= (low or 0) if high is None else age.between(low or 0, high)
    else:
        start, end = term.value
        condition = and_(*([row.created_at >= start] if start else []), *([row.created_at < end] if end else []))
    return not_(condition) if term.excluded else condition


def kinds_of(view):
    """Return (role, active, has posts) of each kind of people who may be in `view`."""
    return list(product(*(sorted(view.of(name)) for name in EVERY)))


def some_of_kind(kind, keys, within, most):
    """Return a select of the ids of up to `most` people of `kind`, all of them for `()`, who meet `within`.

    They are read along the index of `keys`: left to itself, a database may rather look through all.
    """
    return select(users.c.id).where(*_of_kind(kind), *within).order_by(*keys).limit(most)


def _of_kind(kind):
    return [column == value for column, value in zip(KINDS, kind, strict=False)]


class Finder:
    """Finds the users of one view, and remembers which way leads there."""

    def __init__(self, dbsession, view):
        self.dbsession, self.view = dbsession, view
        self.is_sqlite = dbsession.get_bind().dialect.name == "sqlite"
        if view.terms and not self.is_sqlite:
            # A plan for these very words: one for any words would read everybody to find few.
            dbsession.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
        self.words = view.words
        # SQLite's index counts up to FEW at once; PostgreSQL's, and that of short words, only all or nobody.
        self.words_are_quick = self.is_sqlite and any(len(word) >= 3 for word in self.words)
        quick = [self._by_words] if self.words_are_quick else []
        # The ids of few, among whom is everybody in the view: JSON on SQLite, a list on PostgreSQL.
        self.few = self._first_few([*quick, *self._by_kinds_and_ranges()])
        # How many there are, once a page has shown all of them.
        self.all = None

    def page(self, cursor=None, *, start=None, size=PAGE_SIZE):
        """Return the Page beside `cursor`, or at `start`, as `read_page` does."""
        view = self.view
        return read_page(
            self.rows, view.keys, cursor, start=start, descending=view.descending, size=size, of=view.query
        )

    def rows(self, beyond, rising, limit):
        """Return up to `limit` rows, COLUMNS and then the view's keys, that are `beyond`, sorted by the keys."""
        rows = self._rows(beyond, rising, limit)
        if beyond is EVERYTHING and len(rows) < limit:
            self.all = len(rows)
        return rows

    def _rows(self, beyond, rising, limit):
        if not self.view.terms and beyond is EVERYTHING:
            return self._all(_listed(self.view.keys, rising, limit))
        if self.few is None and self.words and not self.words_are_quick:
            rows = self._along(beyond, rising, limit, NEAR)
            if rows is not None:
                return rows
            self.few = self._first_few([self._by_words])
        if self.few is None:
            rows = self._along(beyond, rising, limit, FAR)
            if rows is not None:
                return rows
        return self._sorted(beyond, rising, limit)

    def kinds(self):
        """Return (role, active, has posts, how many) of each kind of the people found."""
        return self._all(select(*KINDS, func.count()).where(*self._conditions()).group_by(*KINDS))

    def count(self):
        """Return how many people there are in the view: where there are many, this takes long."""
        return self.dbsession.scalar(select(func.count()).select_from(users).where(*self._conditions()))

    def up_to(self, most):
        """Return how many people are in the view, `most` + 1 at the most, or `None` where no index counts them."""
        terms = self.view.terms
        if not terms:
            return most + 1 if self._all(_one_after(most)) else self.count()
        others = [term for term in terms if term.field not in EVERY]
        if len(others) > 1 or any(term.is_text or term.excluded for term in others):
            return None
        [found] = self._by_kinds_and_ranges(most + 1)
        return self._count(found.limit(most + 1))

    def _has_kinds(self):
        return any(term.field in EVERY for term in self.view.terms)

    def _all(self, query):
        return self.dbsession.connection().execute(query).all()

    def _count(self, query):
        return self.dbsession.scalar(select(func.count()).select_from(query.subquery()))

    def _first_few(self, selects):
        together = func.json_group_array if self.is_sqlite else func.array_agg
        for found in selects:
            if found is None:
                continue
            [id] = found.limit(FEW + 1).subquery().c
            [(number, ids)] = self._all(select(func.count(), together(id)))
            if number <= FEW:
                return ids or []
        return None

    def _sorted(self, beyond, rising, limit):
        """Return what `rows` does: all are found, and only then sorted; few are counted by the way."""
        keys = self._named_keys()
        found = select(*COLUMNS, *keys).where(*self._conditions(), *beyond.conditions)
        # An OFFSET, because neither database looks through it: else it may prefer to look at all in their order.
        gathered = found.offset(0).subquery()
        query = select(gathered).order_by(*in_order(list(gathered.c)[-len(keys) :], rising)).limit(limit)
        if self.few is None or beyond is not EVERYTHING:
            return self._all(query)
        rows = self._all(query.add_columns(func.count().over()))
        self.all = rows[0][-1] if rows else 0
        return [row[:-1] for row in rows]

    def _named_keys(self):
        return [key.label(f"key_{number}") for number, key in enumerate(self.view.keys)]

    def _conditions(self):
        if self.few is not None:
            in_json = users.c.id.in_(select(func.json_each(self.few).table_valued("value").c.value))
            in_list = users.c.id == any_(cast(self.few, ARRAY(Integer)))
            return [in_json if self.is_sqlite else in_list, _looked_at_one_by_one(conditions(self.view))]
        among = [] if self._by_words is None else [users.c.id.in_(self._by_words)]
        return [*among, *conditions(self.view)]

    @cached_property
    def _by_words(self):
        """A select of the ids of those whose text has all the words, and on SQLite of some others; or `None`."""
        if self.is_sqlite:
            parts = [[trigram] for word in self._leading_words() for trigram in _trigrams_of(word)]
            parts = parts or [found for word in self.words if (found := self._beginnings(word)) is not None]
            return _matching(parts[:MOST_TRIGRAMS]) if parts else None
        leading = self._leading_words() or self.words
        found = [_condition(term) for term in self.view.terms if term.value in leading and not term.excluded]
        if found and not any(re.search(r"\w{3}", word) for word in leading):
            letters = sorted({letter for word in self.words for letter in word})
            found.append(LETTERS.op("@>")(cast(letters, ARRAY(Text))))
        return select(users.c.id).where(*found) if found else None

    def _leading_words(self):
        """Return the words of three letters and more, without those that nearly everybody has, if there are others."""
        words = [word for word in self.words if len(word) >= 3]
        if len(words) < 2:
            return words
        shares = dict(zip(words, self._shares(words), strict=True))
        most = max(COMMON, min(shares.values()))
        return [word for word in words if shares[word] <= most]

    def _shares(self, words):
        """Return which share of the people have each of `words`, as far as a look at some of them tells."""
        if self.is_sqlite:
            firsts = (
                _matching([[trigram] for trigram in _trigrams_of(word)]).limit(FEW + 1).subquery() for word in words
            )
            counts = [select(func.count(), func.max(first.c.rowid)).select_from(first) for first in firsts]
            found = [self.dbsession.execute(count).one() for count in counts]
            return [count / last if count > FEW else 0 for count, last in found]
        newest = select(users.c.search_text).order_by(users.c.id.desc()).limit(NEAR).subquery().c
        having = (func.count().filter(_condition(Term("text", word), newest)) for word in words)
        return [count / NEAR for count in self.dbsession.execute(select(*having)).one()]

    def _beginnings(self, word):
        """Return the trigrams in use that begin with `word`, one or two letters, or `None` where they are many."""
        used = used_trigrams.c.term
        query = select(used).where(used >= word, used < word + LAST_LETTER).limit(MOST_BEGINNINGS)
        found = self.dbsession.scalars(query).all()
        return found if len(found) < MOST_BEGINNINGS else None

    def _by_kinds_and_ranges(self, most=FEW + 1):
        """Yield selects of the ids of those of the kinds asked for and in a range, each read off an index."""
        ranges = [term for term in self.view.terms if term.field in RANGES and not term.excluded]
        found = [(RANGES[term.field], [_condition(term)]) for term in ranges]
        each_kind = kinds_of(self.view) if self._has_kinds() else [()]
        for keys, within in found or ([(BY_JOINED, [])] if self._has_kinds() else []):
            ids = (some_of_kind(kind, keys, within, most).subquery() for kind in each_kind)
            # In no kind at all there is nobody.
            yield union_all(select(users.c.id).where(false()), *(select(one.c.id) for one in ids))

    def _along(self, beyond, rising, limit, far):
        """Return what `rows` does, where a look at the first `far` people of the order is enough, else `None`."""
        view, keys = self.view, self.view.keys
        ranges_of_order = [term for term in view.terms if RANGES.get(term.field) is keys and not term.excluded]
        others = [term for term in view.terms if term not in ranges_of_order]
        each_kind = [()]
        if self._has_kinds() and keys in ORDERS_OF_KINDS:
            each_kind = kinds_of(view)
            others = [term for term in others if term.field not in EVERY]
        looked_at = [users.c[name] for name in sorted({COLUMN_OF[term.field] for term in others})]
        sorted_by = self._named_keys()
        names = [key.name for key in sorted_by]
        most = far if others else limit

        def those_of(kind, part):
            people = select(users.c.id, *sorted_by, *looked_at)
            return people.where(*_of_kind(kind), *map(_condition, ranges_of_order), *part)

        def merged(people, names):
            """Read along an index for each, and no further than what is merged of them is read."""
            return union_all(*people).order_by(*in_order(map(literal_column, names), rising)).limit(most)

        if self.is_sqlite:
            # It would sort a part whose first key is the same for all, if it were to be sorted by that.
            parts = (
                merged([those_of(kind, part) for kind in each_kind], names[len(part[1:]) :]) for part in beyond.parts
            )
            people = union_all(*(select(part.subquery()) for part in parts)).limit(most)
        else:
            # It does not see that an index has those of a kind in this order, unless they are sorted by themselves.
            each = (those_of(kind, beyond.conditions).order_by(*in_order(keys, rising)) for kind in each_kind)
            people = merged([select(one.limit(most).subquery()) for one in each], names)
        row = people.subquery().c
        meets = [_looked_at_one_by_one(_meets(others, view, row))] if others else []
        found = select(row.id).where(*meets).limit(limit).subquery()
        rows = self._all(_listed(keys, rising, limit).join(found, users.c.id == found.c.id))
        is_enough = not others or len(rows) == limit or self._count(people) < most
        return rows if is_enough else None


def _looked_at_one_by_one(conditions):
    # Neither database looks into a CASE: no other index seems better, and no sorting.
    return case((and_(*conditions), true()), else_=false())


@lru_cache
def _one_after(number):
    return select(users.c.id).offset(number).limit(1)


@lru_cache
def _listed(keys, rising, limit):
    # Kept, because to put it together takes as long as to run it.
    return select(*COLUMNS, *keys).order_by(*in_order(keys, rising)).limit(limit)


def _trigrams_of(word):
    """Return trigrams that together hold every letter of `word`; those that overlap tell little more."""
    return [word[at : at + 3] for at in {*range(0, len(word) - 2, 3), len(word) - 3}]


def _matching(parts):
    """Return a select of the ids of those whose text has a trigram of each of `parts`, on SQLite."""
    quoted = [[f'"{trigram.replace(chr(34), chr(34) * 2)}"' for trigram in part] for part in parts]
    # Nothing has no trigram: then none is found.
    match = " AND ".join(f"({' OR '.join(part)})" if part else '("" )' for part in quoted)
    return select(trigrams.c.rowid).where(literal_column("users_trigrams").op("MATCH")(match))
