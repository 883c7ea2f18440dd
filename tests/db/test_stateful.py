"""Whatever a series of requests writes and however each ends, the database contains what a dictionary says."""

import pytest
import sqlalchemy
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from pyramid.response import Response
from pyramid_retry import RetryableException
from sqlalchemy import delete, insert, text, update
from sqlalchemy.exc import OperationalError

from myproject.models import User
from tests.signed_in import without_administrator_check

SETTINGS = settings(max_examples=20, stateful_step_count=15, derandomize=True)

USERS = User.__table__


def add_or_edit(session, present, user, name):
    """Use the ORM; only the commit flushes it."""
    if present:
        session.get(User, user).name = name
    else:
        session.add(User(id=user, name=name))


def add_or_edit_by_core(session, present, user, name):
    """Use a Core statement."""
    if present:
        session.execute(update(USERS).where(USERS.c.id == user).values(name=name))
    else:
        session.execute(insert(USERS).values(id=user, name=name))


def add_or_edit_by_text(session, present, user, name):
    """Use SQL as text."""
    add, edit = "INSERT INTO users (id, name) VALUES (:id, :name)", "UPDATE users SET name = :name WHERE id = :id"
    session.execute(text(edit if present else add), {"id": user, "name": name})


def drop(session, present, user, name):
    """Use the ORM."""
    if present:
        session.delete(session.get(User, user))


def drop_by_core(session, present, user, name):
    """Use a Core statement."""
    session.execute(delete(USERS).where(USERS.c.id == user))


def drop_by_text(session, present, user, name):
    """Use SQL as text."""
    session.execute(text("DELETE FROM users WHERE id = :id"), {"id": user})


DROPS = [drop, drop_by_core, drop_by_text]
WAYS = st.sampled_from([add_or_edit, add_or_edit_by_core, add_or_edit_by_text, *DROPS])
IDS = st.integers(1, 4)
NAMES = st.text("ab'%김", min_size=1, max_size=3)
WRITES = st.lists(st.tuples(WAYS, IDS, NAMES), min_size=1, max_size=3)


def apply(writes, session, people):
    """Apply `writes` in `session`, which contains `people`, names by id; return the people after that."""
    people = dict(people)
    for way, user, name in writes:
        way(session, user in people, user, name)
        if way in DROPS:
            people.pop(user, None)
        else:
            people[user] = name
        if way is not add_or_edit:
            # The Session's copy of this row is outdated.
            session.flush()
            session.expunge_all()
    return people


class Requests(RuleBasedStateMachine):
    """A series of requests; `people` is the expected content of the database, `world` runs the requests."""

    world = None

    @initialize()
    def nobody(self):
        """Begin without rows: all examples share the application and the database."""
        self.people = {}
        self.world.forget()

    @rule(writes=WRITES)
    def one_request(self, writes):
        """Commit."""
        after = []
        self.world.probe(lambda request: after.append(apply(writes, request.dbsession, self.people)), status=200)
        self.people = after[-1]

    @rule(writes=WRITES, ending=st.sampled_from(["answers 422", "raises", "is doomed"]))
    def a_request_that_aborts(self, writes, ending):
        """Abort: nothing is written."""

        def view(request):
            apply(writes, request.dbsession, self.people)
            if ending == "raises":
                raise ValueError
            if ending == "is doomed":
                request.tm.doom()
            return Response(status=422 if ending == "answers 422" else 200)

        self.world.probe(view, expect_errors=True)

    @rule(before=WRITES, inside=WRITES, after=WRITES, kept=st.booleans())
    def a_request_with_a_savepoint(self, before, inside, after, kept):
        """Commit, without the writes that were rolled back to the savepoint."""

        def view(request):
            people = apply(before, request.dbsession, self.people)
            savepoint = request.dbsession.begin_nested()
            within = apply(inside, request.dbsession, people)
            if kept:
                savepoint.commit()
            else:
                savepoint.rollback()
                request.dbsession.expunge_all()
            ends.append(apply(after, request.dbsession, within if kept else people))

        ends = []
        self.world.probe(view, status=200)
        self.people = ends[-1]

    @rule(user=IDS, way=st.sampled_from([add_or_edit, add_or_edit_by_core, add_or_edit_by_text]))
    def a_request_that_another_one_crosses(self, user, way):
        """Write what follows from what was read, even if somebody changes that in between."""

        def view(request):
            found = request.dbsession.get(User, user)
            if found is not None:
                seen.append(found.name)
                if len(seen) == 1:
                    crossed.append(self.world.rename(user, "crossed"))
                way(request.dbsession, True, user, f"{found.name}+")

        seen, crossed = [], []
        self.world.probe(view, status=200)
        if user in self.people:
            self.people[user] = ("crossed" if crossed[0] else self.people[user]) + "+"

    @rule(writes=WRITES, times=st.integers(1, 3))
    def a_request_that_loses_a_race(self, writes, times):
        """Try again, each time from the beginning."""

        def view(request):
            after.append(apply(writes, request.dbsession, self.people))
            if len(after) <= times:
                raise RetryableException

        after = []
        self.world.probe(view, status=200)
        self.people = after[-1]

    @invariant()
    def the_database_agrees(self):
        """Compare the rows, read through the second connection, with the expected ones."""
        assert self.world.stored() == self.people


class World:
    """Runs requests; on its second connection, another program reads and changes rows."""

    def __init__(self, probe, url):
        self.probe = probe
        # The other program does not wait for SQLite's lock.
        self.engine = sqlalchemy.create_engine(url, connect_args={"timeout": 0} if url.startswith("sqlite") else {})

    def forget(self):
        """Delete every user."""
        with self.engine.begin() as connection, without_administrator_check(connection):
            connection.execute(delete(USERS))

    def stored(self):
        """Return the names of the stored users, by id."""
        with self.engine.connect() as connection:
            return dict(connection.execute(sqlalchemy.select(USERS.c.id, USERS.c.name)).all())

    def rename(self, user, name):
        """Rename a user; return whether the database let that happen."""
        try:
            with self.engine.begin() as connection:
                connection.execute(update(USERS).where(USERS.c.id == user).values(name=name))
        except OperationalError:
            return False
        return True


@pytest.fixture
def machine(probe, database_url):
    """The class of the state machine, with an application and a database that all its examples share."""
    world = World(probe, database_url)
    yield type("RequestsHere", (Requests,), {"world": world})
    world.engine.dispose()


def test_the_database_agrees_with_a_model_whatever_requests_do(machine):
    run_state_machine_as_test(machine, settings=SETTINGS)


@pytest.mark.usefixtures("stock", "wsgi")
def test_the_stock_wiring_fails_the_same_test(machine):
    found = settings(SETTINGS, phases=[Phase.generate], report_multiple_bugs=False)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(machine, settings=found)
