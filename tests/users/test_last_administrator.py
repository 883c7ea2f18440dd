"""One administrator who can sign in always stays, whichever page, script or program writes, also two at once."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import pytest
import sqlalchemy
from sqlalchemy import event, func, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session
from transaction import TransactionManager

from myproject.db import get_engine, get_session_factory, get_tm_session
from myproject.db.constraints import violated_constraint
from myproject.models import User
from myproject.users.administrators import LAST_ADMINISTRATOR
from tests import postgresql_only, sqlite_only
from tests.people import add_person, browser_of, token_of

pytestmark = pytest.mark.usefixtures("nobody")

USERS = User.__table__
TRIGGERS = {
    "sqlite": ["users_administered_insert", "users_administered_update", "users_administered_delete"],
    "postgresql": [
        "users_last_administrator_update", "users_last_administrator_delete", "users_last_administrator_truncate",
    ],
}  # fmt: skip


@pytest.fixture
def unchecked(outside):
    """Drop the triggers, to show what they prevent."""
    for trigger in TRIGGERS[outside.dialect.name]:
        drop_trigger(outside, trigger)


def drop_trigger(engine, trigger):
    """Drop one of the TRIGGERS."""
    with engine.begin() as connection:
        on_table = " ON users" if engine.dialect.name == "postgresql" else ""
        connection.exec_driver_sql(f"DROP TRIGGER {trigger}{on_table}")


@pytest.fixture
def left(outside):
    """Call `left()`: how many administrators can sign in: active, with an email and a password."""
    able = USERS.c.active, USERS.c.password_hash.is_not(None), USERS.c.email.is_not(None)
    query = select(func.count()).select_from(USERS).where(USERS.c.role == "admin", *able)

    def count():
        with outside.connect() as connection:
            return connection.scalar(query)

    return count


@pytest.fixture
def person(wsgi, outside):
    """Call `person(role)`: store a user who can sign in; return them, and the browser in which they are signed in."""

    def add(role, **values):
        user = add_person(outside, role.title(), role, **values)
        return user, browser_of(wsgi, outside, user)

    return add


# By every page


def demote(app, user):
    return change(app, user, role="member")


def deactivate(app, user):
    return change(app, user, active=False)


def remove_email(app, user):
    return change(app, user, email="")


def delete(app, user):
    return confirm(app, f"/users/{user.id}/delete")


def erase(app, user):
    return confirm(app, f"/users/{user.id}/erase")


def confirm(app, path):
    """Send the form of a page that may no longer have its button."""
    return app.post(path, {"csrf_token": token_of(app)}, expect_errors=True)


def change(app, user, **fields):
    form = app.get(f"/users/{user.id}/edit").forms["record"]
    for name, value in fields.items():
        form[name] = value
    return form.submit(expect_errors=True)


each_way = pytest.mark.parametrize("way", [demote, deactivate, remove_email, delete, erase])


def leave(person, way):
    """Let the only administrator do it to themself; return the answer."""
    administrator, app = person("admin")
    return way(app, administrator)


@each_way
def test_no_page_removes_the_last_administrator(person, left, way):
    answer = leave(person, way)
    assert left() == 1
    assert answer.status_int == (422 if way in (demote, deactivate, remove_email) else 409)
    answer.mustcontain("This is the last administrator who can sign in.")


@each_way
@pytest.mark.usefixtures("unchecked")
def test_without_the_triggers_the_pages_remove_the_last_administrator(person, left, way):
    assert leave(person, way).status_int == 303
    assert left() == 0


@pytest.mark.parametrize("page", ["delete", "erase"])
def test_a_page_says_that_the_last_administrator_stays_instead_of_asking(outside, person, page):
    administrator, app = person("admin")
    refused = app.get(f"/users/{administrator.id}/{page}")
    assert refused.html.find(role="note").text.startswith("This is the last administrator who can sign in.")
    assert "record" not in refused.forms
    add_person(outside, role="admin")
    assert "record" in app.get(f"/users/{administrator.id}/{page}").forms


@pytest.mark.parametrize("way", [demote, delete])
def test_one_of_two_administrators_can_be_removed(person, left, way):
    person("admin")
    assert leave(person, way).status_int == 303
    assert left() == 1


@pytest.mark.parametrize(
    "values",
    [{"password_hash": None}, {"active": False}, {"email": None}, {"role": "editor"}],
    ids=lambda values: next(iter(values)),
)
@pytest.mark.parametrize("way", [demote, delete])
def test_an_administrator_who_cannot_sign_in_does_not_count(outside, person, left, values, way):
    add_person(outside, "Another", **{"role": "admin", **values})
    assert leave(person, way).status_int in (409, 422)
    assert left() == 1


def test_the_message_is_on_the_field_that_was_changed(person):
    administrator, app = person("admin")
    page = demote(app, administrator)
    assert page.html.find(id="role-error").text.startswith("This is the last administrator")
    page = deactivate(app, administrator)
    assert page.html.find(id="active-error").text.startswith("This is the last administrator")
    page = remove_email(app, administrator)
    assert page.html.find(id="email-error").text.startswith("This is the last administrator")


def test_other_fields_of_the_last_administrator_can_be_changed(person, rows):
    administrator, app = person("admin")
    assert change(app, administrator, name="Jane Doe", age="30").status_int == 303
    assert (rows(User)[0].name, rows(User)[0].role) == ("Jane Doe", "admin")


def test_users_can_be_changed_and_deleted_when_there_is_no_administrator(make_user, person):
    first, second = make_user(), make_user()
    _editor, app = person("editor")
    assert [deactivate(app, first).status_int, delete(app, first).status_int, delete(app, second).status_int] == [
        303
    ] * 3


# By a script


def set_value(name, value):
    return lambda dbsession, user: setattr(user, name, value)


SCRIPTS = {
    "change_role": lambda dbsession, user: user.change_role("member"),
    "deactivate": lambda dbsession, user: user.deactivate(),
    "erase": lambda dbsession, user: user.erase(keep_posts=False),
    "password": set_value("password_hash", None),
    "email": set_value("email", None),
    "delete": lambda dbsession, user: dbsession.delete(user),
    "update by query": lambda dbsession, user: dbsession.execute(sqlalchemy.update(User).values(role="member")),
    "delete by query": lambda dbsession, user: dbsession.execute(sqlalchemy.delete(User)),
    "update by text": lambda dbsession, user: dbsession.execute(sqlalchemy.text("UPDATE users SET active = false")),
}
each_script = pytest.mark.parametrize("script", SCRIPTS)


@pytest.fixture
def run(outside):
    """Call `run(script)` with one administrator in the database: do it in a Session, as a script does, and commit."""
    engine = get_engine(outside.url)

    def do(script):
        user, tm = add_person(outside, role="admin"), TransactionManager(explicit=True)
        with tm:
            dbsession = get_tm_session(get_session_factory(engine), tm)
            SCRIPTS[script](dbsession, dbsession.get(User, user.id))

    yield do
    engine.dispose()


@each_script
def test_no_script_removes_the_last_administrator(run, left, script):
    with pytest.raises(IntegrityError) as raised:
        run(script)
    assert violated_constraint(raised.value) == LAST_ADMINISTRATOR
    assert left() == 1


@each_script
@pytest.mark.usefixtures("unchecked")
def test_without_the_triggers_a_script_removes_the_last_administrator(run, left, script):
    run(script)
    assert left() == 0


def test_a_handover_in_one_transaction_promotes_the_new_administrator_first(outside, left):
    old, new = add_person(outside, role="admin"), add_person(outside)
    with Session(outside) as session:
        old, new = session.get(User, old.id), session.get(User, new.id)
        new.change_role("admin")
        session.flush()
        old.change_role("member")
        session.commit()
    assert left() == 1


def test_two_administrators_cannot_both_be_removed_in_one_transaction(outside, left):
    first, second = add_person(outside, role="admin"), add_person(outside, role="admin")
    with Session(outside) as session:
        session.get(User, first.id).role = "member"
        session.delete(session.get(User, second.id))
        with pytest.raises(IntegrityError):
            session.commit()
    assert left() == 2


# By any program: plain SQL over a connection with nothing of ours


REMOVING = {
    "role": "UPDATE users SET role = 'editor'",
    "active": "UPDATE users SET active = false",
    "email": "UPDATE users SET email = NULL",
    "password_hash": "UPDATE users SET password_hash = NULL",
    "delete": "DELETE FROM users",
}
# The statement that a trigger is there for.
GUARDED = {
    "users_administered_update": REMOVING["role"],
    "users_administered_delete": REMOVING["delete"],
    "users_last_administrator_update": REMOVING["role"],
    "users_last_administrator_delete": REMOVING["delete"],
    "users_last_administrator_truncate": "TRUNCATE users CASCADE",
}


def execute(engine, statement):
    """Execute a statement and commit."""
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)


def let_truncate(engine):
    """Drop the triggers by which the ledger refuses TRUNCATE, which passes it by."""
    for table in ("users", "posts", "saved_views"):
        execute(engine, f"DROP TRIGGER {table}_history_truncate ON {table}")


@pytest.mark.parametrize("statement", REMOVING)
def test_no_statement_removes_the_last_administrator(outside, left, statement):
    add_person(outside, role="admin")
    add_person(outside, role="admin")
    with pytest.raises(IntegrityError) as raised:
        execute(outside, REMOVING[statement])
    assert violated_constraint(raised.value) == LAST_ADMINISTRATOR
    assert left() == 2


@pytest.mark.parametrize("statement", REMOVING)
def test_a_statement_may_remove_all_but_one_administrator(outside, left, statement):
    add_person(outside, role="admin")
    kept = add_person(outside, role="admin")
    execute(outside, f"{REMOVING[statement]} WHERE id <> {kept.id}")
    assert left() == 1


def test_a_user_who_was_never_an_administrator_can_be_removed(outside, left):
    add_person(outside, role="admin")
    member = add_person(outside)
    for statement in REMOVING.values():
        execute(outside, f"{statement} WHERE id = {member.id}")
    assert left() == 1


@pytest.mark.passes_ledger_by
@pytest.mark.parametrize(
    ("database_url", "trigger"),
    [(database, name) for database, names in TRIGGERS.items() for name in names if name in GUARDED],
    indirect=["database_url"],
)
def test_a_dropped_trigger_lets_its_statement_remove_the_last_administrator(outside, left, trigger):
    add_person(outside, role="admin")
    if trigger == "users_last_administrator_truncate":
        let_truncate(outside)
    with pytest.raises(IntegrityError):
        execute(outside, GUARDED[trigger])
    drop_trigger(outside, trigger)
    execute(outside, GUARDED[trigger])
    assert left() == 0


@pytest.mark.passes_ledger_by
@postgresql_only
def test_truncate_is_refused_only_while_there_is_an_administrator(outside, rows):
    let_truncate(outside)
    add_person(outside)
    execute(outside, "TRUNCATE users CASCADE")
    assert rows(User) == []


REPLACING = {
    "insert by email": "INSERT OR REPLACE INTO users (name, email) VALUES ('Eve', 'ADMIN@example.com')",
    "insert by id": "REPLACE INTO users (id, name) VALUES (7, 'Eve')",
    "update by email": "UPDATE OR REPLACE users SET email = 'admin@example.com' WHERE id = 8",
    "update by id": "UPDATE OR REPLACE users SET id = 7 WHERE id = 8",
}
KEEPING = {
    "an insert of the same email": "INSERT OR IGNORE INTO users (name, email) VALUES ('Eve', 'admin@example.com')",
    "an upsert": """INSERT INTO users (name, email) VALUES ('Eve', 'admin@example.com')
                    ON CONFLICT (lower(email)) DO UPDATE SET name = excluded.name""",
    "a replacement by an administrator": """REPLACE INTO users (id, name, email, role, password_hash)
                                            VALUES (7, 'Eve', 'admin@example.com', 'admin', 'x')""",
}


@pytest.fixture
def plain_sqlite(outside):
    """A connection of the driver, as another program makes it: REPLACE fires no trigger of DELETE.

    There are the administrator admin@example.com, with the id 7, and a member with the id 8. Their ids can be changed.
    """
    drop_trigger(outside, "users_history_id")
    add_person(outside, role="admin", id=7, email="admin@example.com")
    add_person(outside, id=8)
    with closing(sqlite3.connect(outside.url.database)) as connection:
        for function in ("folded_2", "initials"):
            connection.create_function(function, 1, str.lower, deterministic=True)
        yield connection


@pytest.mark.passes_ledger_by
@sqlite_only
@pytest.mark.parametrize("statement", REPLACING)
def test_replace_does_not_remove_the_last_administrator(plain_sqlite, left, statement):
    with pytest.raises(sqlite3.IntegrityError, match=LAST_ADMINISTRATOR):
        plain_sqlite.execute(REPLACING[statement])
    plain_sqlite.commit()
    assert left() == 1


@pytest.mark.passes_ledger_by
@sqlite_only
@pytest.mark.parametrize("statement", REPLACING)
def test_a_dropped_trigger_lets_replace_remove_the_last_administrator(outside, plain_sqlite, left, statement):
    drop_trigger(outside, f"users_administered_{statement.split()[0]}")
    plain_sqlite.execute(REPLACING[statement])
    plain_sqlite.commit()
    assert left() == 0


@sqlite_only
@pytest.mark.parametrize("statement", KEEPING)
def test_a_conflicting_statement_that_keeps_an_administrator_is_accepted(plain_sqlite, left, statement):
    plain_sqlite.execute(KEEPING[statement])
    plain_sqlite.commit()
    assert left() == 1


# Two at once over plain connections


LEAVING = {
    "demote": "UPDATE users SET role = 'member' WHERE id = {}",
    "delete": "DELETE FROM users WHERE id = {}",
}


@postgresql_only
@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
@pytest.mark.parametrize("ways", [("demote", "demote"), ("delete", "delete"), ("demote", "delete")], ids=" ".join)
@pytest.mark.parametrize("crosswise", [True, False], ids=["crosswise", "the second waits"])
def test_two_administrators_cannot_leave_at_once_on_postgresql(database_url, outside, left, level, ways, crosswise):
    users = [add_person(outside, role="admin") for _ in ways]
    engine = sqlalchemy.create_engine(database_url, isolation_level=level)
    both_have_begun, first_has_left = threading.Barrier(2), threading.Event()

    def leave(number):
        with engine.begin() as connection:
            # This takes the snapshot of REPEATABLE READ and SERIALIZABLE.
            connection.exec_driver_sql("SELECT count(*) FROM users")
            both_have_begun.wait(10)
            if not crosswise and number == 1:
                first_has_left.wait(10)
            connection.exec_driver_sql(LEAVING[ways[number]].format(users[number].id))
            first_has_left.set()
            # Until this commits, the other transaction waits for its lock.
            connection.exec_driver_sql("SELECT pg_sleep(0.2)")

    with ThreadPoolExecutor(2) as pool:
        errors = [future.exception(30) for future in [pool.submit(leave, number) for number in (0, 1)]]
    engine.dispose()
    assert left() == 1
    assert [isinstance(error, DBAPIError) for error in errors if error] == [True]


@postgresql_only
def test_an_administrator_added_by_an_unfinished_transaction_does_not_count(database_url, outside, left):
    user = add_person(outside, role="admin")
    engine = sqlalchemy.create_engine(database_url)
    with engine.connect() as unfinished:
        add = "INSERT INTO users (name, email, role, password_hash) VALUES ('Eve', 'eve@example.com', 'admin', 'x')"
        unfinished.exec_driver_sql(add)
        with pytest.raises(IntegrityError):
            execute(outside, LEAVING["demote"].format(user.id))
    engine.dispose()
    assert left() == 1


# Two at once, by the pages


@pytest.fixture
def together(wsgi, outside):
    """Call `together(acts)`: do both at the same moment; return the statuses of their answers.

    On PostgreSQL each has read, and is about to write, when the other is; on SQLite one waits for the other.
    """
    engine = wsgi.registry["dbsession_factory"].kw["bind"]

    def run(forms):
        start, barrier, met = threading.Barrier(2), threading.Barrier(2), set()

        def meet(_connection, _cursor, statement, *_rest):
            if statement.startswith(("UPDATE users", "DELETE FROM users")) and threading.get_ident() not in met:
                met.add(threading.get_ident())
                with suppress(threading.BrokenBarrierError):
                    barrier.wait(5)

        def submit(form):
            start.wait(5)
            return form.submit(expect_errors=True).status_int

        if engine.dialect.name == "postgresql":
            event.listen(engine, "before_cursor_execute", meet)
        with ThreadPoolExecutor(2) as pool:
            answers = sorted(pool.map(submit, forms))
        assert engine.dialect.name == "sqlite" or len(met) == 2
        return answers

    return run


def form_to(act, app, user):
    """Return the form that does `act` to `user`, filled in."""
    page = "edit" if act in ("demote", "deactivate") else act
    form = app.get(f"/users/{user.id}/{page}").forms["record"]
    if act == "demote":
        form["role"] = "member"
    if act == "deactivate":
        form["active"] = False
    return form


def forms_of(act, whom, person):
    """Return two forms, which two administrators are about to send."""
    (first, first_browser), (second, second_browser) = person("admin"), person("admin")
    if whom == "themselves":
        return [form_to(act, first_browser, first), form_to(act, second_browser, second)]
    return [form_to(act, first_browser, second), form_to(act, second_browser, first)]


ACTS = ["demote", "deactivate", "delete", "erase"]


@pytest.mark.parametrize("act", ACTS)
def test_of_two_administrators_who_leave_at_once_one_stays(together, person, left, act):
    answers = together(forms_of(act, "themselves", person))
    assert left() == 1
    assert answers == [303, 422 if act in ("demote", "deactivate") else 409]


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.usefixtures("unchecked")
def test_without_the_triggers_both_leave_at_once(together, person, left, act):
    assert together(forms_of(act, "themselves", person)) == [303, 303]
    assert left() == 0


@pytest.mark.parametrize("act", ACTS)
def test_of_two_who_remove_each_other_the_first_succeeds(together, person, left, act):
    # The sign-in of the other has ended, or their role, before they could: they are asked to sign in, or told no.
    answers = together(forms_of(act, "each other", person))
    assert left() == 1
    assert answers[0] == 303
