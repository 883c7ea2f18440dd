"""An entry says who has written, by which page or command, in which request and attempt."""

import pytest
from pyramid_retry import RetryableException
from sqlalchemy import update
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session
from transaction import TransactionManager

from myproject.db import get_tm_session
from myproject.models import Post, User
from myproject.scripts import create_admin
from tests import sqlite_only
from tests.conftest import INI
from tests.people import add_person, browser_of

NAME = update(User).where(User.id > 0).values(name="Bob")


def rename(request):
    request.dbsession.execute(NAME)


def origins(entries):
    return [(entry.actor_id, entry.route, entry.attempts) for entry in entries]


def test_a_form_is_an_entry_of_the_person_and_the_page(app, entries):
    form = app.get("/users/new").forms["record"]
    form["name"] = "Ada"
    form.submit(status=303)
    [entry] = entries()
    assert origins([entry]) == [(0, "users.new", 1)]
    assert entry.request_id


def test_each_person_has_their_own_entries(wsgi, outside, entries):
    people = [add_person(outside, name) for name in ("Ada", "Bob")]
    for person in people:
        app = browser_of(wsgi, outside, person)
        form = app.get(f"/users/{person.id}/edit").forms["record"]
        form["age"] = "36"
        form.submit(status=303)
    assert [entry.actor_id for entry in entries()[2:]] == [person.id for person in people]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_every_unsafe_method_is_told(method, probe, make_user, entries):
    make_user()
    probe(rename, method=method)
    assert origins(entries()[1:]) == [(None, "probe", 1)]


def test_the_number_of_the_attempt_is_told(probe, make_user, entries):
    make_user()
    attempts = []

    def view(request):
        attempts.append(1)
        rename(request)
        if len(attempts) < 3:
            raise RetryableException

    probe(view)
    assert origins(entries()[1:]) == [(None, "probe", 3)]


def test_a_request_that_is_aborted_leaves_no_entry(probe, make_user, entries):
    make_user()

    def view(request):
        rename(request)
        request.response.status_int = 422
        return "no"

    probe(view, status=422)
    assert len(entries()) == 1


def test_what_a_view_writes_past_the_session_is_told_too(probe, make_user, entries):
    make_user()

    def view(request):
        connection = request.dbsession.connection().connection
        connection.cursor().execute("UPDATE users SET name = 'Bob' WHERE id > 0")

    probe(view)
    assert origins(entries()[1:]) == [(None, "probe", 1)]


def test_a_savepoint_that_is_rolled_back_keeps_the_origin(probe, make_user, entries):
    make_user()

    def view(request):
        with request.dbsession.begin_nested() as savepoint:
            rename(request)
            savepoint.rollback()
        rename(request)

    probe(view)
    assert origins(entries()[1:]) == [(None, "probe", 1)]


@sqlite_only
def test_a_commit_that_passes_the_transaction_by_is_refused(probe, make_user, entries, rows):
    make_user(name="Ada")

    def view(request):
        rename(request)
        request.dbsession.connection().connection.dbapi_connection.execute("COMMIT")

    probe(view, status=500)
    assert [user.name for user in rows(User)] == ["Ada"]
    make_user(name="Cyd")
    assert origins(entries()[1:]) == [(None, None, None)]


def test_nothing_is_kept_after_a_refused_commit(probe, make_user, entries, rows):
    """Not even what is written past the Session: nobody would be named with it."""
    make_user(name="Ada")

    def view(request):
        connection = request.dbsession.connection()
        cursor = connection.connection.cursor()
        with pytest.raises(InvalidRequestError, match="Leave the commit"):
            connection.get_transaction().commit()
        cursor.execute("UPDATE users SET name = 'Bob' WHERE id > 0")

    probe(view, status=500)
    assert [user.name for user in rows(User)] == ["Ada"]
    assert len(entries()) == 1


def test_the_next_request_on_a_connection_is_not_given_to_the_person_before(app, wsgi, make_user, entries):
    user = make_user()
    form = app.get(f"/users/{user.id}/edit").forms["record"]
    form["age"] = "36"
    form.submit(status=303)
    factory, tm = wsgi.registry["dbsession_factory"], TransactionManager(explicit=True)
    with tm:
        get_tm_session(factory, tm).execute(NAME)
    assert origins(entries()[1:]) == [(0, "users.edit", 1), (None, None, None)]


def test_a_command_gives_its_name(database_url, monkeypatch, entries):
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("MYPROJECT_SECRET", "a" * 32)
    monkeypatch.setattr(create_admin, "read_password", lambda _: "correct horse battery staple")
    create_admin.main([INI, "ada@example.com"])
    assert origins(entries()) == [(None, "create_admin", None)]


def test_a_post_and_the_user_of_one_request_are_one_entry(probe, entries):
    def view(request):
        user = User(name="Ada")
        user.posts.append(Post(title="Hello", body="World"))
        request.dbsession.add(user)

    probe(view)
    [entry] = entries()
    assert {change.table_name for change in entry.changes} == {"users", "posts"}


def test_a_plain_session_works_as_before(outside, entries):
    with Session(outside) as session:
        session.add(User(name="John Doe", age=30))
        session.commit()
    assert origins(entries()) == [(None, None, None)]
