"""A view of the list, put into `select()`: the one place where what is asked for becomes SQL.

To put a statement together takes longer than to run it. So what was typed stands in it as a parameter, and a statement
is put together once for all views of one `shape`.
"""

import re
from dataclasses import replace
from functools import lru_cache
from itertools import product
from typing import Any

from sqlalchemy import (
    ARRAY,
    BindParameter,
    Boolean,
    Integer,
    Text,
    UnaryExpression,
    and_,
    any_,
    bindparam,
    case,
    cast,
    column,
    false,
    func,
    literal_column,
    not_,
    select,
    table,
    true,
    union_all,
)
from sqlalchemy.sql.operators import custom_op

from ...web.pagination import in_order
from ..models import BY_ADDED, BY_AGE, BY_JOINED, BY_NAME, KINDS, users
from .indexes import LETTERS
from .search import EVERY
from .view import View

COLUMNS = (users.c.id, users.c.name, users.c.email, users.c.age, users.c.role, users.c.active, users.c.created_at)
COLUMN_OF = {
    "text": "search_text", "email": "search_text", "age": "age", "joined": "created_at",
    "role": "role", "active": "active", "posts": "has_posts",
}  # fmt: skip
RANGES = {"age": BY_AGE, "joined": BY_JOINED}
# The orders that have an index for each kind.
ORDERS_OF_KINDS = (BY_NAME, BY_AGE, BY_JOINED)
# So many statements of each sort are kept.
kept = lru_cache(256)

trigrams = table("users_trigrams", column("rowid"))
used_trigrams = table("users_trigrams_used", column("term"))
# On SQLite: how many there are of each kind.
numbers = table(
    "users_kinds", column("role"), column("active", Boolean), column("has_posts", Boolean), column("number", Integer)
).c

# On SQLite: the ids of those whose text has the trigrams of an expression of FTS5; the trigrams from one to another.
MATCHING = select(trigrams.c.rowid).where(literal_column("users_trigrams").op("MATCH")(bindparam("trigrams")))
BEGINNING = (
    select(used_trigrams.c.term)
    .where(used_trigrams.c.term >= bindparam("letters"), used_trigrams.c.term < bindparam("last"))
    .limit(bindparam("most"))
)


EVERYBODY = select(users.c.id)
# On SQLite: (role, active, has posts, how many) of each kind that there is or was.
EACH_KIND = select(*numbers)


def shape_of(view):
    """Return `view` with names of parameters in place of what was typed, and `{name: value}`.

    Roles, activity and posts stay as they are: few views differ in them.
    """
    terms, values = [], {}
    for number, term in enumerate(view.terms):
        if term.is_text:
            # The address begins after the line feed.
            before = "%\n%" if term.field == "email" else "%"
            named: Any = f"text_{number}"
            values[named] = before + re.sub("([/%_])", r"/\1", term.value) + "%"
        elif term.field in RANGES:
            named = tuple(
                None if end is None else f"{name}_{number}"
                for name, end in zip(("low", "high"), term.value, strict=True)
            )
            values |= {name: end for name, end in zip(named, term.value, strict=True) if name}
        else:
            named = term.value
        terms.append(replace(term, value=named, source="", parameters=()))
    return View((("sort", view.sort),), tuple(terms)), values


def conditions(shape, row=users.c):
    """Return what a `row` has to meet to be in a view of this shape."""
    return _meets(shape.terms, shape, row)


def _meets(terms, shape, row):
    # Several terms of one kind are one condition: what all of them allow.
    kinds = {term.field for term in terms if term.field in EVERY}
    of_kinds = [row[COLUMN_OF[name]].in_(sorted(shape.of(name))) for name in sorted(kinds)]
    return [*of_kinds, *(_condition(term, row) for term in terms if term.field not in EVERY)]


def _condition(term, row=users.c):
    if term.is_text:
        condition = row.search_text.like(bindparam(term.value), escape="/")
    else:
        low, high = (name and bindparam(name) for name in term.value)
        if term.field == "age":
            # Who has not said an age is of none: -1 is how the index by age has it.
            value, low = func.coalesce(row.age, literal_column("-1")), 0 if low is None else low
            condition = value >= low if high is None else value.between(low, high)
        else:
            started = [] if low is None else [row.created_at >= low]
            condition = and_(*started, *([] if high is None else [row.created_at < high]))
    return not_(condition) if term.excluded else condition


def kinds_of(shape):
    """Return (role, active, has posts) of each kind of people who may be in a view of this shape."""
    return list(product(*(sorted(shape.of(name)) for name in EVERY)))


