"""Whatever is written and undone, by whom and how: the tables, the ledger and a model in plain Python agree."""

import contextlib
import datetime

import pytest
import sqlalchemy
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import bindparam, delete, event, insert, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from myproject.history.undo.rules import Viewer
from myproject.history.undo.steps import Undo
from myproject.models import Base, Entry, Post, SavedView, User

from . import model
from .replay import Replay, connected, recorded_rows
from .telling import told

SETTINGS = settings(max_examples=20, stateful_step_count=20, derandomize=True)

MODELS = {"users": User, "posts": Post, "saved_views": SavedView}
CREATED_AT = datetime.datetime(2026, 12, 1, tzinfo=datetime.UTC)
VIEWERS = [Viewer(0, "admin"), Viewer(1, "editor"), Viewer(2, "member")]

IDS = st.integers(1, 3)
NAMES = st.sampled_from(["a", "A", "김"])
EMAILS = st.sampled_from([None, "a@x.org", "A@x.org", "b@x.org"])
COLUMNS = {
    "users": {
        "name": NAMES, "email": EMAILS, "age": st.sampled_from([None, 7]),
        "role": st.sampled_from(["member", "editor", "admin"]), "active": st.booleans(), "time_zone": st.none(),
    },
    "posts": {"title": NAMES, "body": st.just("B"), "author_id": IDS},
    "saved_views": {"user_id": IDS, "name": NAMES, "query": st.just(""), "for_all": st.booleans()},
}  # fmt: skip
# Of an added record, if the write does not name them.
DEFAULTS = {
    "users": {"name": "a", "email": None, "age": None, "role": "member", "active": True, "time_zone": None},
    "posts": {"title": "a", "body": "B", "author_id": 1},
    "saved_views": {"user_id": 1, "name": "a", "query": "", "for_all": False},
}


def write_by_orm(session, table, number, old, new):
    """Use the Session."""
    mapped = MODELS[table]
    if old is None:
        session.add(mapped(id=number, created_at=CREATED_AT, **new))
    elif new is None:
        session.delete(session.get(mapped, number))
    else:
        row = session.get(mapped, number)
        for name, value in new.items():
            setattr(row, name, value)
    session.flush()
    session.expunge_all()


def write_by_core(session, table, number, old, new):
    """Use a Core statement."""
    target = Base.metadata.tables[table]
    if old is None:
        session.execute(insert(target).values(id=number, created_at=CREATED_AT, **new))
    elif new is None:
        session.execute(delete(target).where(target.c.id == number))
    else:
        session.execute(update(target).where(target.c.id == number).values(new))


def write_in_bulk(session, table, number, old, new):
    """Use the Session's bulk statements, which have a list of rows."""
    mapped = MODELS[table]
    if old is None:
        session.execute(insert(mapped), [{"id": number, "created_at": CREATED_AT, **new}])
    elif new is None:
        session.execute(delete(mapped).where(mapped.id.in_([number])))
    else:
        session.execute(update(mapped), [{"id": number, **new}])


def write_by_text(session, table, number, old, new):
    """Use SQL as text."""
    if new is None:
        session.execute(text(f"DELETE FROM {table} WHERE id = :id"), {"id": number})
        return
    values = {"id": number, **new, **({"created_at": CREATED_AT} if old is None else {})}
    names, places = ", ".join(values), ", ".join(f":{name}" for name in values)
    pairs = ", ".join(f"{name} = :{name}" for name in new)
    statement = f"INSERT INTO {table} ({names}) VALUES ({places})" if old is None else f"UPDATE {table} SET {pairs}"
    statement += "" if old is None else " WHERE id = :id"
    types = [bindparam(name, type_=Base.metadata.tables[table].c[name].type) for name in values]
    session.execute(text(statement).bindparams(*types), values)


def replace(session, table, number, old, new):
    """Use SQLite's REPLACE, which deletes the rows that are in the way."""
    statement = insert(Base.metadata.tables[table]).prefix_with("OR REPLACE")
    session.execute(statement.values(id=number, created_at=CREATED_AT, **new))


WAYS = [write_by_orm, write_by_core, write_in_bulk, write_by_text]


def values_of_table(table):
    """Return a strategy for the values of a write: those of some columns, or `None` to delete the record."""
    some = st.fixed_dictionaries({}, optional=COLUMNS[table])
    return st.one_of(some, some, some, st.none())


