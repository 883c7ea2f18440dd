"""Somebody who can sign in and administer always stays, whatever is done to them, and whoever does it at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
import sqlalchemy
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session
from transaction import TransactionManager

from myproject.db import get_engine, get_session_factory, get_tm_session
from myproject.models import User
from myproject.users import models
from myproject.users.models import LastAdministrator
from tests.people import add_person, browser_of

pytestmark = pytest.mark.usefixtures("nobody")

USERS = User.__table__


@pytest.fixture
def unchecked(monkeypatch):
    """Switch the check off: what then happens is what the check is for."""
    monkeypatch.setattr(models, "has_administrator", lambda session: False)


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


# One after the other, by every page


def demote(app, user):
    return change(app, user, role="member")


def deactivate(app, user):
    return change(app, user, active=False)


def take_email(app, user):
    return change(app, user, email="")


def delete(app, user):
    return app.get(f"/users/{user.id}/delete").forms["record"].submit(expect_errors=True)


def erase(app, user):
    return app.get(f"/users/{user.id}/erase").forms["record"].submit(expect_errors=True)


def change(app, user, **fields):
    form = app.get(f"/users/{user.id}/edit").forms["record"]
    for name, value in fields.items():
        form[name] = value
    return form.submit(expect_errors=True)


WAYS = [("admin", way) for way in (demote, deactivate, take_email, delete, erase)]
WAYS += [("editor", way) for way in (deactivate, take_email, delete)]
each_way = pytest.mark.parametrize(("role", "way"), WAYS, ids=[f"{way.__name__} by {role}" for role, way in WAYS])


def go(person, role, way):
    """Do it to the one administrator, by themself or by an editor; return the answer."""
    administrator, own = person("admin")
    return way(own if role == "admin" else person(role)[1], administrator)


@each_way
def test_the_last_administrator_stays(person, left, role, way):
    answer = go(person, role, way)
    assert left() == 1
    assert answer.status_int == (422 if way in (demote, deactivate, take_email) else 409)
    answer.mustcontain("This is the last administrator who can sign in.")


@each_way
@pytest.mark.usefixtures("unchecked")
def test_without_the_check_nobody_is_left(person, left, role, way):
    assert go(person, role, way).status_int == 303
    assert left() == 0


@pytest.mark.parametrize(("role", "way"), [("admin", demote), ("editor", delete)])
def test_one_of_two_may_go(person, left, role, way):
    person("admin")
    assert go(person, role, way).status_int == 303
    assert left() == 1


@pytest.mark.parametrize(
    "values",
    [{"password_hash": None}, {"active": False}, {"email": None}, {"role": "editor"}],
    ids=lambda values: next(iter(values)),
)
@pytest.mark.parametrize("way", [demote, delete])
def test_who_cannot_sign_in_or_administer_does_not_count(outside, person, left, values, way):
    add_person(outside, "Another", **{"role": "admin", **values})
    assert go(person, "admin", way).status_int in (409, 422)
    assert left() == 1


def test_the_message_stands_beside_the_field_that_it_is_about(person):
    administrator, app = person("admin")
    page = demote(app, administrator)
    assert page.html.find(id="role-error").text.startswith("This is the last administrator")
    page = deactivate(app, administrator)
    assert page.html.find(id="active-error").text.startswith("This is the last administrator")
    page = take_email(app, administrator)
    assert page.html.find(id="email-error").text.startswith("This is the last administrator")


def test_what_else_is_in_the_record_of_the_last_administrator_can_be_changed(person, rows):
    administrator, app = person("admin")
    assert change(app, administrator, name="Jane Doe", age="30").status_int == 303
    assert (rows(User)[0].name, rows(User)[0].role) == ("Jane Doe", "admin")


def test_others_are_changed_and_deleted_as_always_where_nobody_can_administer(make_user, person):
    first, second = make_user(role="admin"), make_user()
    _editor, app = person("editor")
    assert [deactivate(app, first).status_int, delete(app, first).status_int, delete(app, second).status_int] == [
        303
    ] * 3


# By a script


def set_value(name, value):
    return lambda dbsession, user: setattr(user, name, value)


def set_unread(dbsession, user):
    dbsession.expire(user)
    user.role = "member"


def set_after_savepoint(dbsession, user):
    # A rollback to a savepoint forgets what was read of the rows that it was about.
    with suppress(ZeroDivisionError), dbsession.begin_nested():
        user.name = "Jane Doe"
        dbsession.flush()
        raise ZeroDivisionError
    user.role = "member"


SCRIPTS = {
    "role": set_value("role", "member"),
    "active": set_value("active", False),
    "password": set_value("password_hash", None),
    "email": set_value("email", None),
    "role unread": set_unread,
    "role after a savepoint": set_after_savepoint,
    "delete": lambda dbsession, user: dbsession.delete(user),
    "update by query": lambda dbsession, user: dbsession.execute(sqlalchemy.update(User).values(role="member")),
    "delete by query": lambda dbsession, user: dbsession.execute(sqlalchemy.delete(User)),
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
def test_a_script_does_not_take_the_last_administrator_either(run, left, script):
    with pytest.raises(LastAdministrator):
        run(script)
    assert left() == 1


@each_script
@pytest.mark.usefixtures("unchecked")
def test_without_the_check_a_script_leaves_nobody(run, left, script):
    run(script)
    assert left() == 0


def test_one_takes_the_place_of_the_other_in_one_transaction(outside, left):
    old, new = add_person(outside, role="admin"), add_person(outside)
    with Session(outside) as session:
        old, new = session.get(User, old.id), session.get(User, new.id)
        old.role, new.role = "member", "admin"
        session.commit()
    assert left() == 1


def test_of_two_who_go_in_one_transaction_neither_does(outside, left):
    first, second = add_person(outside, role="admin"), add_person(outside, role="admin")
    with Session(outside) as session:
        session.get(User, first.id).role = "member"
        session.delete(session.get(User, second.id))
        with pytest.raises(LastAdministrator):
            session.commit()
    assert left() == 2


# Two at once


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
    """Return two forms, which two administrators, or two editors, are about to send."""
    (first, first_browser), (second, second_browser) = person("admin"), person("admin")
    if whom == "themselves":
        return [form_to(act, first_browser, first), form_to(act, second_browser, second)]
    if whom == "each other":
        return [form_to(act, first_browser, second), form_to(act, second_browser, first)]
    return [form_to(act, person("editor")[1], user) for user in (first, second)]


ACTS = ["demote", "deactivate", "delete", "erase"]
RACES = [(act, "themselves") for act in ACTS] + [(act, "by editors") for act in ("deactivate", "delete")]


@pytest.mark.parametrize(("act", "whom"), RACES)
def test_of_two_at_once_one_stays(together, person, left, act, whom):
    answers = together(forms_of(act, whom, person))
    assert left() == 1
    assert answers == [303, 422 if act in ("demote", "deactivate") else 409]


@pytest.mark.parametrize(("act", "whom"), RACES)
@pytest.mark.usefixtures("unchecked")
def test_without_the_check_of_two_at_once_none_stays(together, person, left, act, whom):
    assert together(forms_of(act, whom, person)) == [303, 303]
    assert left() == 0


@pytest.mark.parametrize("act", ACTS)
def test_of_two_who_turn_on_each_other_the_first_wins(together, person, left, act):
    # The sign-in of the other has ended, or their role, before they could: they are asked to sign in, or told no.
    answers = together(forms_of(act, "each other", person))
    assert left() == 1
    assert answers[0] == 303