def has_kinds(shape):
    """Return whether only some kinds are asked for."""
    return any(term.field in EVERY for term in shape.terms)


def some_of_kind(kind, keys, within, most):
    """Return a select of the ids of up to `most` people of `kind`, all of them for `()`, who meet `within`.

    They are read along the index of `keys`: left to itself, a database may rather look through all.
    """
    return select(users.c.id).where(*_of_kind(kind), *within).order_by(*keys).limit(most)


def _of_kind(kind):
    return [column == value for column, value in zip(KINDS, kind, strict=False)]


@kept
def by_kinds_and_ranges(shape, most):
    """Return selects of up to `most` ids of those of the kinds asked for and in a range, each read off an index."""
    ranges = [term for term in shape.terms if term.field in RANGES and not term.excluded]
    found = [(RANGES[term.field], [_condition(term)]) for term in ranges]
    each_kind = kinds_of(shape) if has_kinds(shape) else [()]
    selects = []
    for keys, within in found or ([(BY_JOINED, [])] if has_kinds(shape) else []):
        ids = (some_of_kind(kind, keys, within, most).subquery() for kind in each_kind)
        # In no kind at all there is nobody.
        selects.append(union_all(select(users.c.id).where(false()), *(select(one.c.id) for one in ids)))
    return selects


@kept
def having_words(shape, words, by_letters):
    """Return a select of the ids of those who have the `words`, numbers of terms, on PostgreSQL.

    With `by_letters`, of those who have all the letters besides.
    """
    found = [_condition(shape.terms[number]) for number in words]
    if by_letters:
        found.append(LETTERS.op("@>")(cast(bindparam("letters"), ARRAY(Text))))
    return select(users.c.id).where(*found)


@kept
def numbers_having(shape, words, most):
    """Return a select of how many of the newest `most` people have each of the `words`, numbers of terms."""
    newest = select(users.c.search_text).order_by(users.c.id.desc()).limit(most).subquery().c
    return select(*(func.count().filter(_condition(shape.terms[number], newest)) for number in words))


@kept
def number_of(found, most=None):
    """Return a select of how many rows `found` has, `most` at the most."""
    return select(func.count()).select_from(found.limit(most).subquery())


@kept
def ids_of(found, most, is_sqlite):
    """Return a select of how many ids `found` has, and of these, `most` at the most."""
    [id] = found.limit(most).subquery().c
    return select(func.count(), func.json_group_array(id) if is_sqlite else func.array_agg(id))


@kept
def number_and_largest(found, most):
    """Return a select of how many ids `found` has, up to `most`, and of the largest of these."""
    first = found.limit(most).subquery()
    [id] = first.c
    return select(func.count(), func.max(id)).select_from(first)


def among(shape, found, is_few, is_sqlite):
    """Return what those of a view have to meet who are among `found`, a select of ids or `None` for all.

    With `is_few` they are among those of the parameter `few`: JSON on SQLite, a list on PostgreSQL.
    """
    if is_few:
        few: BindParameter = bindparam("few")
        in_json = users.c.id.in_(select(func.json_each(few).table_valued("value").c.value))
        return [in_json if is_sqlite else users.c.id == any_(cast(few, ARRAY(Integer))), _one_by_one(conditions(shape))]
    return [*([] if found is None else [users.c.id.in_(found)]), *conditions(shape)]


@kept
def number_among(*those):
    """Return a select of how many there are in a view, `among` those."""
    return select(func.count()).select_from(users).where(*among(*those))


@kept
def kinds_among(*those):
    """Return a select of (role, active, has posts, how many) of each kind in a view, `among` those."""
    return select(*KINDS, func.count()).where(*among(*those)).group_by(*KINDS)


@kept
def listed(keys, rising, limit):
    """Return a select of the first rows of all, COLUMNS and the `keys` that they are sorted by."""
    return select(*COLUMNS, *keys).order_by(*in_order(keys, rising)).limit(limit)


@kept
def listed_and_counted(keys, rising, limit):
    """Return a select of rows as `listed`, each with the number of people in all, `number`, on SQLite."""
    number = number_of_kinds(View()).scalar_subquery().label("number")
    return listed(keys, rising, limit).with_only_columns(*COLUMNS, number, *keys)


@kept
def number_of_kinds(shape):
    """Return a select of how many people there are in a view that asks for kinds alone, on SQLite."""
    return select(func.coalesce(func.sum(numbers.number), 0)).where(*conditions(shape, numbers))