A_WRITE = st.sampled_from(list(MODELS)).flatmap(
    lambda table: st.tuples(st.sampled_from([*WAYS, replace]), st.just(table), IDS, values_of_table(table))
)
WRITES = st.lists(A_WRITE, min_size=1, max_size=5)


class World:
    """The database, and the rows that the model expects in it."""

    def __init__(self, url):
        self.engine, self.url, self.rows, self.entries = sqlalchemy.create_engine(url), url, {}, []
        self.replay, self.last_id = None, 0
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        if self.is_sqlite:
            event.listen(self.engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys = ON"))

    def forget(self):
        """Delete all but the administrator, and begin with an empty model."""
        with told(self.engine) as connection:
            for mapped in (SavedView, Post, User):
                connection.execute(delete(mapped).where(mapped.id > 0))
        self.replay, self.rows, self.entries = Replay(self.url), {}, []
        self.read_entries()
        self.entries.clear()

    def read_entries(self):
        """Return the entries since the last call, with their changes; keep them, to be undone."""
        with Session(self.engine) as session:
            query = sqlalchemy.select(Entry).where(Entry.id > self.last_id).order_by(Entry.id)
            found = [
                (entry, {key_of(change): values_of(change) for change in entry.changes})
                for entry in session.scalars(query)
            ]
            session.expunge_all()
        self.last_id = max([self.last_id, *(entry.id for entry, _ in found)])
        self.entries += found
        return found

    def stored(self):
        """Return the rows of the tables, without the administrator's and without when they were created."""
        with connected(self.url) as connection:
            return {key: without_moment(row) for key, row in recorded_rows(connection).items() if key[1] > 0}

    def write(self, session, rows, way, table, number, values):
        """Write one record, unless a constraint would refuse it; return the rows after that."""
        after, key = dict(rows), (table, number)
        old = rows.get(key)
        new = None if values is None else {**(old or DEFAULTS[table]), **values}
        if way is replace and (new is None or not self.is_sqlite):
            way = write_by_core
        if new is None:
            model.delete(after, key, with_posts=way is write_by_orm)
        else:
            for other in replaced_by(rows, key, new) if way is replace else ():
                model.delete(after, other)
            after[key] = new
        if after != rows and model.are_allowed(after):
            way(session, table, number, old, new)
            return after
        return rows

    def write_all(self, session, rows, writes):
        """Write several records; return the rows after that."""
        for each in writes:
            rows = self.write(session, rows, *each)
        return rows


def key_of(change):
    return change.table_name, change.record_id


def values_of(change):
    return without_moment(change.before), without_moment(change.after)


def without_moment(values):
    return values and {name: value for name, value in values.items() if name != "created_at"}


def replaced_by(rows, key, new):
    """Return the keys of the rows that a REPLACE of `key` by `new` deletes: those of the same id, email or name."""
    alone = {key: new}
    return [
        other
        for other, row in rows.items()
        if other == key or (other[0] == key[0] and not model.are_unique({**alone, other: row}))
    ]


class Ledger(RuleBasedStateMachine):
    """A series of transactions and undos in the database `world`."""

    world = None

    @initialize(writes=WRITES)
    def begin(self, writes):
        """Begin with some records: all examples share the database."""
        self.world.forget()
        self.transaction(writes=writes, actor=0)

    @contextlib.contextmanager
    def session(self, **origin):
        """Yield a Session of a transaction whose origin the ledger knows."""
        with told(self.world.engine, **origin) as connection, Session(connection) as session:
            yield session
            session.commit()

    def check_entry(self, rows, **origin):
        """Check that the transaction that led to `rows` has one entry, of this `origin`, if it changed anything."""
        expected = model.differences(self.world.rows, rows)
        found = self.world.read_entries()
        assert [changes for _, changes in found] == ([expected] if expected else [])
        for entry, _ in found:
            assert {name: getattr(entry, name) for name in origin} == origin
        self.world.rows = rows

    @rule(writes=WRITES, actor=st.integers(0, 2))
    def transaction(self, writes, actor):
        """Write several records in one transaction."""
        with self.session(actor_id=actor) as session:
            rows = self.world.write_all(session, self.world.rows, writes)
        self.check_entry(rows, actor_id=actor, route="test")

    @rule(before=WRITES, inside=WRITES, after=WRITES)
    def transaction_with_a_savepoint(self, before, inside, after):
        """Write several records, and take some of them back."""
        with self.session() as session:
            rows = self.world.write_all(session, self.world.rows, before)
            savepoint = session.begin_nested()
            self.world.write_all(session, rows, inside)
            savepoint.rollback()
            rows = self.world.write_all(session, rows, after)
        self.check_entry(rows, actor_id=None)

    @rule(writes=WRITES)
    def transaction_that_is_rolled_back(self, writes):
        """Write nothing in the end."""
        with contextlib.suppress(LookupError), self.session() as session:
            self.world.write_all(session, self.world.rows, writes)
            raise LookupError
        self.check_entry(self.world.rows)

    @rule(write=A_WRITE)
    def another_program(self, write):
        """Write without telling who does it: on SQLite, writes of the same millisecond share an entry."""
        with self.world.engine.begin() as connection, Session(connection) as session:
            self.world.rows = self.world.write(session, self.world.rows, *write)
            session.commit()
        for entry, _ in self.world.read_entries():
            assert (entry.actor_id, entry.route) == (None, None)

    @rule(values=st.fixed_dictionaries({}, optional={name: COLUMNS["users"][name] for name in ("age", "role", "name")}))
    def one_statement_for_all_users(self, values):
        """Change every user at once."""
        rows = {key: {**row, **values} if key[0] == "users" else row for key, row in self.world.rows.items()}
        with self.session() as session:
            if values:
                session.execute(update(User).where(User.id > 0).values(values))
        self.check_entry(rows)

    @rule()
    def delete_everything(self):
        """Delete all records but the saved views, which are deleted by a cascade."""
        with self.session() as session:
            for mapped in (Post, User):
                session.execute(delete(mapped).where(mapped.id > 0))
        self.check_entry({})

    @rule(back=st.integers(1, 5), viewer=st.sampled_from(VIEWERS), changed_too=st.booleans())
    def undo(self, back, viewer, changed_too):
        """Undo one of the last entries, which may be an undo itself."""
        self.undo_entry(back, viewer, changed_too)

    @rule(back=st.integers(1, 5), only=st.integers(0, 5), changed_too=st.booleans())
    def undo_one_record(self, back, only, changed_too):
        """Undo one record of one of the last entries."""
        self.undo_entry(back, VIEWERS[0], changed_too, only)

    @rule(number=st.integers(2, 3), changed_too=st.booleans())
    def undo_several(self, number, changed_too):
        """Undo several entries, from the last one on, and then the last undo."""
        for back in [*range(1, 2 * number, 2), 1]:
            self.undo_entry(back, VIEWERS[0], changed_too)

    def undo_entry(self, back, viewer, changed_too, only=None):
        """Undo the entry before `back - 1` others, or the record `only` of it, as the model does."""
        if back > len(self.world.entries):
            return
        entry, changes = self.world.entries[-back]
        chosen = None if only is None else sorted(changes)[only % len(changes)]
        expected = model.UndoModel(self.world.rows, changes, viewer, chosen)
        rows = expected.rows_after(changed_too=changed_too)
        refusal = contextlib.nullcontext() if model.are_allowed(rows) else pytest.raises(IntegrityError)
        with refusal, self.session(actor_id=viewer.id, undoes_id=entry.id) as session:
            undo = Undo(entry.id, viewer, self.world.engine.dialect.name, chosen)
            groups = undo.count(session)
            assert {(group.table, group.action, group.outcome): group.number for group in groups} == expected.groups()
            undo.apply(session, groups, changed_too=changed_too)
        self.check_entry(rows if model.are_allowed(rows) else self.world.rows, actor_id=viewer.id, undoes_id=entry.id)

    @invariant()
    def tables_and_ledger_agree(self):
        """Compare the rows with the model's, and with those that the ledger leads to."""
        if self.world.replay is not None:
            assert self.world.stored() == self.world.rows
            self.world.replay.check()


@pytest.fixture
def world(database_url):
    """The database of the test."""
    found = World(database_url)
    yield found
    found.engine.dispose()


def test_the_tables_the_ledger_and_a_model_agree_whatever_happens(world):
    run_state_machine_as_test(type("LedgerHere", (Ledger,), {"world": world}), settings=SETTINGS)
