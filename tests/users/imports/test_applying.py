"""A plan applied: what is in the tables afterwards, and that it is all or nothing."""

import threading
import time

import pytest
import sqlalchemy
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from myproject.history.undo.rules import Viewer
from myproject.history.undo.steps import Undo
from myproject.models import AppliedImport, Change, Entry, SignIn, User
from myproject.users.imports.applying import STEPS, Outdated
from myproject.users.imports.planning import Importer
from myproject.users.imports.staging import Cancelled
from tests.history.telling import told
from tests.people import add_person, browser_of

from .conftest import Steps

FILE = """name,email,age,role,active
Ada Lovelace,ada@example.com,37,editor,no
김철수,kim@example.com,,,
'=1+1,,7,admin,yes
"""
DEADLINE_SECONDS = 30


def values(user):
    """Return the values of a user that an import sets."""
    return user.name, user.email, user.age, user.role, user.active


def test_records_are_written_in_one_entry_with_search_and_versions(plan_of, apply_plan, make_user, rows):
    before = make_user("Ada", email="Ada@example.com", age=36)
    plan = plan_of(FILE)
    assert [values(user) for user in rows(User)] == [values(before)]
    apply_plan(plan, import_id="of the test")
    ada, kim, formula = rows(User)
    assert values(ada) == ("Ada Lovelace", "Ada@example.com", 37, "editor", False)
    assert values(kim) == ("김철수", "kim@example.com", None, "member", True)
    assert values(formula) == ("=1+1", None, 7, "admin", True)
    assert (ada.version, kim.version, ada.created_at) == (before.version + 1, 1, before.created_at)
    assert ada.updated_at > before.updated_at
    assert "kim@example.com" in kim.search_text
    assert "ada lovelace" in ada.search_text
    [entry] = [entry for entry in rows(Entry) if entry.request_id == "of the test"]
    assert [change.entry_id for change in rows(Change)][-3:] == [entry.id] * 3


def test_an_applied_import_is_known(plan_of, apply_plan, outside):
    apply_plan(plan_of("name,email\nAda,\n"), import_id="of the test")
    with Session(outside) as session:
        applied = session.scalars(select(AppliedImport)).one()
    assert (applied.id, applied.user_id, applied.added, applied.changed) == ("of the test", None, 1, 0)


def test_a_new_role_or_activity_signs_out(plan_of, apply_plan, outside, rows, wsgi):
    people = [add_person(outside, name) for name in ("role", "activity", "age", "same")]
    for person in people:
        browser_of(wsgi, outside, person)
    lines = ["editor,yes,", "member,no,", "member,yes,7", "member,yes,"]
    file = [f"{person.name},{person.email},{line}" for person, line in zip(people, lines, strict=True)]
    plan = plan_of("\n".join(["name,email,role,active,age", *file]))
    assert plan.changed_accounts(9) == [
        (people[0].id, "member", True, "editor", True),
        (people[1].id, "member", True, "member", False),
    ]
    apply_plan(plan)
    assert [row.user_id for row in rows(SignIn)] == [people[2].id, people[3].id]


def test_a_plan_whose_records_have_moved_writes_nothing(plan_of, apply_plan, make_user, outside, rows):
    people = [make_user(f"Person {number}", email=f"{number}@example.com") for number in range(4)]
    lines = [f"Another {number},{number}@example.com\n" for number in range(6)]
    plan = plan_of("name,email\n" + "".join(lines))
    with outside.begin() as connection:
        connection.execute(sqlalchemy.update(User).where(User.id == people[1].id).values(age=7))
        connection.execute(sqlalchemy.delete(User).where(User.id == people[2].id))
    make_user("Taken", email="5@EXAMPLE.com")
    before = [values(user) for user in rows(User)]
    with pytest.raises(Outdated) as outdated:
        apply_plan(plan)
    moved = [(each.line, each.name, each.what) for each in outdated.value.moved]
    assert moved == [(3, "Another 1", "changed"), (4, "Another 2", "deleted"), (7, "Another 5", "taken")]
    assert [list(each.changes) for each in outdated.value.moved] == [[("age", None, 7)], [], []]
    assert (outdated.value.number, [values(user) for user in rows(User)]) == (3, before)
    # What moved in records that the plan leaves alone does not matter, and nothing is left in the connection.
    same = plan_of("name,email\nPerson 0,0@example.com\nNew,new@example.com\n")
    with outside.begin() as connection:
        connection.execute(sqlalchemy.update(User).where(User.id == people[0].id).values(age=7))
    apply_plan(same)
    assert [user.name for user in rows(User)][-1] == "New"
    with pytest.raises(Outdated):
        apply_plan(plan_of("name,email\nNew 2,new2@example.com\n"), Importer(None, "editor"))


def test_a_cancelled_import_leaves_nothing(plan_of, apply_plan, factory, rows):
    def cancel(step):
        raise Cancelled

    plan, entries = plan_of("name,email\nAda,ada@example.com\n"), len(rows(Entry))
    with pytest.raises(Cancelled):
        apply_plan(plan, progress=Steps(cancel))
    assert (rows(User), len(rows(Entry))) == ([], entries)
    with factory.kw["bind"].connect() as connection, pytest.raises(sqlalchemy.exc.DBAPIError):
        connection.execute(select(STEPS))
    apply_plan(plan)
    assert [user.name for user in rows(User)] == ["Ada"]


def test_an_import_can_be_undone(plan_of, apply_plan, make_user, outside, rows):
    for number in range(25):
        make_user(f"Person {number}", email=f"{number}@example.com", age=number)
    before = [values(user) for user in rows(User)]
    lines = [f"Another {number},{number}@example.com,editor\n" for number in range(50)]
    apply_plan(plan_of("name,email,role\n" + "".join(lines)))
    assert [(user.name, user.role) for user in rows(User)] == [(f"Another {n}", "editor") for n in range(50)]
    entry_id = rows(Entry)[-1].id
    with told(outside, undoes_id=entry_id) as connection, Session(connection) as session:
        undo = Undo(entry_id, Viewer(0, "admin"), outside.dialect.name, None)
        undo.apply(session, undo.count(session), changed_too=False)
        session.commit()
    assert [values(user) for user in rows(User)] == before


def test_an_import_sees_the_edit_that_it_has_waited_for(plan_of, apply_plan, make_user, outside, rows):
    user = make_user("Ada", email="ada@example.com")
    plan = plan_of("name,email\nAda by file,ada@example.com\n")
    failures = []

    def run():
        try:
            apply_plan(plan)
        except Exception as error:
            failures.append(type(error))

    thread = threading.Thread(target=run)
    with outside.connect() as connection:
        connection.execute(sqlalchemy.update(User).where(User.id == user.id).values(name="Ada by hand"))
        thread.start()
        if outside.dialect.name == "postgresql":
            wait_until(outside, "SELECT count(*) FROM pg_locks WHERE NOT granted")
        connection.commit()
    thread.join(DEADLINE_SECONDS)
    # With a snapshot from before, PostgreSQL would fail to serialize.
    assert failures == [Outdated]
    assert [user.name for user in rows(User)] == ["Ada by hand"]


def wait_until(engine, query):
    """Return when the query returns another number than 0."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not connection.scalar(text(query)):
            assert time.monotonic() < deadline