@kept
def gathered(those, beyond, rising, limit, *, counted):
    """Return a select of rows as `listed`: all `among` those are found, and only then sorted, and `counted`."""
    shape, *_, is_sqlite = those
    # Neither database may prefer to look at all in their order. SQLite does not use an index to sort by `+ key`,
    # https://www.sqlite.org/optoverview.html, and counts apart from the rows in half the time; PostgreSQL does not look
    # through an OFFSET.
    sorted_by: list[Any]
    if is_sqlite:
        number = [number_among(*those).scalar_subquery().label("number")] if counted else []
        rows = select(*COLUMNS, *number, *shape.keys).where(*among(*those), *beyond)
        sorted_by = [UnaryExpression(key, operator=custom_op("+")) for key in shape.keys]
    else:
        found = select(*COLUMNS, *_named(shape.keys)).where(*among(*those), *beyond).offset(0).subquery()
        number = [func.count().over().label("number")] if counted else []
        sorted_by = list(found.c)[len(COLUMNS) :]
        rows = select(*list(found.c)[: len(COLUMNS)], *number, *sorted_by)
    return rows.order_by(*in_order(sorted_by, rising)).limit(limit)


@kept
def beside_order(shape):
    """Return the terms of a view that no index of its order seeks: each row has to be looked at for them."""
    sought = EVERY if shape.keys in ORDERS_OF_KINDS else ()
    return [
        term
        for term in shape.terms
        if term.field not in sought and (term.excluded or RANGES.get(term.field) is not shape.keys)
    ]


@kept
def is_read_off(shape):
    """Return whether an index has everybody in a view, and nobody else, in their order."""
    return not beside_order(shape) and bool(kinds_of(shape))


@kept
def along(shape, beyond, parts, rising, limit, far, is_sqlite):
    """Return a select of rows as `listed`, of those of a view among the first `far` people of the order.

    And one of those people, or `None` where all of them are in the view: then no more than the rows are looked at.
    """
    keys, others = shape.keys, beside_order(shape)
    ranges_of_order = [term for term in shape.terms if term not in others and term.field not in EVERY]
    each_kind = kinds_of(shape) if has_kinds(shape) and keys in ORDERS_OF_KINDS else [()]
    looked_at = [users.c[name] for name in sorted({COLUMN_OF[term.field] for term in others})]
    sorted_by = _named(keys)
    names = [key.name for key in sorted_by]
    most = far if others else limit

    def those_of(kind, part):
        people = select(users.c.id, *sorted_by, *looked_at)
        return people.where(*_of_kind(kind), *map(_condition, ranges_of_order), *part)

    def merged(people, names):
        """Read along an index for each, and no further than what is merged of them is read."""
        return union_all(*people).order_by(*in_order(map(literal_column, names), rising)).limit(most)

    if is_sqlite:
        # It would sort a part whose first key is the same for all, if it were to be sorted by that.
        each = (merged([those_of(kind, part) for kind in each_kind], names[len(part[1:]) :]) for part in parts)
        people = union_all(*(select(part.subquery()) for part in each)).limit(most)
    else:
        # It does not see that an index has those of a kind in this order, unless they are sorted by themselves.
        each = (those_of(kind, beyond).order_by(*in_order(keys, rising)) for kind in each_kind)
        people = merged([select(one.limit(most).subquery()) for one in each], names)
    row = people.subquery().c
    meets = [_one_by_one(_meets(others, shape, row))] if others else []
    found = select(row.id).where(*meets).limit(limit).subquery()
    rows = listed(keys, rising, limit).join(found, users.c.id == found.c.id)
    return rows, people if others else None


@kept
def along_words(shape, beyond, rising, limit, far):
    """Return selects as `along`, on SQLite, for a view in the order of adding: `far` people whose text has trigrams."""
    row = trigrams.c.rowid
    edge: BindParameter = bindparam("edge_0")
    on = [] if not beyond else [row > edge] if rising else [row < edge]
    people = MATCHING.where(*on).order_by(*in_order([row], rising)).limit(far)
    id = people.subquery().c.rowid
    # Looked at one after the other, as they come out of the index.
    meets = select(users.c.id).where(users.c.id == id, _one_by_one(conditions(shape))).exists()
    found = select(id).where(meets).limit(limit).subquery()
    return listed(BY_ADDED, rising, limit).join(found, users.c.id == found.c.rowid), people


def _named(keys):
    return [key.label(f"key_{number}") for number, key in enumerate(keys)]


def _one_by_one(conditions):
    # Neither database looks into a CASE: no other index seems better, and no sorting.
    return case((and_(*conditions), true()), else_=false())
